"""Changes of what things look like: noise, colour, sharpness, background."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.vis.filters import gaussian_blur
from pellucid.vis.params import CONTRAST, amplitudes, mixing, squash
from pellucid.vis.transforms.transform import check_least, check_range


@dataclass(frozen=True)
class noise:
    """The same normal noise on all pictures.

    Args:
        sd: standard deviation, from 0; the pictures are in [0, 1].

    Raises:
        UsageError: a number out of range.

    >>> noise(0.1)(torch.zeros(2, 3, 4, 5), torch.Generator()).shape
    torch.Size([2, 3, 4, 5])
    """

    sd: float

    def __post_init__(self) -> None:
        check_least(0, sd=self.sd)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        drawn = torch.randn(images.shape[1:], generator=generator) * self.sd
        return images + drawn.to(images)


@dataclass(frozen=True, kw_only=True)
class colour:
    """Random light: brightness and contrast around mid grey, saturation and hue around the axis of greys.

    What comes out may leave [0, 1] a little; clipping it would stop the gradient.

    Args:
        brightness: largest shift of all channels, uniform in both directions.
        contrast: largest change of the contrast as a power of two, uniform in both directions.
        saturation: the same for the distance from grey; only with three channels, like the hue.
        hue: largest turn of the colours around grey in degrees, uniform in both directions.

    Raises:
        UsageError: a number out of range.

    >>> colour(brightness=0, contrast=0)(torch.full((1, 3, 1, 1), 0.25), torch.Generator()).flatten()
    tensor([0.2500, 0.2500, 0.2500])
    """

    brightness: float = 0.1
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 20.0

    def __post_init__(self) -> None:
        check_least(0, brightness=self.brightness, contrast=self.contrast, saturation=self.saturation, hue=self.hue)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        shift, contrast, saturation, turn = (2 * torch.rand(4, generator=generator) - 1).tolist()
        factor, offset = 2 ** (self.contrast * contrast), 0.5 + self.brightness * shift
        if images.shape[1] != 3:
            return (images - 0.5) * factor + offset
        matrix = factor * _around_grey(2 ** (self.saturation * saturation), math.radians(self.hue * turn)).to(images)
        return torch.matmul(matrix, (images - 0.5).flatten(2)).view_as(images) + offset


@dataclass(frozen=True, kw_only=True)
class blur:
    """The pictures blurred by a Gaussian of random width.

    Args:
        sigma: smallest and largest standard deviation in pixels, from 0, uniform.

    Raises:
        UsageError: a number out of range.

    >>> blur(sigma=(1, 1))(torch.eye(3)[None, None], torch.Generator()).shape
    torch.Size([1, 1, 3, 3])
    """

    sigma: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, 0)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        low, high = self.sigma
        return gaussian_blur(images, low + (high - low) * torch.rand((), generator=generator).item())


@dataclass(frozen=True, kw_only=True)
class over_background:
    """Pictures with opacity over a random background, the same for all: what is transparent cannot rely on what is behind.

    Mordvintsev et al. 2018, Differentiable Image Parameterizations, "Semi-transparent patterns".

    Args:
        sd: of the background's colours, from 0: 0 is grey, at 0.6 a third of the pixels are nearer to white or black than to grey.
        decay: amplitudes of the background fall as 1 / frequency^decay; None for one colour everywhere.

    Raises:
        UsageError: a number out of range.

    >>> over_background()(torch.rand(2, 4, 8, 9), torch.Generator()).shape
    torch.Size([2, 3, 8, 9])
    """

    sd: float = 0.6
    decay: float | None = 1.5

    def __post_init__(self) -> None:
        check_least(0, sd=self.sd)

    def __call__(self, images: Float[Tensor, "n d h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        channels, height, width = images.shape[1] - 1, *images.shape[2:]
        return over(images, self.draw(channels, height, width, generator).to(images))

    def draw(self, channels: int, height: int, width: int, generator: torch.Generator) -> Float[Tensor, "1 c h w"]:
        """One random background."""
        mean = CONTRAST * self.sd * torch.randn(channels, 1, 1, generator=generator)
        values = mean.expand(channels, height, width)
        if self.decay is not None:
            scale = amplitudes(height, width, self.decay)[..., None]
            spectrum = self.sd * scale * torch.randn(channels, height, width // 2 + 1, 2, generator=generator)
            values = mean + torch.fft.irfft2(torch.view_as_complex(spectrum), s=(height, width), norm="ortho")
        return squash(values[None], mixing("natural", channels, values.device))


def over(images: Float[Tensor, "n d h w"], background: Float[Tensor, "#n #c #h #w"] | float) -> Float[Tensor, "n c h w"]:
    """Pictures whose last channel is their opacity, over a background or a grey.

    >>> over(torch.tensor([1.0, 1.0, 0.0, 0.5]).reshape(1, 4, 1, 1), 0.5).flatten()
    tensor([0.7500, 0.7500, 0.2500])
    """
    opacity = images[:, -1:]
    return images[:, :-1] * opacity + background * (1 - opacity)


def _around_grey(saturation: float, turn: float) -> Float[Tensor, "3 3"]:
    """The matrix that leaves greys as they are, and turns and stretches what is across them: blue to yellow, green to magenta."""
    axes = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    axes = axes / axes.norm(dim=1, keepdim=True)
    cos, sin = saturation * math.cos(turn), saturation * math.sin(turn)
    return axes.T @ torch.tensor([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ axes
