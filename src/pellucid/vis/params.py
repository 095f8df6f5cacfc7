"""What is optimised: numbers that a picture is computed from, chosen so that gradient descent finds natural pictures.

A `Parameterization` takes the number, channels and size of the pictures and one random generator per picture; it returns
the tensors to optimise and a function from them to images in [0, 1]. The noise of picture i comes from generator i alone,
drawn on the CPU, so that a picture depends neither on its batch mates nor on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

ImageFunction = Callable[[], Float[Tensor, "n c h w"]]

# Square root of the covariance of colours in natural pictures, one column per independent axis (lightness, blue to yellow,
# green to magenta): the constants that lucid published (`lucid/optvis/param/color.py`, Apache-2.0), divided there and here
# by the norm of the longest column.
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = COLOURS / COLOURS.norm(dim=0).max()

# Standard deviation over the picture of what the spectrum gives for sd = 1, whatever the decay. Lucid's constants amount to
# 1.9 at 128 px and decay 1; with our fewer steps that leaves networks with small gradients of contrast (MobileNet) pale.
CONTRAST = 2.5

# How much the constant coefficient counts. With 1 / frequency^decay it would be 0.13 at 128 px, and a unit that wants one
# colour everywhere could not leave grey in 128 steps.
CONSTANT = 0.5


@runtime_checkable
class Parameterization(Protocol):
    """How pictures are parameterized; see the module's description."""

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> tuple[list[Tensor], ImageFunction]: ...


@dataclass(frozen=True, kw_only=True)
class fourier:
    """Pictures as real Fourier spectra with amplitudes falling as 1 / frequency^decay, in decorrelated colours.

    Steepest descent in this space moves all frequencies and all colours at the pace at which they occur in natural
    pictures (Olah et al. 2017, Feature Visualization, "Preconditioning"). The energy does not depend on `decay`: every
    decay starts with the deviation 2.5 sd over the picture and travels as far per step.

    Args:
        sd: standard deviation of the spectrum's noise to start from; 0 starts from grey.
        decay: how fast amplitudes fall; 0.5 is sharp, 0.75 looks best, from 1 colours drift to purple fog.
        decorrelate: mix the three colour channels as natural pictures do; pictures of other channel counts are never mixed.

    >>> params, images = fourier()(2, 3, 32, 47, generators=[torch.Generator(), torch.Generator()], device=torch.device("cpu"))
    >>> params[0].shape, images().shape
    (torch.Size([2, 3, 32, 24, 2]), torch.Size([2, 3, 32, 47]))
    """

    sd: float = 0.01
    decay: float = 0.75
    decorrelate: bool = True

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> tuple[list[Tensor], ImageFunction]:
        spectrum = _noise((channels, height, width // 2 + 1, 2), self.sd, generators[:count], device)
        scale = amplitudes(height, width, self.decay).to(device)[..., None]

        def images() -> Float[Tensor, "n c h w"]:
            values = torch.fft.irfft2(torch.view_as_complex(spectrum * scale), s=(height, width), norm="ortho")
            return squash(values, decorrelate=self.decorrelate)

        return [spectrum], images


@dataclass(frozen=True, kw_only=True)
class pixel:
    """Pictures as plain pixels, in decorrelated colours: what optimisation gives without a natural prior.

    Args:
        sd: standard deviation of the noise to start from; 0 starts from grey.
        decorrelate: as in `fourier`.

    >>> params, images = pixel(sd=0)(1, 1, 4, 5, generators=[torch.Generator()], device=torch.device("cpu"))
    >>> bool((images() == 0.5).all())
    True
    """

    sd: float = 0.01
    decorrelate: bool = True

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> tuple[list[Tensor], ImageFunction]:
        values = _noise((channels, height, width), self.sd, generators[:count], device)
        return [values], lambda: squash(values, decorrelate=self.decorrelate)


def amplitudes(height: int, width: int, decay: float) -> Float[Tensor, "h f"]:
    """Factor on each coefficient of `rfft2`: 1 / frequency^decay, of the same energy for every decay and size.

    The constant coefficient stands apart: it moves the whole picture, by the same amount at every size.

    >>> amplitudes(4, 6, 1.0).shape
    torch.Size([4, 4])
    """
    rows, cols = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency = (rows**2 + cols**2).sqrt()
    falling = torch.where(frequency > 0, frequency**-decay, 0.0)
    # A coefficient and its mirror image have the variance 2 sd² each. The columns that are their own mirror image (0 and, for
    # an even width, the last) bring a quarter of that: one copy, of which the inverse transform reads the symmetric half.
    columns = torch.arange(width // 2 + 1)
    weights = torch.where((columns == 0) | (2 * columns == width), 1.0, 4.0)
    deviation = ((falling**2 * weights).sum() / (height * width)).sqrt()
    scale = CONTRAST * falling / deviation
    scale[0, 0] = CONSTANT * (height * width) ** 0.5
    return scale


def squash(values: Float[Tensor, "n c h w"], *, decorrelate: bool) -> Float[Tensor, "n c h w"]:
    """Any real values as images in [0, 1], through natural colours where there are three channels."""
    if decorrelate and values.shape[1] == 3:
        values = torch.einsum("oc,nchw->nohw", COLOURS.to(values), values)
    return values.sigmoid()


def _noise(shape: tuple[int, ...], sd: float, generators: Sequence[torch.Generator], device: torch.device) -> Tensor:
    noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).mul_(sd)
    return noise.to(device).requires_grad_()
