"""Random changes to the pictures before the network sees them: what survives them is what a unit really looks for.

A `Transform` takes images and one random generator per image, and returns images. Image i reads generators[i] alone, a fixed
number of draws per call on the CPU, so that a picture depends neither on its batch mates nor on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Transform = Callable[[Float[Tensor, "n c h w"], Sequence[torch.Generator]], Float[Tensor, "n c p q"]]


@dataclass(frozen=True, kw_only=True)
class warp:
    """Shift, rotate, scale and crop as one affine resampling, with an own draw for each picture.

    The robustness stack of Olah et al. 2017 (Feature Visualization, "Transformation robustness") in a single pass. What lies
    outside of the picture is mirrored.

    Args:
        jitter: largest shift along each axis in pixels, uniform.
        rotate: largest angle in degrees, uniform in both directions.
        scale: smallest and largest magnification, uniform.
        crop: (height, width) of what comes out, taken around the centre; None keeps the size.

    >>> warp(crop=(24, 16))(torch.rand(2, 3, 32, 32), [torch.Generator(), torch.Generator()]).shape
    torch.Size([2, 3, 24, 16])
    """

    jitter: float = 24
    rotate: float = 20.0
    scale: tuple[float, float] = (0.7, 1.3)
    crop: tuple[int, int] | None = None

    def __call__(self, images: Float[Tensor, "n c h w"], generators: Sequence[torch.Generator]) -> Float[Tensor, "n c p q"]:
        matrices = torch.stack([self.draw(generator) for generator in generators])
        return resample(images, matrices, self.crop or (images.shape[2], images.shape[3]))

    def draw(self, generator: torch.Generator) -> Float[Tensor, "2 3"]:
        """One random matrix as `resample` takes it."""
        turn, size, down, right = torch.rand(4, generator=generator).tolist()
        angle = math.radians(self.rotate * (2 * turn - 1))
        step = 1 / (self.scale[0] + (self.scale[1] - self.scale[0]) * size)
        cos, sin = step * math.cos(angle), step * math.sin(angle)
        return torch.tensor([[cos, -sin, self.jitter * (2 * down - 1)], [sin, cos, self.jitter * (2 * right - 1)]])


def robust(size: tuple[int, int]) -> warp:
    """The standard transform for pictures of a size: 24 px of jitter at 224 px, 20 degrees, 0.7 to 1.3 times.

    >>> robust((224, 224))
    warp(jitter=24, rotate=20.0, scale=(0.7, 1.3), crop=(224, 224))
    """
    return warp(jitter=round(min(size) * 24 / 224), crop=size)


def resample(images: Float[Tensor, "n c h w"], matrices: Float[Tensor, "n 2 3"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    """Bilinear samples of each image under its own affine map, mirrored at the borders.

    Args:
        images: what is read.
        matrices: from the (row, col) offset in pixels from the centre of the result to that from the centre of the image,
            the last column being the shift.
        size: (height, width) of the result.

    >>> image = torch.arange(12.0).reshape(1, 1, 3, 4)
    >>> resample(image, torch.tensor([[[1.0, 0, 0], [0, 1, 1]]]), (1, 2))  # the middle, read one pixel to the right
    tensor([[[[6., 7.]]]])
    """
    height, width = images.shape[2:]
    rows = torch.arange(size[0], device=images.device, dtype=images.dtype) - (size[0] - 1) / 2
    cols = torch.arange(size[1], device=images.device, dtype=images.dtype) - (size[1] - 1) / 2
    by_row, by_col, shift = matrices.to(images)[:, :, :, None, None].unbind(2)
    row, col = (by_row * rows[:, None] + by_col * cols + shift).unbind(1)
    grid = torch.stack([col * (2 / width), row * (2 / height)], -1)  # grid_sample wants (x, y), the picture being [-1, 1]²
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
