"""Several pictures of one unit, which show its facets: from different noise, by wanting to differ, or from groups of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_rate
from pellucid.vis.objectives import Activations, Objective, direction
from pellucid.vis.objectives.algebra import compose
from pellucid.vis.objectives.names import described
from pellucid.vis.recipes.clusters import Clusters, compare, kmeans
from pellucid.vis.recipes.measures import answers, between, gained, likeness, one, pooled, reasons, sensitivities, windows
from pellucid.vis.recipes.photos import Progress, part
from pellucid.vis.recipes.suited import facet_layer, last_layer, shared_size
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

DIFFER = 0.05  # strength of diversity: mostly less than a tenth of the unit's answer is lost
NEAR = 1e-3  # a distance that is not told from none
LEAN = 0.1  # strength of a group's direction: up to a tenth of a class's answer is lost, a fifth at half the learning rate
SHARE = 0.5  # of the best image's answer
MEAN_OF = 15  # images nearest to a group's centre, whose mean is started from: Nguyen et al. 2016, section 3
SLOWER = 0.5  # of the natural learning rate: at the full one a start is soon forgotten


@dataclass(frozen=True)
class Facets:
    """Several pictures of one unit.

    Attributes:
        renderings: the pictures.
        scores: what the unit alone answers to each.
        single: the plain optimum, from the first picture's noise.
        layer: where the pictures are compared.
        similarity: cosines between the pictures' Gram matrices of that layer.
        clusters: the groups of images that they were made from.
    """

    renderings: tuple[Rendering, ...]
    scores: tuple[float, ...]
    single: Rendering
    layer: str
    similarity: tuple[tuple[float, ...], ...]
    clusters: Clusters | None = None

    @property
    def likeness(self) -> float:
        """The mean similarity of two of the pictures."""
        return between(torch.tensor(self.similarity))

    @property
    def loss(self) -> float:
        """How much less the unit answers to the pictures than to the single optimum, as a share of what that gained over noise."""
        return (self.single.score - sum(self.scores) / len(self.scores)) / gained(self.single)

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "unit": self.single.objective,
            "single": self.single.score,
            "scores": list(self.scores),
            "loss": self.loss,
            "layer": self.layer,
            "similarity": [list(row) for row in self.similarity],
            "likeness": self.likeness,
            "clusters": None if self.clusters is None else asdict(self.clusters),
        }


def restarts(
    model: Model,
    unit: str | Objective,
    count: int = 4,
    *,
    layer: str | None = None,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Facets:
    """Pictures of a unit that differ only in the noise they began with.

    Args:
        model: the network.
        unit: as text, or an objective about single pictures.
        count: pictures, 1 or more.
        layer: where they are compared; None for `last_layer`, as in `diverse`.
        size: height and width; None for `natural_size`.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the first picture's noise, from 0; the others take those that follow.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> facets = restarts(models.load("terrarium"), "mixed3a:5", 2, steps=4)
        >>> len(facets.renderings), facets.layer, facets.loss < 1
        (2, 'conv2', True)
    """
    work = _Work.of(model, unit, layer, size, steps, method, suited=last_layer)
    seeds = range(seed, seed + _at_least(1, count))
    renderings = work.make([work.objective] * count, list(seeds), progress=progress)
    return work.facets(renderings, renderings[0])


def diverse(
    model: Model,
    unit: str | Objective,
    count: int = 4,
    *,
    strength: float = DIFFER,
    layer: str | None = None,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Facets:
    """Pictures of a unit that are made together and want to differ (Olah et al. 2017, Feature Visualization, "Diversity").

    Each maximises what the unit gains over noise, times a power of how far it is from the others. So a picture becomes different
    only as far as it shows the unit, whatever the unit's scale. Pictures are apart where other channels speak for the unit (their
    mean activations times what the unit rises with each), unlike in Gram matrices, where the background counts as much as the unit.

    Args:
        model: the network.
        unit: as text, or an objective about single pictures.
        count: pictures, 2 or more.
        strength: the power, above 0: being 1 % farther from the others is worth this many percent of what the unit gains.
        layer: where they are to differ; None for `last_layer`.
        size: height and width; None for `natural_size`.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the noise, from 0.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> facets = diverse(models.load("terrarium"), "mixed3a:5", 2, steps=4)
        >>> len(facets.renderings), len(facets.similarity)
        (2, 2)
    """
    if not strength > 0:
        raise UsageError(f"strength must be above 0, not {strength}")
    work = _Work.of(model, unit, layer, size, steps, method, suited=last_layer)
    total = (1 + _at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    speaks = sensitivities(model, work.objective, work.layer, single.image[None])
    together = _times(work.objective, single, distance(work.layer, speaks, pictures=count), strength)
    return work.facets(work.make([together], [seed], progress=part(progress, steps, total)), single)


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
    work, total = _Work.of(model, unit, layer, size, steps, method), (1 + _at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    cut = windows(images, work.size)
    scores, best = torch.stack([answers(model, work.objective, each) for each in cut]).max(0)
    chosen = scores - single.history[0] >= share * (scores.max() - single.history[0])
    shown = torch.stack([cut[best[index]][index] for index in chosen.nonzero()[:, 0].tolist()])
    rows = reasons(model, work.objective, work.layer, shown)
    groups, centres = kmeans(rows, count, seed=seed)
    nearest = [torch.cdist(centre[None], rows[groups == k])[0].argsort()[:MEAN_OF] for k, centre in enumerate(centres)]
    starts = [shown[groups == k][each].mean(0) for k, each in enumerate(nearest)]
    leaning, heard = work.leaning(single, pooled(model, work.layer, shown), groups, strength), part(progress, steps, total)
    renderings = work.slower().make(leaning, [seed] * count, starts, progress=heard)
    made = reasons(model, work.objective, work.layer, _pictures(renderings))
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
    work, total = _Work.of(model, unit, layer, size, steps, method), (1 + _at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    rows = pooled(model, work.layer, images)
    groups, _ = kmeans(rows, count, seed=seed)
    leaning = work.leaning(single, rows, groups, strength)
    renderings = work.make(leaning, [seed] * count, progress=part(progress, steps, total))
    made = pooled(model, work.layer, _pictures(renderings))
    found = compare(normalize(rows, dim=1), groups, normalize(made, dim=1), torch.ones(len(images), dtype=torch.bool), seed=seed)
    return work.facets(_noted(renderings, "intra_class", images, strength=strength), single, found)


@dataclass(frozen=True)
class _Work:
    """A unit, and how its pictures are made and compared."""

    model: Model
    objective: Objective
    layer: str
    size: tuple[int, int]
    steps: int
    method: Method

    @classmethod
    def of(
        cls,
        model: Model,
        unit: str | Objective,
        layer: str | None,
        size: int | tuple[int, int] | None,
        steps: int,
        method: Method | None,
        *,
        suited: Callable[[Model, Objective], str] = facet_layer,
    ) -> _Work:
        objective = one(unit, model)
        where = suited(model, objective) if layer is None else model.layer(layer).name
        return cls(model, objective, where, shared_size(model, [objective], size), steps, Method() if method is None else method)

    def slower(self) -> _Work:
        """The same at half the learning rate, where the method leaves it open."""
        if self.method.learning_rate is not None:
            return self
        first, last = natural_rate(self.steps)
        return replace(self, method=replace(self.method, learning_rate=(SLOWER * first, SLOWER * last)))

    def leaning(self, single: Rendering, rows: Float[Tensor, "n c"], groups: Int[Tensor, " n"], strength: float) -> list[Objective]:
        """The unit, in units of what it gains, and along with it the way from the mean of all rows to that of each group."""
        ways = [rows[groups == group].mean(0) - rows.mean(0) for group in groups.unique()]
        scaled = 1 / gained(single) * self.objective
        return [scaled + strength / float(way.norm()) * direction(self.layer, way) for way in ways]

    def make(
        self,
        objectives: Sequence[Objective],
        seeds: Sequence[int],
        starts: Sequence[Tensor] | None = None,
        *,
        progress: Progress | None,
    ) -> tuple[Rendering, ...]:
        settings = {"size": self.size, "steps": self.steps, "method": self.method}
        return tuple(render(self.model, objectives, seeds=seeds, start=starts, progress=progress, **settings))

    def facets(self, renderings: tuple[Rendering, ...], single: Rendering, clusters: Clusters | None = None) -> Facets:
        pictures = _pictures(renderings)
        similarity = likeness(self.model, self.layer, pictures)
        scores = answers(self.model, self.objective, pictures)
        rows = tuple(tuple(row) for row in similarity.tolist())
        return Facets(renderings, tuple(scores.tolist()), single, self.layer, rows, clusters)


def distance(layer: str, weights: Float[Tensor, " c"], *, pictures: int) -> Objective:
    """How far each picture is from the others: the geometric mean of 1 - cosine, between mean activations times weights.

    Unlike by their arithmetic mean, pictures are driven apart from the nearest one most.

    Args:
        layer: name of the layer.
        weights: of its channels.
        pictures: 2 or more.

    >>> apart = distance("conv1", torch.ones(2), pictures=3)
    >>> apart({"conv1": torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]])[:, :, None, None]})
    tensor([0.6325, 0.4472, 0.2828])
    """

    def score(seen: Activations) -> Float[Tensor, " n"]:
        rows = normalize(seen[layer].mean((2, 3)) * weights.to(seen[layer]), dim=1)
        logs = (1 - rows @ rows.T).clamp(min=NEAR).log()
        return ((logs.sum(1) - logs.diagonal()) / (pictures - 1)).exp()

    return Objective(f"distance({layer!r}, pictures={pictures})", frozenset({layer}), score, pictures=pictures)


def _times(unit: Objective, single: Rendering, apart: Objective, strength: float) -> Objective:
    """What a unit gains over noise, in units of what the single optimum gains, times a power of how far pictures are apart."""
    low, gain = single.history[0], gained(single)
    return compose(
        [unit, apart],
        lambda unit, apart: f"gain({unit}) * {apart}**{strength:g}",
        lambda seen, unit, apart: (unit.function(seen) - low) / gain * apart.function(seen) ** strength,
    )


def _pictures(renderings: Sequence[Rendering]) -> Float[Tensor, "n c h w"]:
    return torch.stack([each.image for each in renderings])


def _noted(renderings: Sequence[Rendering], name: str, images: Tensor, **settings: float) -> tuple[Rendering, ...]:
    """The renderings with the recipe among what made them."""
    recipe = {"name": name, "images": described(images), "groups": len(renderings), **settings}
    return tuple(replace(each, settings=each.settings | {"recipe": recipe}) for each in renderings)


def _at_least(least: int, count: int) -> int:
    if count < least:
        raise UsageError(f"count must be at least {least}, not {count}")
    return count
