"""Photographs for the recipes' tests: scenes of the terrarium, whose network is loaded once."""

from __future__ import annotations

from functools import cache

from jaxtyping import Float
from torch import Tensor

from pellucid.arrays import to_image
from pellucid.models import Model, load
from pellucid.terrarium.world import draw


@cache
def network() -> Model:
    return load("terrarium")


@cache
def scene(label: str, index: int = 0) -> Float[Tensor, "3 96 96"]:
    return to_image(draw(index, seed=5, label=label, masks=False).picture)
