"""Several pictures of one unit, which show its facets: from different noise, or by wanting to differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method
from pellucid.vis.objectives import Activations, Objective
from pellucid.vis.objectives.algebra import compose
from pellucid.vis.recipes.clusters import Clusters
from pellucid.vis.recipes.measures import answers, between, gained, likeness, one, sensitivities
from pellucid.vis.recipes.photos import Progress, part
from pellucid.vis.recipes.suited import facet_layer, last_layer, shared_size
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

DIFFER = 0.05  # strength of diversity: mostly less than a tenth of the unit's answer is lost
NEAR = 1e-3  # a distance that is not told from none


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
    work = Work.of(model, unit, layer, size, steps, method, suited=last_layer)
    seeds = range(seed, seed + at_least(1, count))
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
    work = Work.of(model, unit, layer, size, steps, method, suited=last_layer)
    total = (1 + at_least(2, count)) * steps
    (single,) = work.make([work.objective], [seed], progress=part(progress, 0, total))
    speaks = sensitivities(model, work.objective, work.layer, single.image[None])
    together = _times(work.objective, single, distance(work.layer, speaks, pictures=count), strength)
    return work.facets(work.make([together], [seed], progress=part(progress, steps, total)), single)


@dataclass(frozen=True)
class Work:
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
    ) -> Work:
        objective = one(unit, model)
        where = suited(model, objective) if layer is None else model.layer(layer).name
        return cls(model, objective, where, shared_size(model, [objective], size), steps, Method() if method is None else method)

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
        images = stacked(renderings)
        similarity = likeness(self.model, self.layer, images)
        scores = answers(self.model, self.objective, images)
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


def stacked(renderings: Sequence[Rendering]) -> Float[Tensor, "n c h w"]:
    return torch.stack([each.image for each in renderings])


def at_least(least: int, count: int) -> int:
    if count < least:
        raise UsageError(f"count must be at least {least}, not {count}")
    return count
