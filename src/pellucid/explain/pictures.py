"""The pictures of an explanation: of channels, of groups of neurons, and of every cell of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isqrt

from jaxtyping import Float
from torch import Tensor

from pellucid.atlas.icons import icon_size
from pellucid.explain.channels import Channels, Way
from pellucid.explain.dictionary import Dictionary
from pellucid.explain.grid import ActivationGrid, activation_grid
from pellucid.explain.groups import PictureGroups
from pellucid.explain.icons import Icons
from pellucid.explain.tape import Tape
from pellucid.models import Model

Progress = Callable[[str, int, int], None]  # stage, done, total

SPEAKING = 3  # channels that give most to a class
PIXELS = 1_100_000  # of all pictures of a grid together: 14 × 14 of 72 × 72


@dataclass(frozen=True)
class Pictures:
    """What stands for the numbers.

    Attributes:
        channels: by layer and channel.
        groups: by layer, in the order of its groups.
        grids: by layer.
    """

    channels: Mapping[tuple[str, int], Float[Tensor, "c h w"]]
    groups: Mapping[str, list[Float[Tensor, "c h w"]]]
    grids: Mapping[str, ActivationGrid]


def draw(
    tape: Tape,
    dictionaries: Mapping[str, Dictionary],
    channels: Mapping[tuple[str, Way], Channels],
    groups: Mapping[str, PictureGroups],
    icons: Icons,
    units: int,
    most: int,
    report: Progress,
) -> Pictures:
    """Pictures of the channels that say most or give most to classes, of the groups, and of the cells of each layer.

    Args:
        tape: from `record`.
        dictionaries: by layer.
        channels: by layer and way.
        groups: by layer.
        icons: makes the pictures.
        units: channels of each layer, beside those that give most.
        most: cells a side; fewer where the pictures of a layer have to be large.
        report: called with (stage, done, total).
    """
    made: dict[tuple[str, int], Tensor] = {}
    looks: dict[str, list[Tensor]] = {}
    grids: dict[str, ActivationGrid] = {}
    for layer in tape.layers:
        values = channels[layer, "linear"].values
        giving = values.topk(min(SPEAKING, values.shape[1])).indices.flatten().tolist()
        wanted = list(dict.fromkeys([*giving, *dictionaries[layer].vocabulary(units)]))
        found = icons.of_channels(layer, wanted, progress=partial(report, f"channels of {layer}"))
        made |= {(layer, channel): picture for channel, picture in found.items()}
        looks[layer] = icons.of_directions(layer, groups[layer].directions, progress=partial(report, f"groups of {layer}"))
        fewer = min(most, _affordable(tape.model, layer))
        drawing = partial(report, f"cells of {layer}")
        grids[layer] = activation_grid(tape, layer, groups[layer], looks[layer], icons, most=fewer, progress=drawing)
    return Pictures(made, looks, grids)


def _affordable(model: Model, layer: str) -> int:
    """Cells a side whose pictures have so many pixels together."""
    height, width = icon_size(model, model.layer(layer))
    return max(1, isqrt(PIXELS // (height * width)))
