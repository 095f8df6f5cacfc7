"""Groups of alike vectors: how to find them, how clearly they part, and how alike two groupings are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pellucid.errors import UsageError

ROUNDS = 100  # Lloyd's steps at most; they end by themselves, mostly after ten
TRIES = 8  # first guesses, of which the tightest grouping is kept
SEEDS = 5  # whose groupings are compared


@dataclass(frozen=True)
class Clusters:
    """Groups of images, how clearly they part, and what the pictures made from them have of them.

    Attributes:
        groups: which group each image is in, -1 for those that did not count.
        silhouette: how clearly the groups part, -1 to 1.
        stability: the mean adjusted Rand index of the grouping with those from other seeds: 1 where all are the same.
        retrieval: for the picture of each group, how likely an image of this group is more like it than one of another:
            1 for always, 0.5 for chance.
    """

    groups: tuple[int, ...]
    silhouette: float
    stability: float
    retrieval: tuple[float, ...]


def compare(
    rows: Float[Tensor, "n c"], groups: Int[Tensor, " n"], made: Float[Tensor, "k c"], chosen: Bool[Tensor, " m"], *, seed: int
) -> Clusters:
    """What there is to say about groups of images, and about one picture made from each.

    Args:
        rows: of the images that counted.
        groups: which group each of them is in.
        made: of the pictures, one for each group.
        chosen: which of all images counted.
        seed: of the grouping.

    >>> rows = torch.tensor([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
    >>> compare(rows, torch.tensor([0, 0, 1]), rows[[0, 2]], torch.ones(3, dtype=torch.bool), seed=0).retrieval
    (1.0, 1.0)
    """
    others = [kmeans(rows, len(made), seed=seed + each)[0] for each in range(1, SEEDS)]
    alike = normalize(made - made.mean(0), dim=1) @ normalize(rows - rows.mean(0), dim=1).T
    full = torch.full((len(chosen),), -1)
    full[chosen] = groups
    return Clusters(
        tuple(full.tolist()),
        silhouette(rows, groups),
        sum(adjusted_rand(groups, other) for other in others) / len(others),
        tuple(precedence(each[groups == k], each[groups != k]) for k, each in enumerate(alike)),
    )


def precedence(first: Float[Tensor, " n"], second: Float[Tensor, " m"]) -> float:
    """How likely a value of the first is larger than one of the second, ties by half: the area under the curve.

    >>> precedence(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))
    0.875
    """
    apart = first[:, None] - second
    return float(((apart > 0).float() + (apart == 0).float() / 2).mean())


def kmeans(rows: Float[Tensor, "n c"], count: int, *, seed: int = 0) -> tuple[Int[Tensor, " n"], Float[Tensor, "k c"]]:
    """Rows in groups around their means, close to these: Lloyd's algorithm from k-means++ (Arthur and Vassilvitskii 2007).

    Args:
        rows: vectors.
        count: groups, 1 to n.
        seed: of the first guesses.

    Returns:
        Which group each row is in, and the groups' means; the largest group comes first.

    Raises:
        UsageError: fewer distinct rows than groups.

    >>> kmeans(torch.tensor([[0.0], [9.0], [0.2], [0.1]]), 2)[0]
    tensor([0, 1, 0, 0])
    """
    distinct = len(rows.unique(dim=0))
    if not 1 <= count <= distinct:
        raise UsageError(f"count={count}: there are {distinct} different vectors to make groups of")
    generator = torch.Generator().manual_seed(seed)
    found = [_lloyd(rows, _guess(rows, count, generator)) for _ in range(TRIES)]
    groups, means = min(found, key=lambda each: float((rows - each[1][each[0]]).square().sum()))
    order = groups.bincount(minlength=count).argsort(descending=True, stable=True)
    return order.argsort()[groups], means[order]


def _guess(rows: Float[Tensor, "n c"], count: int, generator: torch.Generator) -> Float[Tensor, "k c"]:
    """Rows far from each other: each is drawn in proportion to its squared distance from those before."""
    chosen = [int(torch.randint(len(rows), (1,), generator=generator))]
    while len(chosen) < count:
        far = torch.cdist(rows, rows[chosen], compute_mode="donot_use_mm_for_euclid_dist").amin(1).square()
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
    return rows[chosen]


def _lloyd(rows: Float[Tensor, "n c"], means: Float[Tensor, "k c"]) -> tuple[Int[Tensor, " n"], Float[Tensor, "k c"]]:
    groups = torch.full((len(rows),), -1)
    for _ in range(ROUNDS):
        nearest = torch.cdist(rows, means).argmin(1)
        if torch.equal(nearest, groups):
            break
        groups = nearest
        # a group that lost all its rows keeps its mean
        means = torch.stack([rows[groups == k].mean(0) if (groups == k).any() else means[k] for k in range(len(means))])
    return groups, means


def silhouette(rows: Float[Tensor, "n c"], groups: Int[Tensor, " n"]) -> float:
    """How clearly groups part: the mean of (b - a) / max(a, b), a being a row's mean distance to its own group and b to the nearest
    other one (Rousseeuw 1987). 1 for points, 0 for one cloud cut in two; a row alone in its group counts 0.

    Raises:
        UsageError: fewer than two groups.

    >>> silhouette(torch.tensor([[0.0], [1.0], [9.0], [10.0]]), torch.tensor([0, 0, 1, 1])) > 0.8
    True
    """
    sizes = groups.bincount()
    if int((sizes > 0).sum()) < 2:
        raise UsageError("a silhouette needs two groups or more")
    member = one_hot(groups, len(sizes)).to(rows.dtype)
    totals = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist") @ member
    own = sizes[groups]
    within = totals.gather(1, groups[:, None])[:, 0] / (own - 1).clamp(min=1)
    others = (totals / sizes).masked_fill((member > 0) | (sizes == 0), torch.inf).amin(1)
    values = (others - within) / torch.maximum(others, within).clamp(min=1e-12)
    return float(torch.where(own > 1, values, 0.0).mean())


def adjusted_rand(first: Int[Tensor, " n"], second: Int[Tensor, " n"]) -> float:
    """How alike two groupings of the same things are: 1 for the same, 0 for chance (Hubert and Arabie 1985, equation 5).

    >>> adjusted_rand(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0]))
    1.0
    """

    def pairs(counts: Tensor) -> float:
        return float((counts * (counts - 1) / 2).sum())

    table = torch.zeros(int(first.max()) + 1, int(second.max()) + 1, dtype=torch.double)
    table.index_put_((first, second), torch.ones(len(first), dtype=torch.double), accumulate=True)
    both, rows, cols = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    chance = rows * cols / max(1.0, len(first) * (len(first) - 1) / 2)
    most = (rows + cols) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)
