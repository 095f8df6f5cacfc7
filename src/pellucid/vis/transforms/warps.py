"""Changes of where things are, by resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.kernels import resample
from pellucid.vis.transforms.transform import check_least, check_range


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
