"""Pictures as Fourier spectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, mixed, mixing, unsquash

# Standard deviation over the picture of what the spectrum gives for sd = 1, whatever the decay. Lucid's constants amount to
# 1.9 at 128 px and decay 1; with our fewer steps that leaves networks with small gradients of contrast (MobileNet) pale.
CONTRAST = 2.5

# How much the constant coefficient counts. With 1 / frequency^decay it would be 0.13 at 128 px, and a unit that wants one
# colour everywhere could not leave grey in 128 steps.
CONSTANT = 0.5

PIECE = 80_000  # numbers of pictures that a CPU works on at once: one picture of 256 px, two of 112, or six of 64


@dataclass(frozen=True, kw_only=True)
class fourier:
    """Pictures as real Fourier spectra with amplitudes falling as 1 / frequency^decay, in decorrelated colours.

    Steepest descent in this space moves all frequencies and all colours at the pace at which they occur in natural
    pictures (Olah et al. 2017, Feature Visualization, "Preconditioning"). The energy does not depend on `decay`: every
    decay starts with the deviation 2.5 sd over the picture and travels as far per step.

    Args:
        sd: standard deviation of the spectrum's noise to start from; 0 starts from grey.
        decay: how fast amplitudes fall; 0.5 is sharp, 0.75 looks best, from 1 colours drift to purple fog.
        colours: the axes along which colours are optimised: "natural" for those of natural pictures where there are three
            channels (other numbers stay unmixed), a matrix of `fit_colours`, or None for the channels themselves.

    Raises:
        UsageError: `colours` does not suit the number of channels.

    >>> canvas = fourier()(2, 3, 32, 47, generators=[torch.Generator(), torch.Generator()], device=torch.device("cpu"))
    >>> canvas.params[0].shape, canvas.images().shape
    (torch.Size([2, 3, 32, 24, 2]), torch.Size([2, 3, 32, 47]))
    """

    sd: float = 0.01
    decay: float = 0.75
    colours: Colours = "natural"

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        spectrum = noise((channels, height, width // 2 + 1, 2), self.sd, generators[:count], device)
        factors = amplitudes(height, width, self.decay).to(device)[..., None]
        mix = mixing(self.colours, channels, device)

        def images() -> Float[Tensor, "n c h w"]:
            return pictured(spectrum, factors, mix, (height, width))

        @torch.no_grad()
        def put(given: Float[Tensor, "n c h w"]) -> None:
            spectrum.copy_(analysed(unsquash(given.to(spectrum), mix), factors))

        return Canvas([spectrum], images, put)


def synthesised(
    spectrum: Float[Tensor, "n c h f 2"], factors: Float[Tensor, "*c h f 1"], size: tuple[int, int]
) -> Float[Tensor, "n c h w"]:
    """The values that a spectrum with factors stands for: `size` is their (height, width).

    >>> synthesised(torch.ones(1, 1, 2, 2, 2), torch.ones(2, 2, 1), (2, 3)).shape
    torch.Size([1, 1, 2, 3])
    """
    return torch.fft.irfft2(torch.view_as_complex(spectrum * factors), s=size, norm="ortho")


def analysed(values: Float[Tensor, "n c h w"], factors: Float[Tensor, "*c h f 1"]) -> Float[Tensor, "n c h f 2"]:
    """The spectrum with factors that stands for given values."""
    return torch.view_as_real(torch.fft.rfft2(values, norm="ortho")) / factors


def pictured(
    spectrum: Float[Tensor, "n c h f 2"],
    factors: Float[Tensor, "*c h f 1"],
    mix: Float[Tensor, "c c"] | None,
    size: tuple[int, int],
) -> Float[Tensor, "n c h w"]:
    """`squash` of `synthesised`, on a CPU a few pictures at a time: what is between stays in the cache, and nothing of it is kept.

    A quarter faster than the same operations on the whole batch (8 pictures of 3 × 256 × 256, forward and backward: 9.5 ms for
    12 ms), and twice as fast where other programs use the memory too.

    >>> pictured(torch.zeros(1, 3, 4, 3, 2), torch.ones(4, 3, 1), None, (4, 5)).shape
    torch.Size([1, 3, 4, 5])
    """
    return _Pictured.apply(spectrum, factors, mix, size)  # pyright: ignore[reportReturnType]


class _Pictured(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spectrum: Tensor, factors: Tensor, mix: Tensor | None, size: tuple[int, int]) -> Tensor:
        images = spectrum.new_empty(*spectrum.shape[:2], *size)
        factors = factors.expand(*factors.shape[:-1], 2).contiguous()  # twice as fast to multiply with
        count = _together(images)
        for part, image in zip(spectrum.split(count), images.split(count), strict=True):
            torch.sigmoid(mixed(synthesised(part, factors, size), mix), out=image)
        ctx.save_for_backward(images, factors, mix)
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        images, factors, mix = ctx.saved_tensors
        result = images.new_empty(*images.shape[:2], *factors.shape[-3:-1], 2)
        slopes = factors * copies(images.shape[3]).to(factors)[:, None]
        count = _together(images)
        for image, along, part in zip(images.split(count), gradient.split(count), result.split(count), strict=True):
            values = torch.ops.aten.sigmoid_backward(along, image)
            spectrum = torch.fft.rfft2(mixed(values, None if mix is None else mix.T), norm="ortho")
            torch.mul(torch.view_as_real(spectrum), slopes, out=part)
        return result, None, None, None


def _together(images: Tensor) -> int:
    """How many pictures are worked on at once: on a CPU as many as its caches hold."""
    return max(1, PIECE // images[0].numel()) if images.device.type == "cpu" else len(images)


def frequencies(height: int, width: int) -> Float[Tensor, "h f"]:
    """How many cycles a pixel each coefficient of `rfft2` stands for, whatever their direction.

    >>> frequencies(2, 4)
    tensor([[0.0000, 0.2500, 0.5000],
            [0.5000, 0.5590, 0.7071]])
    """
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])


def copies(width: int) -> Float[Tensor, " f"]:
    """How often each column of `rfft2` stands in the whole spectrum: twice where its mirror image is another column.

    >>> copies(4), copies(5)
    (tensor([1., 2., 1.]), tensor([1., 2., 2.]))
    """
    columns = torch.arange(width // 2 + 1)
    return torch.where((columns == 0) | (2 * columns == width), 1.0, 2.0)


def amplitudes(height: int, width: int, decay: float) -> Float[Tensor, "h f"]:
    """Factor on each coefficient of `rfft2`: 1 / frequency^decay, of the same energy for every decay and size.

    The constant coefficient stands apart: it moves the whole picture, by the same amount at every size.

    >>> amplitudes(4, 6, 1.0).shape
    torch.Size([4, 4])
    """
    frequency = frequencies(height, width)
    falling = torch.where(frequency > 0, frequency**-decay, 0.0)
    # A coefficient and its mirror image have the variance 2 sd² each. The columns that are their own mirror image (0 and, for
    # an even width, the last) bring a quarter of that: one copy, of which the inverse transform reads the symmetric half.
    deviation = ((falling * copies(width)).square().sum() / (height * width)).sqrt()
    scale = CONTRAST * falling / deviation
    scale[0, 0] = CONSTANT * (height * width) ** 0.5
    return scale
