"""Changes of where things are, by resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.vis.transforms.transform import check_least, check_range

# Channels that are resampled together, at most. Each position's weights are computed once for all of them; of more than twelve
# the same pixel no longer fits the processor's cache (16 pictures of 3 × 256 × 256 to 224 × 224, forward and backward: 16 ms; 32 ms
# with all 48 channels together, 22 ms picture by picture).
TOGETHER = 12


@dataclass(frozen=True, kw_only=True)
class warp:
    """Shift, rotate, scale, tilt and crop as one resampling, with one draw for all pictures.

    The robustness stack of Olah et al. 2017 (Feature Visualization, "Transformation robustness") in a single pass. What lies
    outside of the picture is mirrored.

    Args:
        jitter: largest shift along each axis in pixels, uniform.
        rotate: largest angle in degrees, uniform in both directions.
        scale: smallest and largest magnification, above 0, uniform.
        perspective: largest tilt along each axis, uniform, from 0 to below 0.5: what of itself the magnification gains at one
            border and loses at the other.
        crop: (height, width) of what comes out, taken around the centre; None keeps the size.

    Raises:
        UsageError: a number out of range.

    >>> warp(crop=(24, 16))(torch.rand(2, 3, 32, 32), torch.Generator()).shape
    torch.Size([2, 3, 24, 16])
    """

    jitter: float = 24
    rotate: float = 20.0
    scale: tuple[float, float] = (0.7, 1.3)
    perspective: float = 0.0
    crop: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_least(0, jitter=self.jitter, rotate=self.rotate)
        check_range("scale", self.scale, 1e-3)
        if not 0 <= self.perspective < 0.5:
            raise UsageError(f"perspective must be from 0 to below 0.5, not {self.perspective}")

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        size = (images.shape[2], images.shape[3]) if self.crop is None else self.crop
        return resample(images, self.draw(generator, size), size)

    def draw(self, generator: torch.Generator, size: tuple[int, int]) -> Float[Tensor, "3 3"]:
        """One random matrix for results of a size, as `resample` takes it."""
        turn, grow, down, right, nod, shake = torch.rand(6, generator=generator).tolist()
        angle = math.radians(self.rotate * (2 * turn - 1))
        step = 1 / (self.scale[0] + (self.scale[1] - self.scale[0]) * grow)
        cos, sin = step * math.cos(angle), step * math.sin(angle)
        tilts = [self.perspective * (2 * draw - 1) * 2 / side for draw, side in zip((nod, shake), size, strict=True)]
        shifts = [self.jitter * (2 * draw - 1) for draw in (down, right)]
        return torch.tensor([[cos, -sin, shifts[0]], [sin, cos, shifts[1]], [*tilts, 1.0]])


def resample(images: Float[Tensor, "n c h w"], matrix: Float[Tensor, "3 3"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    """Bilinear samples of images under one homography, mirrored at the borders.

    Args:
        images: what is read.
        matrix: from the (row, col, 1) offset in pixels from the centre of the result to that from the centre of the image, up to
            a factor; the last column is the shift.
        size: (height, width) of the result.

    >>> image = torch.arange(12.0).reshape(1, 1, 3, 4)
    >>> resample(image, torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 1]]), (1, 2))  # the middle, read one pixel to the right
    tensor([[[[6., 7.]]]])
    """
    count, channels, height, width = images.shape
    rows = torch.arange(size[0], device=images.device, dtype=images.dtype) - (size[0] - 1) / 2
    cols = torch.arange(size[1], device=images.device, dtype=images.dtype) - (size[1] - 1) / 2
    by_row, by_col, shift = matrix.to(images)[:, :, None, None].unbind(1)
    row, col, depth = by_row * rows[:, None] + by_col * cols + shift
    grid = torch.stack([col * (2 / width), row * (2 / height)], -1) / depth[..., None]  # (x, y), the picture being [-1, 1]²
    together = max(each for each in range(1, TOGETHER + 1) if count * channels % each == 0)
    flat = images.reshape(-1, together, height, width)
    grids = grid.expand(len(flat), -1, -1, -1)
    sampled = F.grid_sample(flat, grids, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.reshape(count, channels, *size)
