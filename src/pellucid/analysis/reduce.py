"""Vectors to fewer dimensions: principal components, layouts in the plane, and how far to trust them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.index import Metric
from pellucid.analysis.inputs import finite_rows
from pellucid.analysis.layouts import EXTENT, METHODS, Matrix, Points
from pellucid.analysis.neighbours import as_tensor, neighbours, unit
from pellucid.errors import UsageError

BLOCK = 1 << 26  # entries of a block of distances: 256 MB of float32
FEWEST = 12  # rows below which a graph of neighbours says nothing that principal components do not
TOGETHER = 8192  # rows of a block of components
PLACED = 15  # neighbours among which a row lies that was not fitted

Method = Literal["umap", "tsne", "pacmap", "pca"]


def pca(vectors: Any, dimensions: int) -> Matrix:
    """Principal components: centred rows along their largest variances, each axis turned so that its largest weight is positive.

    Args:
        vectors: n rows.
        dimensions: of the result; axes that the data do not have are zero.

    Raises:
        UsageError: no rows of numbers, or one that is not finite.

    >>> pca(np.array([[3.0, 0.0], [5.0, 0.0], [4.0, 0.0]]), 2).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    rows = torch.from_numpy(finite_rows(vectors))
    blocks = rows.split(TOGETHER)  # a copy in double precision of all of them would be twice as large
    mean = torch.stack([block.double().sum(0) for block in blocks]).sum(0) / len(rows)
    covariance = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for block in blocks:
        covariance.addmm_((block - mean).T, block - mean, alpha=1 / len(rows))
    values, axes = torch.linalg.eigh(covariance)
    axes = axes.flip(1)[:, :dimensions]
    axes = axes * (values.flip(0)[:dimensions] > 1e-12 * values.max().clamp_min(1e-300))  # directions that are only rounding
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    points = torch.zeros(len(rows), dimensions)
    points[:, : axes.shape[1]] = torch.cat([((block - mean) @ axes).float() for block in blocks])
    return points.numpy()


def layout(
    vectors: Any,
    *,
    method: Method = "umap",
    seed: int = 0,
    neighbors: int | None = None,
    min_dist: float = 0.1,
    metric: Metric = "cosine",
    fit: int = 50_000,
) -> Points:
    """Points of the plane in [0, 1]², near each other where the vectors are; the same seed gives the same points.

    UMAP (McInnes et al. 2018, as in the Activation Atlas of Carter et al. 2019), t-SNE (van der Maaten & Hinton 2008) or PaCMAP
    (Wang et al. 2021) on exact neighbours, started from the principal components. Fewer than 12 rows, or rows that are all the
    same, are laid out by principal components whatever the method.

    Args:
        vectors: n rows; an array or `Store.vectors(layer)`.
        method: "umap", "tsne", "pacmap" or "pca".
        seed: of the sample and of the method.
        neighbors: of each row that shall be near it, 2 or more, for t-SNE its perplexity; None for 15 (UMAP), 30 (t-SNE) or
            10 (PaCMAP). Fewer rows take what there is.
        min_dist: how near UMAP lets points come, 0 to 1.
        metric: between vectors.
        fit: rows that the method is fitted on, drawn from the seed; the others lie at the mean of their 15 nearest among them,
            weighted by nearness.

    Raises:
        MissingExtraError: the method's package is not installed.
        UsageError: an unknown method; no rows, or a number in them that is not finite; a value out of range.

    >>> layout(np.eye(5), method="pca").shape
    (5, 2)
    """
    rows = finite_rows(vectors)
    if method not in (*METHODS, "pca"):
        raise UsageError(f"method={method!r}: there are {', '.join(map(repr, METHODS))} and 'pca'")
    if not len(rows) or (neighbors is not None and neighbors < 2) or fit < FEWEST:
        raise UsageError(
            f"a layout needs rows, neighbors of 2 or more and fit of {FEWEST} or more; got {len(rows)}, {neighbors}, {fit}"
        )
    if possible(rows, method)[0] == "pca":
        return normalise(pca(rows, 2))
    sample = np.sort(np.random.default_rng(seed).permutation(len(rows))[:fit])
    drawn, usual = METHODS[method]
    settings = {"neighbors": usual if neighbors is None else neighbors, "metric": metric, "seed": seed}
    settings |= {"min_dist": min_dist} if method == "umap" else {}
    fitted = drawn(rows[sample], _start(rows[sample], seed), **settings)
    return normalise(fitted if len(sample) == len(rows) else _place(rows, sample, fitted, metric))


def possible(rows: Matrix, method: Method) -> tuple[Method, str | None]:
    """The method by which `layout` can lay out rows, and what to say of them; None where it is the one that is asked for.

    >>> possible(np.eye(5, dtype=np.float32), "umap")
    ('pca', 'fewer than 12: laid out by pca, not by umap')
    """
    if (rows == rows[0]).all():
        return "pca", "all the same: no map says anything of them"
    if len(rows) < FEWEST and method != "pca":
        return "pca", f"fewer than {FEWEST}: laid out by pca, not by {method}"
    return method, None


