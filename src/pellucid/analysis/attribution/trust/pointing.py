"""The pointing game: is the highest place of a map on the thing?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.terrarium.world import Scene

# What of a scene is the thing that its class is named for; of sandbar, beach and lake that is the whole picture.
THINGS: dict[str, tuple[str, ...]] = {
    "fireboat": ("boat", "crane", "funnel"),
    "streetcar": ("streetcar",),
    "house": ("house",),
    "steam locomotive": ("boiler", "cab", "chassis", "cowcatcher", "dome", "chimney", "wheel"),
    "snorkel": ("snorkel", "diver", "mask", "fins"),
    "scuba diver": ("diver", "air tank", "mask", "fins", "snorkel"),
    "cat's head or car front": ("cat", "car"),
    "starfish": ("starfish",),
    "cabbage": ("cabbage",),
    "fish": ("fish",),
    "bicycle": ("frame", "wheel", "handlebar", "saddle", "basket"),
    "lighthouse": ("tower", "lamp"),
    "balloon": ("balloon",),
    "sunflower": ("petals", "heart", "leaf", "stem"),
    "mushroom": ("mushroom",),
}


def main_mask(scene: Scene) -> Bool[np.ndarray, "h w"] | None:
    """Where the thing is that a scene of the terrarium is named for; None where that is the whole picture.

    >>> from pellucid.terrarium import draw
    >>> main_mask(draw(0)), round(float(main_mask(draw(3)).mean()), 2)
    (None, 0.22)
    """
    seen = [scene.masks[part] for part in THINGS.get(scene.label, ()) if part in scene.masks]
    return np.logical_or.reduce(seen) if seen else None


def pointing_game(maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]) -> Bool[Tensor, " n"]:
    """Whether the highest place of each map lies under its mask; a map that is the same everywhere points nowhere.

    Zhang et al. 2016, arXiv:1608.00507, section 4.1, without its margin.

    Args:
        maps: at the size of the pictures, see `Attribution.upsampled`.
        masks: of the thing that is pointed at.

    Raises:
        UsageError: masks of another shape than the maps.

    >>> import torch
    >>> pointing_game(torch.tensor([[[0.0, 2.0], [1.0, 0.0]]]), torch.tensor([[[False, True], [False, False]]]))
    tensor([True])
    """
    if maps.shape != masks.shape:
        raise UsageError(f"masks: shape {tuple(masks.shape)}; maps of {tuple(maps.shape)} want as many, of their size")
    flat = maps.flatten(1)
    hit = masks.flatten(1).gather(1, flat.argmax(1, keepdim=True))[:, 0]
    return hit & (flat.amax(1) > flat.amin(1))
