"""Are single channels easier to understand than random directions of the same layer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Model
from pellucid.vis.objectives import logit
from pellucid.vis.recipes.measures import BATCH, between, pooled
from pellucid.vis.recipes.suited import facet_layer

RESAMPLES = 10_000


@dataclass(frozen=True)
class Basis:
    """How well channels and random directions of a layer can be understood, by one score each.

    Attributes:
        layer: where.
        score: what was scored: "purity" of the top examples' labels, or "coherence" of the top examples.
        channels: which channels; silent ones are left out.
        channel_scores: of each channel.
        directions: random ones, of length one.
        direction_scores: of each direction.
        interval: in which the difference of the two means lies with 95 % confidence (bootstrap).
    """

    layer: str
    score: str
    channels: tuple[int, ...]
    channel_scores: tuple[float, ...]
    directions: Float[Tensor, "k c"] = field(repr=False)
    direction_scores: tuple[float, ...]
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        """The channels' mean score minus the directions'."""
        return _mean(self.channel_scores) - _mean(self.direction_scores)

    def facts(self) -> dict[str, Any]:
        """Everything but the directions, ready for JSON."""
        return {
            "layer": self.layer,
            "score": self.score,
            "channels": list(self.channels),
            "channel_scores": list(self.channel_scores),
            "direction_scores": list(self.direction_scores),
            "channel_mean": _mean(self.channel_scores),
            "direction_mean": _mean(self.direction_scores),
            "difference": self.difference,
            "interval": list(self.interval),
        }


def basis_against_random(
    model: Model,
    layer: str,
    images: Float[Tensor, "n c h w"],
    *,
    labels: Int[Tensor, " n"] | Sequence[int] | None = None,
    judge: Model | None = None,
    count: int = 128,
    top: int = 10,
    seed: int = 0,
) -> Basis:
    """Compare the channels of a layer with as many random directions, by what their top examples have in common.

    Szegedy et al. 2013 (arXiv:1312.6199, section 3) found random directions as meaningful as channels, Bau et al. 2017
    (arXiv:1704.05796, section 3.2) fewer of them. An image answers to a direction with its highest dot product over all
    positions; the random directions are rows of random rotations. The score is the share of the most frequent label among
    the top examples, or, without labels, how much more alike the top examples are than images are on average: the mean cosine
    between the mean activations of a deep layer, less their mean over all images.

    Args:
        model: the network.
        layer: of the model.
        images: n c h w in [0, 1], many more than `top`.
        labels: of the images, from 0.
        judge: whose deep layer says how alike images are, best another network than `model`; None for the model's own.
        count: channels, spread evenly, and directions; at most what the layer has of channels.
        top: examples of each, 2 or more.
        seed: of the rotations and of the bootstrap.

    Raises:
        NotFoundError: no such layer.
        UsageError: too few images, labels of another number, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> model = models.load("terrarium")
        >>> found = basis_against_random(model, "conv1", torch.rand(12, 3, 96, 96), count=4, top=3)
        >>> found.score, len(found.channels), len(found.direction_scores)
        ('coherence', 4, 4)
    """
    if not 2 <= top < len(images) or count < 2:
        raise UsageError(f"top and count must be at least 2, and top below the number of images, not {top}, {count}, {len(images)}")
    known = None if labels is None else torch.as_tensor(labels)
    if known is not None and known.shape != (len(images),):
        raise UsageError(f"labels: {len(known)} for {len(images)} images")
    channels = model.layer(layer).channels
    generator = torch.Generator().manual_seed(seed)
    chosen = [index * channels // count for index in range(count)] if count < channels else list(range(channels))
    directions = rotated(channels, count, generator)
    answers = _answers(model, layer, images, torch.cat([torch.eye(channels)[chosen], directions]))
    best = answers.topk(top, dim=0).indices.T
    alive = [each for each in range(len(chosen)) if answers[:, each].amax() > answers[:, each].amin()]
    scores = coherence(_apart(model if judge is None else judge, images), best) if known is None else purity(known, best)
    basis, random = scores[alive], scores[len(chosen) :]
    return Basis(
        layer,
        "coherence" if known is None else "purity",
        tuple(chosen[each] for each in alive),
        tuple(basis.tolist()),
        directions,
        tuple(random.tolist()),
        bootstrap(basis, random, generator),
    )


def rotated(channels: int, count: int, generator: torch.Generator) -> Float[Tensor, "k c"]:
    """Rows of random rotations, uniform among all: as many rotations as `count` needs (Stewart 1980).

    >>> rows = rotated(3, 5, torch.Generator())
    >>> rows.shape, bool(torch.allclose(rows[:3] @ rows[:3].T, torch.eye(3), atol=1e-5))
    (torch.Size([5, 3]), True)
    """
    rotations = []
    for _ in range(-(-count // channels)):
        q, r = torch.linalg.qr(torch.randn(channels, channels, generator=generator))
        rotations.append(q * r.diagonal().sign())
    return torch.cat(rotations)[:count]


def purity(labels: Int[Tensor, " n"], best: Int[Tensor, "k m"]) -> Float[Tensor, " k"]:
    """For each row of examples, the share of its most frequent label.

    >>> purity(torch.tensor([5, 5, 1]), torch.tensor([[0, 1], [1, 2]]))
    tensor([1.0000, 0.5000])
    """
    return one_hot(labels[best]).float().mean(1).amax(1)


def coherence(rows: Float[Tensor, "n f"], best: Int[Tensor, "k m"]) -> Float[Tensor, " k"]:
    """For each row of examples, the mean cosine between two of them.

    >>> coherence(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0, 1], [1, 2]]))
    tensor([1., 0.])
    """
    rows = normalize(rows, dim=1)
    return torch.tensor([between(rows[each] @ rows[each].T) for each in best])


def bootstrap(first: Float[Tensor, " n"], second: Float[Tensor, " m"], generator: torch.Generator) -> tuple[float, float]:
    """The 95 % interval of the difference of two means, from resampling both (Efron 1979, percentiles).

    >>> bootstrap(torch.ones(5), torch.zeros(3), torch.Generator())
    (1.0, 1.0)
    """
    means = [each[torch.randint(len(each), (RESAMPLES, len(each)), generator=generator)].mean(1) for each in (first, second)]
    low, high = (means[0] - means[1]).quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high


def _answers(model: Model, layer: str, images: Tensor, directions: Float[Tensor, "k c"]) -> Float[Tensor, "n k"]:
    """The highest dot product of each image with each direction, over all positions."""
    with torch.no_grad():
        maps = (capture(model, batch, [layer])[layer].float().cpu() for batch in images.split(BATCH))
        return torch.cat([torch.einsum("nchw,kc->nkhw", each, directions).amax((2, 3)) for each in maps])


def _apart(model: Model, images: Tensor) -> Float[Tensor, "n f"]:
    rows = normalize(pooled(model, facet_layer(model, logit(0)), images), dim=1)
    return rows - rows.mean(0)


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