def _start(rows: Matrix, seed: int) -> Points:
    """The first two principal components, with a little noise that parts duplicates: they would lie together for ever."""
    start = pca(rows, 2)
    start *= EXTENT / max(float(start.std(0).max()), 1e-12)
    start += np.random.default_rng(seed).normal(scale=1e-3, size=start.shape)
    return start


def _place(rows: Matrix, sample: Int[np.ndarray, " m"], fitted: Float[np.ndarray, "m 2"], metric: Metric) -> Points:
    """The fitted points where there are some, the mean of the fitted neighbours' points for the rest."""
    rest = np.setdiff1d(np.arange(len(rows)), sample)
    indices, distances = neighbours(rows[sample], min(PLACED, len(sample)), metric=metric, queries=rows[rest])
    weights = (-distances / distances.mean(1, keepdim=True).clamp_min(1e-12)).exp()
    near = torch.from_numpy(fitted)[indices]
    points = np.empty((len(rows), 2), np.float32)
    points[sample] = fitted
    points[rest] = ((weights[..., None] * near).sum(1) / weights.sum(1, keepdim=True)).numpy()
    return points


def normalise(points: Points) -> Points:
    """Points in [0, 1]²: per axis the 1st to the 99th percentile and a tenth of margin on both sides; what lies further is cut off.

    An axis without extent becomes 0.5.

    >>> normalise(np.array([[0.0, 5.0], [1.0, 5.0], [0.5, 5.0]])).round(2)[2].tolist()
    [0.5, 0.5]
    """
    low, high = np.percentile(points.astype(np.float64), [1, 99], axis=0)
    extent = high - low
    scaled = (points - (low - extent / 10)) / np.where(extent > 0, extent * 1.2, 1)
    return np.where(extent > 0, scaled.clip(0, 1), 0.5).astype(np.float32)


def trustworthiness(
    vectors: Any, points: Any, k: int = 15, *, metric: Metric = "cosine", sample: int = 2000, seed: int = 0
) -> float:
    """How far neighbours in the plane are neighbours among the vectors: 1 for all, about 0.5 for chance (Venna & Kaski 2001).

    Args:
        vectors: n rows.
        points: where they were put.
        k: neighbours in the plane, less than n / 2.
        metric: between vectors; in the plane distances are Euclidean.
        sample: rows whose neighbours are judged, drawn from the seed.
        seed: of the sample.

    Raises:
        UsageError: k is not below n / 2, where the measure means nothing; points of another number than vectors; a number that is
            not finite.

    >>> rows = np.arange(20.0)[:, None] ** 2
    >>> trustworthiness(rows, rows, 3, metric="euclidean")
    1.0
    """
    given, flat = finite_rows(vectors), finite_rows(points, "points")
    rows, plane = (unit(given) if metric == "cosine" else as_tensor(given)).double(), as_tensor(flat).double()
    count = len(rows)
    if len(plane) != count:
        raise UsageError(f"points: {len(plane)} for {count} vectors; give one for each")
    if not 1 <= k < count / 2:
        raise UsageError(f"k={k}: must be at least 1 and less than half of the {count} rows")
    judged = torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(count)[:sample]))
    rows = rows - rows.mean(0)
    rows = rows / rows.norm(dim=1).max().clamp_min(1e-300)
    lengths, excess = rows.square().sum(1), 0
    for block in judged.split(max(1, BLOCK // (8 * count))):
        own = (torch.arange(len(block)), block)
        apart = (lengths[block, None] + lengths - 2 * rows[block] @ rows.T).round(decimals=10)  # equal ones stay equal
        flat = torch.cdist(plane[block], plane, compute_mode="donot_use_mm_for_euclid_dist")
        near = flat.index_put(own, torch.tensor(torch.inf).double()).topk(k, largest=False).indices
        ranks = _ranks(apart.index_put(own, torch.tensor(-torch.inf).double()), near)
        excess += int((ranks - k).clip(0).sum())
    return 1 - excess * 2 / (len(judged) * k * (2 * count - 3 * k - 1))


def _ranks(values: Float[Tensor, "m n"], chosen: Int[Tensor, "m k"]) -> Int[np.ndarray, "m k"]:
    """How many values of a row are below each chosen one, or equal and before it."""
    every, order = values.numpy(), np.arange(values.shape[1])
    found = []
    for place in chosen.T.numpy():
        value = np.take_along_axis(every, place[:, None], 1)
        before = np.count_nonzero((every == value) & (order < place[:, None]), axis=1)
        found.append(np.count_nonzero(every < value, axis=1) + before)
    return np.stack(found, 1)
