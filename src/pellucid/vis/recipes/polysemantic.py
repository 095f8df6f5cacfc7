"""Units with several meanings: those that clearly separate groups of images excite for different reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import OUTPUT, Model
from pellucid.vis.methods import Method
from pellucid.vis.objectives import Objective, channel, logit
from pellucid.vis.recipes.clusters import kmeans, silhouette
from pellucid.vis.recipes.facets import Facets
from pellucid.vis.recipes.grouped import clustered
from pellucid.vis.recipes.measures import pooled, reasons, windows
from pellucid.vis.recipes.suited import facet_layer
from pellucid.vis.render import natural_size

SMALLEST = 0.15  # of the top examples, in each group: one or two odd images are no meaning


@dataclass(frozen=True)
class Split:
    """A unit's top examples in groups.

    Attributes:
        unit: which channel of the layer, or which class.
        silhouette: how clearly the groups part, from -1 to 1.
        groups: the examples of each, as places among the images; the largest group first.
    """

    unit: int
    silhouette: float
    groups: tuple[tuple[int, ...], ...]

    @property
    def balance(self) -> float:
        """The share of the smallest group."""
        sizes = [len(group) for group in self.groups]
        return min(sizes) / sum(sizes)


@dataclass(frozen=True)
class Meanings:
    """A unit with several meanings, and a picture of each."""

    split: Split
    facets: Facets

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        split = self.split
        return {"unit": split.unit, "silhouette": split.silhouette, "groups": [list(group) for group in split.groups]} | {
            "facets": self.facets.facts()
        }


def splits(
    model: Model,
    layer: str,
    images: Float[Tensor, "n c h w"],
    *,
    units: Sequence[int] | None = None,
    groups: int = 2,
    top: int = 20,
    seed: int = 0,
) -> list[Split]:
    """The top examples of each unit of a layer, grouped by what speaks for the unit in them; the clearest groups come first.

    Args:
        model: the network.
        layer: of the model; `"logits"` for its classes.
        images: to find examples among, in [0, 1], not smaller than the units' pictures.
        units: which channels or classes; None for all.
        groups: of each unit's examples, 2 or more.
        top: examples of each unit, more than `groups`.
        seed: of the groups.

    Raises:
        NotFoundError: no such layer.
        UsageError: too few or too small images, or no such unit.

    Example:
        >>> import pellucid.models as models
        >>> found = splits(models.load("terrarium"), "logits", torch.rand(8, 3, 96, 96), units=[9], top=6)
        >>> found[0].unit, sum(map(len, found[0].groups))
        (9, 6)
    """
    channels = model.layer(layer).channels
    chosen = range(channels) if units is None else units
    if any(not 0 <= unit < channels for unit in chosen):
        raise UsageError(
            f"units: layer {layer!r} has 0 to {channels - 1}, not {[each for each in chosen if not 0 <= each < channels]}"
        )
    if not 2 <= groups < top <= len(images):
        raise UsageError(f"2 groups or more, top above that, and as many images are wanted, not {groups}, {top} and {len(images)}")
    cut = windows(images, natural_size(model, _unit(layer, 0)))
    scores, best = torch.stack([pooled(model, layer, each) for each in cut]).max(0)
    found = []
    for unit in chosen:
        places = scores[:, unit].argsort(descending=True, stable=True)[:top]
        shown = torch.stack([cut[best[place, unit]][place] for place in places.tolist()])
        found.append(_split(model, layer, unit, shown, places, groups, seed))
    return sorted((each for each in found if each is not None), key=lambda split: -split.silhouette)


def polysemantic(
    model: Model,
    layer: str,
    images: Float[Tensor, "n c h w"],
    *,
    units: Sequence[int] | None = None,
    groups: int = 2,
    top: int = 20,
    least: float = 0.3,
    most: int = 8,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
) -> list[Meanings]:
    """The units of a layer with several meanings, each with one picture for each meaning; the clearest come first.

    Args:
        model: the network.
        layer: of the model; `"logits"` for its classes.
        images: to find examples among, in [0, 1], not smaller than the units' pictures.
        units: which channels or classes; None for all.
        groups: of each unit's examples, 2 or more.
        top: examples of each unit.
        least: silhouette from which groups are clear.
        most: units that are shown, at most.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the groups and of the noise, from 0.

    Raises:
        NotFoundError: no such layer.
        UsageError: too few or too small images, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> images = torch.rand(8, 3, 96, 96)
        >>> polysemantic(models.load("terrarium"), "logits", images, units=[9], top=6, least=1.0)
        []
    """
    found = splits(model, layer, images, units=units, groups=groups, top=top, seed=seed)
    clear = [split for split in found if split.silhouette >= least and split.balance >= SMALLEST][:most]
    return [Meanings(split, _pictured(model, layer, images, split, steps, method, seed)) for split in clear]


def _split(
    model: Model, layer: str, unit: int, shown: Float[Tensor, "n c h w"], places: Int[Tensor, " n"], count: int, seed: int
) -> Split | None:
    """The groups of a unit's top examples; None where they have no reasons to be grouped by."""
    objective = _unit(layer, unit)
    rows = reasons(model, objective, facet_layer(model, objective), shown)
    if len(rows.unique(dim=0)) < count:
        return None
    groups, _ = kmeans(rows, count, seed=seed)
    members = tuple(tuple(places[groups == group].tolist()) for group in range(count))
    return Split(unit, silhouette(rows, groups), members)


def _pictured(model: Model, layer: str, images: Tensor, split: Split, steps: int, method: Method | None, seed: int) -> Facets:
    examples = images[sorted(place for group in split.groups for place in group)]
    # of the unit's best examples all count, whatever the share
    return clustered(model, _unit(layer, split.unit), examples, len(split.groups), share=0, steps=steps, method=method, seed=seed)


def _unit(layer: str, index: int) -> Objective:
    return logit(index) if layer == OUTPUT else channel(layer, index)
