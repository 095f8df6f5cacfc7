"""Several pictures of one unit, each from one group of the images that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_rate
from pellucid.vis.objectives import Objective, direction
from pellucid.vis.objectives.names import described
from pellucid.vis.recipes.clusters import compare, kmeans
from pellucid.vis.recipes.facets import Facets, Work, at_least, stacked
from pellucid.vis.recipes.measures import answers, gained, pooled, reasons, windows
from pellucid.vis.recipes.photos import Progress, part
from pellucid.vis.rendering import Rendering

LEAN = 0.1  # strength of a group's direction: up to a tenth of a class's answer is lost, a fifth at half the learning rate
SHARE = 0.5  # of the best image's answer
MEAN_OF = 15  # images nearest to a group's centre, whose mean is started from: Nguyen et al. 2016, section 3
SLOWER = 0.5  # of the natural learning rate: at the full one a start is soon forgotten


def clustered(
    model: Model,
    unit: str | Objective,
    images: Float[Tensor, "n c h w"],
    count: int = 4,
    *,
    share: float = SHARE,
    strength: float = LEAN,
    layer: str | None = None,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Facets:
    """Pictures of a unit, each started from the mean of one group of the images that excite it.

    Nguyen et al. 2016, arXiv:1602.03616. Of each image counts the window of the picture's size that the unit answers most
    to. The windows are grouped by what in `layer` speaks for the unit, so that what only happens to be in an image does not
    count. As a start alone is soon forgotten, each picture also leans towards its group, as in `intra_class`, and a method
    without learning rates gets half of the natural ones.

    Args:
        model: the network.
        unit: as text, or an objective about single pictures.
        images: where to look for what excites the unit, in [0, 1], not smaller than the picture.
        count: groups and pictures, 2 or more.
        share: images count to which the unit answers at least this share of what it answers to the best one, above noise.
        strength: of a group's direction against the unit, as in `intra_class`; 0 for the start alone.
        layer: where the images are grouped and the pictures compared; None for `facet_layer`.
        size: height and width; None for `natural_size`.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the groups and of the noise, from 0.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: too few or too small images, a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> facets = clustered(models.load("terrarium"), "mixed3a:5", torch.rand(6, 3, 96, 96), 2, steps=4)
        >>> len(facets.renderings), len(facets.clusters.groups)
        (2, 6)
    """
    work, total = Work.of(model, unit, layer, size, steps, method), (1 + at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    cut = windows(images, work.size)
    scores, best = torch.stack([answers(model, work.objective, each) for each in cut]).max(0)
    if not scores.max() > single.history[0]:
        raise UsageError(f"images: the unit {work.objective} answers to none of the {len(images)} more than to noise; give others")
    chosen = scores - single.history[0] >= share * (scores.max() - single.history[0])
    shown = torch.stack([cut[best[index]][index] for index in chosen.nonzero()[:, 0].tolist()])
    rows = reasons(model, work.objective, work.layer, shown)
    groups, centres = kmeans(rows, count, seed=seed)
    nearest = [torch.cdist(centre[None], rows[groups == k])[0].argsort()[:MEAN_OF] for k, centre in enumerate(centres)]
    starts = [shown[groups == k][each].mean(0) for k, each in enumerate(nearest)]
    leaning, heard = _leaning(work, single, pooled(model, work.layer, shown), groups, strength), part(progress, steps, total)
    renderings = _slower(work).make(leaning, [seed] * count, starts, progress=heard)
    made = reasons(model, work.objective, work.layer, stacked(renderings))
    found = compare(rows, groups, made, chosen, seed=seed)
    return work.facets(_noted(renderings, "clustered", images, share=share, strength=strength), single, found)


def intra_class(
    model: Model,
    unit: str | Objective,
    images: Float[Tensor, "n c h w"],
    count: int = 4,
    *,
    strength: float = LEAN,
    layer: str | None = None,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Facets:
    """Pictures of a class, each leaning towards one group of its images (after Wei et al. 2015, arXiv:1507.02379).

    The images' mean activations are grouped; each picture maximises the class and, along with it, the direction from the mean
    of all images to the centre of one group.

    Args:
        model: the network.
        unit: as text, or an objective about single pictures.
        images: of the class, all of which count, in [0, 1].
        count: groups and pictures, 2 or more.
        strength: of a group's direction against the class: 1 weighs the way to the group's centre as much as all that the single
            optimum gains over noise.
        layer: where the images are grouped and the pictures compared; None for `facet_layer`.
        size: height and width; None for `natural_size`.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the groups and of the noise, from 0.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: fewer different images than groups, a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> facets = intra_class(models.load("terrarium"), "class:fish", torch.rand(6, 3, 96, 96), 2, steps=4)
        >>> len(facets.renderings), facets.layer
        (2, 'mixed4a')
    """
    work, total = Work.of(model, unit, layer, size, steps, method), (1 + at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    rows = pooled(model, work.layer, images)
    groups, _ = kmeans(rows, count, seed=seed)
    leaning = _leaning(work, single, rows, groups, strength)
    renderings = work.make(leaning, [seed] * count, progress=part(progress, steps, total))
    made = pooled(model, work.layer, stacked(renderings))
    found = compare(normalize(rows, dim=1), groups, normalize(made, dim=1), torch.ones(len(images), dtype=torch.bool), seed=seed)
    return work.facets(_noted(renderings, "intra_class", images, strength=strength), single, found)


def _leaning(
    work: Work, single: Rendering, rows: Float[Tensor, "n c"], groups: Int[Tensor, " n"], strength: float
) -> list[Objective]:
    """The unit, in units of what it gains, and along with it the way from the mean of all rows to that of each group."""
    ways = [rows[groups == group].mean(0) - rows.mean(0) for group in groups.unique()]
    scaled = 1 / gained(single) * work.objective
    return [scaled + strength / float(way.norm()) * direction(work.layer, way) for way in ways]


def _slower(work: Work) -> Work:
    """The same at half the learning rate, where the method leaves it open."""
    if work.method.learning_rate is not None:
        return work
    first, last = natural_rate(work.steps)
    return replace(work, method=replace(work.method, learning_rate=(SLOWER * first, SLOWER * last)))


def _noted(renderings: Sequence[Rendering], name: str, images: Tensor, **settings: float) -> tuple[Rendering, ...]:
    """The renderings with the recipe among what made them."""
    recipe = {"name": name, "images": described(images), "groups": len(renderings), **settings}
    return tuple(replace(each, settings=each.settings | {"recipe": recipe}) for each in renderings)
