"""The attributions of one picture by several methods, and what each of them is worth there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution import METHODS, Attribution, attribute
from pellucid.analysis.attribution.trust import Checks, checks, deletion, insertion
from pellucid.errors import NotFoundError, UsageError
from pellucid.explain.pictures import Progress
from pellucid.models import Model
from pellucid.vis.objectives import logit, probability

USUAL = ("grad-cam", "cam", "integrated-gradients", "saliency", "guided")  # where nobody says


@dataclass(frozen=True)
class MethodMaps:
    """One method's maps of a picture.

    Attributes:
        name: in `METHODS`.
        attribution: one map for each class; a single one of a method that knows no classes.
        checks: of the first class's map; None where none were wanted.
    """

    name: str
    attribution: Attribution
    checks: Checks | None


@dataclass(frozen=True)
class Maps:
    """What several methods say of a picture.

    Attributes:
        methods: in the order in which they were asked for.
        unfit: methods that are not for this network, and why.
        blind: the areas of deletion and of insertion of a random map, to compare with; None without checks.
    """

    methods: tuple[MethodMaps, ...]
    unfit: tuple[tuple[str, str], ...]
    blind: tuple[float, float] | None


def method_maps(
    model: Model,
    image: Float[Tensor, "c h w"],
    classes: Sequence[int],
    methods: Sequence[str] | None = None,
    *,
    check: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Maps:
    """The maps of a picture for some classes by several methods, with checks where they are wanted.

    Args:
        model: from `load`; left as it was.
        image: in [0, 1].
        classes: indices; checks are of the first, and follow its probability.
        methods: names out of `METHODS`; None for the usual ones as far as they are for this network.
        check: whether deletion, insertion, randomisation, stability and completeness are measured too.
        seed: of the random map.
        progress: called with (stage, done, total).

    Raises:
        NotFoundError: no such method.
        UsageError: a method that was asked for is not for this network.

    Example:
        >>> import pellucid.models as models
        >>> found = method_maps(models.load("terrarium"), torch.rand(3, 96, 96), [3, 5], ["cam", "saliency"])
        >>> [(each.name, tuple(each.attribution.map.shape)) for each in found.methods]
        [('cam', (2, 12, 12)), ('saliency', (2, 96, 96))]
    """
    known_methods(methods)
    names, made, unfit = USUAL if methods is None else tuple(dict.fromkeys(methods)), [], []
    for done, name in enumerate(names):
        if progress is not None:
            progress("methods", done, len(names))
        try:
            made.append(_maps(model, image, classes, name, check))
        except UsageError as error:
            if methods is not None:
                raise
            unfit.append((name, str(error)))
    if progress is not None:
        progress("methods", len(names), len(names))
    return Maps(tuple(made), tuple(unfit), _blind(model, image, classes[0], seed) if check else None)


def known_methods(methods: Sequence[str] | None) -> None:
    """Refuse names that are none, before anything is computed.

    Raises:
        NotFoundError: no such method.

    >>> known_methods(["cam", "grad-cam"])
    """
    for name in () if methods is None else methods:
        if name not in METHODS:
            raise NotFoundError("method", name, METHODS)


def _maps(model: Model, image: Tensor, classes: Sequence[int], name: str, check: bool) -> MethodMaps:
    first = logit(classes[0])
    checked = checks(model, image[None], first, method=name, outcome=probability(classes[0])) if check else None
    asked = [logit(each) for each in classes] if METHODS[name].by_target else [first]
    return MethodMaps(name, attribute(model, image.expand(len(asked), -1, -1, -1), asked, method=name), checked)


def _blind(model: Model, image: Tensor, index: int, seed: int) -> tuple[float, float]:
    map = torch.rand(1, *image.shape[1:], generator=torch.Generator().manual_seed(seed))
    removed, given = (curve(model, image[None], probability(index), map).area for curve in (deletion, insertion))
    return float(removed), float(given)
