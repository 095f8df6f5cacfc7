"""Whose score is attributed: one objective for all pictures, or one for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.objectives import IMAGE, Objective, parse_unit, scores

Target = str | Objective | Sequence[str | Objective]
Score = Callable[[Mapping[str, Tensor], Tensor], Float[Tensor, " n"]]


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
    left, dash, right = text.partition(" - ")
    if dash and ":" in right:
        return parse_unit(left, model) - parse_unit(right, model)
    return parse_unit(text, model)


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
        UsageError: pictures that the model does not take, none of them, another number of targets than of pictures, or a target
            that speaks about several pictures together.
    """
    model.preprocess(images[:1] if isinstance(images, Tensor) and images.ndim == 4 else images)
    single = isinstance(target, str | Objective)
    given = [parse_target(each, model) if isinstance(each, str) else each for each in ([target] if single else target)]
    if not len(images) or len(given) != (1 if single else len(images)):
        raise UsageError(f"target: {len(given)} for {len(images)} images; give one for all of at least one image, or one for each")
    for each in given:
        if each.pictures is not None:
            raise UsageError(f"target: {each} speaks about {each.pictures} pictures together; give the objective of one unit")
        for name in each.layers - {IMAGE}:
            model.layer(name)
    return Targets(tuple(given * len(images) if single else given))
