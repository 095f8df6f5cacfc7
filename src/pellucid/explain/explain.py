"""Everything about one picture: why the network said so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.cells import MOST
from pellucid.explain.channels import Channels, Way, channel_attribution
from pellucid.explain.dictionary import Dictionary, dictionary
from pellucid.explain.factors import Factors, class_factors
from pellucid.explain.flow import Flow, group_flow
from pellucid.explain.groups import PictureGroups, neuron_groups
from pellucid.explain.icons import Icons
from pellucid.explain.pictures import Pictures, Progress, draw
from pellucid.explain.spatial import between_layers, class_maps, to_classes
from pellucid.explain.tape import Tape, record
from pellucid.models import Model
from pellucid.models.memory import memory_kept
from pellucid.models.spanning import spanning_layers
from pellucid.vis.objectives import IMAGE

Made = TypeVar("Made")

WAYS: tuple[Way, ...] = ("linear", "path", "stochastic")
LAYERS, CLASSES, STEPS = 3, 5, 25  # that many where nobody says; points of a path


@dataclass(frozen=True)
class Explanation:
    """What a network did with one picture.

    Attributes:
        image: in [0, 1].
        layers: in the network's order.
        classes: indices of those that are explained.
        logits: of all classes.
        activations: what each layer answered.
        maps: under `IMAGE` and each layer, what every position gives to the classes.
        dictionaries: by layer.
        between: from (source, target), see `between_layers`.
        to_classes: by layer, what each cell gives to every class.
        channels: by layer and way.
        groups: by layer.
        flows: from each layer to the next.
        factors: of what speaks for all classes; None where nothing speaks for any.
        pictures: None where none were wanted.
    """

    image: Float[Tensor, "c h w"]
    layers: tuple[str, ...]
    classes: tuple[int, ...]
    logits: Float[Tensor, " k"]
    activations: Mapping[str, Float[Tensor, "_ _ _"]]
    maps: Mapping[str, Float[Tensor, "m _ _"]]
    dictionaries: Mapping[str, Dictionary]
    between: Mapping[tuple[str, str], Float[Tensor, "_ _ _ _"]]
    to_classes: Mapping[str, Float[Tensor, "k _ _"]]
    channels: Mapping[tuple[str, Way], Channels]
    groups: Mapping[str, PictureGroups]
    flows: tuple[Flow, ...]
    factors: Factors | None
    pictures: Pictures | None


def explain(
    model: Model,
    image: Float[Tensor, "c h w"],
    *,
    layers: Sequence[str] | None = None,
    classes: Sequence[str | int] | None = None,
    groups: int = 6,
    units: int = 32,
    most: int = MOST,
    icons: Icons | None = None,
    pictures: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Explanation:
    """Everything that the building blocks say about one picture.

    Olah et al. 2018, "The Building Blocks of Interpretability", Distill.

    Args:
        model: from `load`; left as it was, also after an exception.
        image: in [0, 1].
        layers: names out of `model.layers`; None for the three deepest of those that span the network.
        classes: names or numbers; None for the five with the highest logits.
        groups: of neurons in each layer.
        units: channels of each layer that get a picture, beside those that give most to the classes.
        most: cells a side, where positions are taken together.
        icons: makes the pictures, and knows some already; None for new ones.
        pictures: whether there are any.
        seed: of groups, random paths and pictures.
        progress: called with (stage, done, total).

    Raises:
        NotFoundError: no such layer or class.
        MissingExtraError: scikit-learn is not installed.
        UsageError: a number out of range, or no picture of the model's channels.
        PellucidError: the network gives no scores, or cannot be differentiated.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> found = explain(models.load("terrarium"), torch.rand(3, 96, 96), layers=["mixed4a", "mixed4b"], pictures=False)
        >>> found.layers, len(found.classes), found.groups["mixed4b"].effects.shape
        (('mixed4a', 'mixed4b'), 5, torch.Size([6, 5]))
    """
    if min(groups, most) < 1 or units < 0:
        raise UsageError(f"groups={groups}, most={most}, units={units}: 1 or more groups and cells are wanted, 0 or more units")
    report: Progress = (lambda stage, done, total: None) if progress is None else progress
    with memory_kept():
        tape = record(model, image, spanning_layers(model, LAYERS) if layers is None else layers)
        best = tape.logits.argsort(descending=True, stable=True)[:CLASSES].tolist()
        chosen = tuple(best if classes is None else dict.fromkeys(model.class_index(each) for each in classes))
        found = _numbers(tape, chosen, groups, most, seed, report)
        if not pictures:
            return found
        makes = Icons(model, seed=seed) if icons is None else icons
        return replace(found, pictures=draw(tape, found.dictionaries, found.channels, found.groups, makes, units, most, report))


def _numbers(tape: Tape, classes: tuple[int, ...], groups: int, most: int, seed: int, report: Progress) -> Explanation:
    def each(stage: str, work: Callable[[str], Made]) -> dict[str, Made]:
        made = {}
        for done, layer in enumerate(tape.layers):
            report(stage, done, len(tape.layers))
            made[layer] = work(layer)
        report(stage, len(tape.layers), len(tape.layers))
        return made

    channels: dict[tuple[str, Way], Channels] = {}
    for way in WAYS:
        work = partial(channel_attribution, tape, classes=classes, way=way, steps=STEPS, seed=seed)
        channels |= {(layer, way): made for layer, made in each(f"channels, {way}", work).items()}
    attributions = each("classes", lambda layer: to_classes(tape, layer, most=most))
    apart = each("groups", lambda layer: neuron_groups(tape, layer, classes, groups, seed=seed))
    return Explanation(
        image=tape.image,
        layers=tape.layers,
        classes=classes,
        logits=tape.logits,
        activations={layer: tape.maps[layer] for layer in tape.layers},
        maps=class_maps(tape, classes, [IMAGE, *tape.layers]),
        dictionaries={layer: dictionary(tape, layer, most=most) for layer in tape.layers},
        between=between_layers(tape, most=most, progress=lambda done, total: report("places", done, total)),
        to_classes=attributions,
        channels=channels,
        groups=apart,
        flows=tuple(group_flow(tape, apart[early], apart[late]) for early, late in pairwise(tape.layers)),
        factors=class_factors(attributions, seed=seed) if any((part > 0).any() for part in attributions.values()) else None,
        pictures=None,
    )
