"""How much of an objective is left when a picture is changed in ways that the standard transforms do not train against."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pellucid.arrays import resized, to_image, to_picture
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.transforms import resample

Change = Callable[[Float[Tensor, "c h w"]], Float[Tensor, "c h w"]]
ANGLE = 25  # degrees; the standard transforms turn by 20 at most
QUALITY = 30  # of the JPEG


@dataclass(frozen=True)
class Robust:
    """The share of an objective that held-out changes of the picture leave.

    Counted from the typical real picture, so that 0 is lost and 1 is all kept. Empty, and `kept` None, where the picture itself
    does not reach beyond the typical one.

    Attributes:
        kept: mean over the changes, each between 0 and 1.
        each: by change; above 1 where it raises the objective, below 0 where less is left than in the typical picture.
    """

    kept: float | None
    each: dict[str, float]

    @classmethod
    def of(cls, score: float, typical: float, changed: Mapping[str, float]) -> Robust:
        """From the scores of the picture, of the typical real one and of the changed picture."""
        if not score > typical:
            return cls(None, {})
        each = {name: (value - typical) / (score - typical) for name, value in changed.items()}
        return cls(sum(min(max(value, 0.0), 1.0) for value in each.values()) / len(each), each)

    def __str__(self) -> str:
        if self.kept is None:
            return "there is nothing to keep"
        least = min(self.each, key=self.each.__getitem__)
        return f"{self.kept:.0%} of the objective is left by held-out changes, {self.each[least]:.0%} by {least.replace('_', ' ')}"


def changes(picture: Float[Tensor, "c h w"], *, placed: bool = False) -> dict[str, Float[Tensor, "c h w"]]:
    """A picture in [0, 1] changed in seven ways that are always the same.

    Args:
        picture: of any size and number of channels.
        placed: whether the objective reads a fixed place; then flip and rotation, which move things, are left out.

    >>> list(changes(torch.rand(3, 16, 24)))
    ['blur', 'jpeg', 'half_size', 'grey', 'flip', 'half_contrast', 'rotation']
    """
    moving = {"flip", "rotation"} if placed else set()
    pointless = {"grey"} if picture.shape[0] == 1 else set()
    return {name: change(picture) for name, change in CHANGES.items() if name not in moving | pointless}


def _jpeg(picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Compressed and read again; what is neither grey nor RGB, channel by channel."""
    if picture.shape[0] not in (1, 3):
        return torch.cat([_jpeg(channel) for channel in picture.split(1)])
    with io.BytesIO() as file:
        to_picture(picture).save(file, format="JPEG", quality=QUALITY)
        return to_image(Image.open(file), picture.shape[0])


def _half_size(picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    height, width = picture.shape[1:]
    return resized(resized(picture, (math.ceil(height / 2), math.ceil(width / 2))), (height, width))


def _rotated(picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    cos, sin = math.cos(math.radians(ANGLE)), math.sin(math.radians(ANGLE))
    turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return resample(picture[None], turn, (picture.shape[1], picture.shape[2]))[0]


CHANGES: Mapping[str, Change] = {
    "blur": lambda picture: gaussian_blur(picture[None], 1.5)[0],
    "jpeg": _jpeg,
    "half_size": _half_size,
    "grey": lambda picture: picture.mean(0, keepdim=True).expand_as(picture),
    "flip": lambda picture: picture.flip(2),
    "half_contrast": lambda picture: picture.mean((1, 2), keepdim=True).lerp(picture, 0.5),
    "rotation": _rotated,
}
