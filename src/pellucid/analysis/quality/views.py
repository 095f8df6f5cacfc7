"""Real pictures as a network and its objectives see them, at the size of the optimised pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.quality.natural import Looks
from pellucid.analysis.quality.specific import Specific, Tops, earlier_layer, pooled
from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import capture
from pellucid.models.model import OUTPUT, Model
from pellucid.vis.objectives import IMAGE, Activations, Objective


@dataclass(frozen=True)
class View:
    """What is kept of real pictures of one size.

    Attributes:
        looks: spectrum, colours and clipped pixels of each.
        scores: of each, by the name of the objective.
        tops: by layer, the pictures that excite its objectives most, and then those of its channels.
        places: by the name of the objective, its layer and its column in `tops`; of those that have an earlier layer.
    """

    looks: Looks
    scores: Mapping[str, Float[Tensor, " n"]]
    tops: Mapping[str, Tops]
    places: Mapping[str, tuple[str, int]]

    def layers(self, objective: Objective) -> frozenset[str]:
        """What has to be known of a picture: the objective's layers, and the one in which pictures are compared."""
        place = self.places.get(objective.name)
        return objective.layers | (frozenset() if place is None else {self.tops[place[0]].layer})

    def specific(self, objective: Objective, seen: Activations) -> Specific | None:
        """How near the first picture is to the tops of its unit; None where nothing lies before the unit."""
        if objective.name not in self.places:
            return None
        layer, column = self.places[objective.name]
        tops = self.tops[layer]
        return tops.specific(pooled(seen[tops.layer][:1])[0], column)


class Watcher:
    """Goes through batches of real pictures and ends with a `View` of them."""

    def __init__(self, model: Model, size: tuple[int, int], objectives: Mapping[str, Objective]) -> None:
        self.model, self.size, self.objectives = model, size, objectives
        self.looks: list[Looks] = []
        self.scores: dict[str, list[Tensor]] = {name: [] for name in objectives}
        self.tops: dict[str, Tops] = {}
        self.units: dict[str, list[str]] = {}
        for name, unit in objectives.items():
            if (layer := deepest(model, unit)) is not None:
                self.units.setdefault(layer, []).append(name)
        for layer in list(self.units):
            if (earlier := earlier_layer(model, layer)) is None:
                del self.units[layer]
            else:
                own, others, channels = len(self.units[layer]), model.layer(layer).channels, model.layer(earlier).channels
                self.tops[layer] = Tops(earlier, channels=channels, objectives=own, others=others)
        self.layers = frozenset().union(*(unit.layers for unit in objectives.values()), (tops.layer for tops in self.tops.values()))

    def see(self, images: Float[Tensor, "n c h w"]) -> None:
        """Some more pictures."""
        images = middle(images, self.size)
        self.looks.append(Looks.of(images))
        seen = activations(self.model, images, self.layers)
        for name, unit in self.objectives.items():
            self.scores[name].append(scores(unit, seen, len(images)))
        for layer, tops in self.tops.items():
            own = torch.stack([self.scores[name][-1] for name in self.units[layer]], 1)
            tops.see(torch.cat([own, seen[layer].mean((2, 3)).cpu()], 1), pooled(seen[tops.layer]))

    def view(self) -> View:
        """What was seen so far."""
        places = {name: (layer, column) for layer, names in self.units.items() for column, name in enumerate(names)}
        return View(Looks.joined(self.looks), {name: torch.cat(parts) for name, parts in self.scores.items()}, self.tops, places)


def activations(model: Model, images: Float[Tensor, "n c h w"], layers: Collection[str]) -> Activations:
    """What the layers answer, in full precision, with the pictures themselves as the layer `IMAGE`."""
    named = sorted(set(layers) - {IMAGE})
    maps = capture(model, images.contiguous(memory_format=torch.channels_last), named) if named else {}
    return {IMAGE: images.to(model.device)} | {name: map.float() for name, map in maps.items()}


def scores(objective: Objective, seen: Activations, count: int) -> Float[Tensor, " n"]:
    """The objective of each of so many pictures.

    Raises:
        PellucidError: one is not a number.
    """
    values = objective(seen).float().expand(count).cpu()
    if not values.isfinite().all():
        raise PellucidError(f"{objective} of a picture is not a number; check the weights and the picture")
    return values


def deepest(model: Model, objective: Objective) -> str | None:
    """The last of the layers that an objective reads; None where it reads the picture alone."""
    return max(objective.layers - {IMAGE}, key=[*model.layers, OUTPUT].index, default=None)


def middle(images: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    """The middle of pictures, at their own scale: their details stay as fine as they are.

    Raises:
        UsageError: they are smaller than that.
    """
    height, width = images.shape[2:]
    if height < size[0] or width < size[1]:
        raise UsageError(
            f"images: {height} × {width} px are too small to compare with pictures of {size[0]} × {size[1]} px; "
            "read them at that size"
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return images[:, :, top : top + size[0], left : left + size[1]]
