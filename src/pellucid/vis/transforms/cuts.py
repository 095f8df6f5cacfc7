"""Changes of where things are, by cutting, padding and mirroring."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.vis.transforms.transform import check_least, check_range


@dataclass(frozen=True)
class jitter:
    """A random window that is smaller than the picture by some pixels: a shift by whole pixels, the cheapest transform.

    Args:
        pixels: by how much the result is smaller in height and in width, from 0; every shift is equally likely.

    Raises:
        UsageError: fewer than 0 pixels, or as many as a picture has.

    >>> jitter(8)(torch.rand(2, 3, 32, 40), torch.Generator()).shape
    torch.Size([2, 3, 24, 32])
    """

    pixels: int

    def __post_init__(self) -> None:
        check_least(0, pixels=self.pixels)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        height, width = (side - self.pixels for side in images.shape[2:])
        if min(height, width) < 1:
            raise UsageError(f"jitter({self.pixels}) leaves nothing of a picture of {tuple(images.shape[2:])}: take fewer pixels")
        top, left = torch.randint(self.pixels + 1, (2,), generator=generator).tolist()
        return images[:, :, top : top + height, left : left + width]


@dataclass(frozen=True)
class pad:
    """A border around the pictures.

    Args:
        pixels: width of the border, from 0.
        value: what it is made of, in [0, 1]; None mirrors the picture.

    Raises:
        UsageError: fewer than 0 pixels, or a mirrored border as wide as the picture.

    >>> pad(2)(torch.zeros(1, 1, 1, 1), torch.Generator())[0, 0, 2]
    tensor([0.5000, 0.5000, 0.0000, 0.5000, 0.5000])
    """

    pixels: int
    value: float | None = 0.5

    def __post_init__(self) -> None:
        check_least(0, pixels=self.pixels)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        border = [self.pixels] * 4
        if self.value is not None:
            return F.pad(images, border, value=self.value)
        if self.pixels >= min(images.shape[2:]):
            raise UsageError(f"{self!r} mirrors more than there is of a picture of {tuple(images.shape[2:])}: take fewer pixels")
        return F.pad(images, border, mode="reflect")


@dataclass(frozen=True, kw_only=True)
class crop:
    """A random box of the pictures, resized: the network sees parts of a large picture (Fel et al. 2023, section 3).

    Every place inside is equally likely. (MaCo draws the centre normally around the middle, which leaves the corners pale.)

    Args:
        size: (height, width) of the result.
        scale: smallest and largest side of the box, uniform, in parts of the largest box of this shape that fits, above 0 to 1.

    Raises:
        UsageError: a number out of range.

    >>> crop(size=(24, 16))(torch.rand(2, 3, 128, 128), torch.Generator()).shape
    torch.Size([2, 3, 24, 16])
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.2, 0.25)

    def __post_init__(self) -> None:
        check_least(1, height=self.size[0], width=self.size[1])
        check_range("scale", self.scale, 1e-3)
        if self.scale[1] > 1:
            raise UsageError(f"scale must be at most 1, the whole picture, not {self.scale}")

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        part, down, right = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        part = self.scale[0] + (self.scale[1] - self.scale[0]) * part
        largest = min(have / want for have, want in zip(images.shape[2:], self.size, strict=True))
        height, width = (max(1, round(part * largest * side)) for side in self.size)
        top = int(down * (images.shape[2] - height + 1))
        left = int(right * (images.shape[3] - width + 1))
        box = images[:, :, top : top + height, left : left + width]
        return F.interpolate(box, self.size, mode="bilinear", align_corners=False, antialias=True)


@dataclass(frozen=True, kw_only=True)
class flip:
    """The pictures mirrored left to right, in some of the steps.

    Args:
        probability: of mirroring, from 0 to 1.

    Raises:
        UsageError: a number out of range.

    >>> flip(probability=1)(torch.tensor([[[[1.0, 2.0]]]]), torch.Generator())
    tensor([[[[2., 1.]]]])
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UsageError(f"probability must be from 0 to 1, not {self.probability}")

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
        return images.flip(3) if torch.rand((), generator=generator).item() < self.probability else images
