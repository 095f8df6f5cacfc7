"""Whose score is attributed: one objective for all pictures, or one for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.inputs import check_images
from pellucid.errors import UsageError
from pellucid.models.layer_gradients import Score
from pellucid.models.model import Model
from pellucid.vis.objectives import IMAGE, Objective, parse_unit, scores

Target = str | Objective | Sequence[str | Objective]


def parse_target(text: str, model: Model) -> Objective:
    """The objective of a unit, or of the difference of two: `class:fireboat`, `mixed4a:7@2,3`, `class:house - class:lake`.

    Args:
        text: units as `parse_unit` takes them, at most one ` - ` between two; a class may have one in its name.
        model: the network that they belong to.

    Raises:
        NotFoundError: no such layer or class; the message has the nearest names.
        UsageError: it is not written like that, or a channel or position is out of range.

    Example:
        >>> import pellucid.models as models
        >>> parse_target("class:house - class:lake", models.load("terrarium"))
        logit(5) - logit(2)
    """
    first, *rest = re.split(r" ([-+]) (?=[^ ]*:)", text)
    if not rest:
        return parse_unit(first, model)
    if len(rest) > 2 or rest[0] == "+":
        raise UsageError(
            f"target {text!r}: as text there are one unit and the difference of two; add up objectives from Python, as in "
            "pellucid.logit(0) + pellucid.logit(1)"
        )
    return parse_unit(first, model) - parse_unit(rest[1], model)


@dataclass(frozen=True)
class Targets:
    """One objective for each picture.

    Args:
        objectives: in the order of the pictures.
    """

    objectives: tuple[Objective, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """How they are written."""
        return tuple(each.name for each in self.objectives)

    @property
    def layers(self) -> list[str]:
        """What they read, without the picture itself."""
        return sorted(frozenset().union(*(each.layers for each in self.objectives)) - {IMAGE})

    def score(self, which: Sequence[int]) -> Score:
        """From {layer: activations} and images to the scores of these pictures, of which each may come several times."""
        chosen = [self.objectives[index] for index in which]

        def score(maps: Mapping[str, Tensor], images: Tensor) -> Float[Tensor, " n"]:
            seen = {**maps, IMAGE: images}
            if len(set(map(id, chosen))) > 1:
                return scores(chosen, seen)
            one = chosen[0]
            return one({name: seen[name].float() for name in one.layers}).expand(len(images))

        return score


def targets_of(target: Target, model: Model, images: Float[Tensor, "n c h w"]) -> Targets:
    """The targets of pictures, checked with the pictures themselves.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: pictures that the model does not take, none of them, another number of targets than of pictures, something that
            is no target, or one that speaks about several pictures together.
    """
    check_images(model, images)
    written = target if isinstance(target, Sequence) and not isinstance(target, str) else [target]
    given, several = [_objective(each, model) for each in written], written is target
    if not len(images) or len(given) != (len(images) if several else 1):
        raise UsageError(f"target: {len(given)} for {len(images)} images; give one for all of at least one image, or one for each")
    for each in given:
        if each.pictures is not None:
            raise UsageError(f"target: {each} speaks about {each.pictures} pictures together; give the objective of one unit")
        for name in each.layers - {IMAGE}:
            model.layer(name)
    return Targets(tuple(given if several else given * len(images)))


def _objective(given: Any, model: Model) -> Objective:
    if isinstance(given, Objective):
        return given
    if not isinstance(given, str):
        came = shorten(repr(given), 60, placeholder=" …")
        raise UsageError(f"target: {came}; give a unit as text, such as 'class:5', an objective, or one of these for each image")
    return parse_target(given, model)
