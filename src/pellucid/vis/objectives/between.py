"""Between pictures that are made together: to differ, to line up, to lead from one objective to another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pad

from pellucid.errors import UsageError
from pellucid.vis.objectives.algebra import Objective, compose, scores
from pellucid.vis.objectives.forms import Activations
from pellucid.vis.objectives.names import call
from pellucid.vis.objectives.reference import gram


def diversity(layer: str, *, pictures: int = 4) -> Objective:
    """Pictures that differ: each one's mean cosine to the others, between the Gram matrices of a layer, times -1.

    From -1, all alike, to 0; a weight is of the size of the score that it is added to. The sum over the pictures is
    -2 / (pictures - 1) times that over all pairs (Olah et al. 2017, Feature Visualization, section "Diversity"; lucid's weight of
    100 among four pictures is 300 here).

    Args:
        layer: name of the layer.
        pictures: 2 or more.

    Raises:
        UsageError: fewer than two pictures.

    >>> same, other = torch.tensor([[[1.0]], [[0.0]]]), torch.tensor([[[0.0]], [[1.0]]])
    >>> diversity("mixed4a", pictures=3)({"mixed4a": torch.stack([same, same, other])})
    tensor([-0.5000, -0.5000,  0.0000])
    """
    _several("diversity", pictures)

    def score(seen: Activations) -> Float[Tensor, " n"]:
        flat = normalize(gram(seen[layer]).flatten(1), dim=1)
        cosines = flat @ flat.T
        return (cosines.diagonal() - cosines.sum(1)) / (pictures - 1)

    return Objective(call("diversity", repr(layer), pictures=(pictures, 4)), frozenset({layer}), score, pictures=pictures)


def alignment(layer: str, *, pictures: int = 6, reach: int = 4, decay: float = 2.0) -> Objective:
    """Pictures in a row of which neighbours have the same in the same place: minus half the mean squared differences, weighted.

    A picture d places further counts decay^-d (lucid's `alignment`); the sum over the pictures counts each pair once.

    Args:
        layer: name of the layer; `"image"` for the pictures themselves.
        pictures: 2 or more.
        reach: the largest distance in the row that counts, 1 or more.
        decay: above 0; larger for nearer neighbours only.

    Raises:
        UsageError: fewer than two pictures, a reach below 1, or a decay that is not above 0.

    >>> alignment("conv1", pictures=3)({"conv1": torch.tensor([0.0, 2.0, 2.0])[:, None, None, None]})
    tensor([-1.5000, -1.0000, -0.5000])
    """
    _several("alignment", pictures)
    if reach < 1 or not decay > 0:
        raise UsageError(f"alignment needs a reach of 1 or more and a decay above 0, not {reach} and {decay}")

    def score(seen: Activations) -> Float[Tensor, " n"]:
        maps = seen[layer]
        total = maps.new_zeros(pictures)
        for distance in range(1, min(reach, pictures - 1) + 1):
            halves = (maps[distance:] - maps[:-distance]).square().mean((1, 2, 3)) / (2 * decay**distance)
            total = total - pad(halves, (distance, 0)) - pad(halves, (0, distance))
        return total

    name = call("alignment", repr(layer), pictures=(pictures, 6), reach=(reach, 4), decay=(decay, 2.0))
    return Objective(name, frozenset({layer}), score, pictures=pictures)


def interpolate(first: Objective, last: Objective, *, pictures: int = 6) -> Objective:
    """A row of pictures from one objective to another: the first has the one alone, the last the other, between them both in part.

    Args:
        first: of the first picture.
        last: of the last picture.
        pictures: 2 or more.

    Raises:
        UsageError: fewer than two pictures, or an objective that speaks about another number of them.

    >>> from pellucid.vis.objectives import channel
    >>> between = interpolate(channel("conv1", 0), channel("conv1", 1), pictures=3)
    >>> between({"conv1": torch.tensor([[[[1.0]], [[3.0]]]]).expand(3, 2, 1, 1)})
    tensor([1., 2., 3.])
    """
    _several("interpolate", pictures)
    for part in (first, last):
        if part.pictures not in (None, pictures):
            raise UsageError(f"{part} speaks about {part.pictures} pictures together, interpolate about {pictures}")

    def score(seen: Activations, first: Objective, last: Objective) -> Float[Tensor, " n"]:
        begin, end = first.function(seen), last.function(seen)
        return begin.lerp(end, torch.linspace(0, 1, pictures).to(end))

    def write(first: Objective, last: Objective) -> str:
        return call("interpolate", first.name, last.name, pictures=(pictures, 6))

    return compose([first, last], write, score, pictures=pictures)


def each(objectives: Sequence[Objective]) -> Objective:
    """Pictures made together of which each has its own objective, in order: to be aligned, told apart or otherwise compared.

    Args:
        objectives: one for each picture, each about one picture.

    Raises:
        UsageError: there is none, or one that itself speaks about several pictures.

    >>> from pellucid.vis.objectives import channel
    >>> pair = each([channel("conv1", 0), -channel("conv1", 0)])
    >>> pair({"conv1": torch.ones(2, 1, 3, 3)})
    tensor([ 1., -1.])
    """
    if not objectives:
        raise UsageError("each needs one objective or more")
    for part in objectives:
        if part.pictures is not None:
            raise UsageError(f"{part} speaks about {part.pictures} pictures together; each gives one picture to each objective")

    def score(seen: Activations, *parts: Objective) -> Float[Tensor, " n"]:
        return scores(parts, seen)

    def write(*parts: Objective) -> str:
        return f"each([{', '.join(part.name for part in parts)}])"

    return compose(objectives, write, score, pictures=len(objectives))


def _several(what: str, pictures: int) -> None:
    if pictures < 2:
        raise UsageError(f"{what} is between 2 pictures or more, not {pictures}")
