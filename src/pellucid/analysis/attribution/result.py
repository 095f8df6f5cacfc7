"""What every method of attribution gives back."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.maps import upsample
from pellucid.models.model import Layer


@dataclass(frozen=True)
class Attribution:
    """Where in pictures, or in a layer's answer to them, a target's score comes from; float32 on the CPU.

    Of a unit behind a ReLU that is off in a picture the score is zero, and so are its gradient and every map that is made of it:
    where `scores` and `map` are zero together, nothing is wrong, and there is nothing to see.

    Attributes:
        method: its name in `METHODS`.
        target: whose score, as it is written: one for each picture.
        layer: whose positions and channels are meant; None for the picture's own pixels and colours.
        size: height and width of the pictures.
        scores: of the targets.
        values: what is said of each number of the picture or layer.
        map: what the method makes of them at each position; higher is more.
        base: the score that goes with a map of zeros, for the methods whose maps sum up to the rest of it; None for the others.
    """

    method: str
    target: tuple[str, ...]
    layer: Layer | None
    size: tuple[int, int]
    scores: Float[Tensor, " n"]
    values: Float[Tensor, "n c h w"]
    map: Float[Tensor, "n h w"]
    base: Float[Tensor, " n"] | None = None

    @property
    def channels(self) -> Float[Tensor, "n c"]:
        """What each channel gives, over all positions."""
        return self.values.sum((2, 3))

    def upsampled(self) -> Float[Tensor, "n p q"]:
        """The map at the size of the pictures: as it is, or a layer's bilinear between the centres of what its positions see."""
        return self.map if self.layer is None else upsample(self.map, self.layer, self.size)
