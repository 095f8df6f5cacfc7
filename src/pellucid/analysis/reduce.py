"""Vectors to fewer dimensions: exact neighbours, principal components, and the two-dimensional layout of an atlas."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.index import Index
from pellucid.errors import MissingExtraError, UsageError

BLOCK = 1 << 26  # entries of a block of distances: 256 MB of float32
FEWEST = 12  # rows below which a graph of neighbours says nothing that principal components do not

Matrix = Float[np.ndarray, "n c"]


def neighbours(
    vectors: Any, k: int, *, metric: Literal["cosine", "euclidean"] = "cosine", queries: Any = None
) -> tuple[Tensor, Tensor]:
    """The k nearest rows of each row, itself first, then nearest first: exact, in blocks of bounded memory.

    Args:
        vectors: n rows (an array, or rows of a store).
        k: neighbours, at most n.
        metric: "cosine" (1 - cosine; a row of zeros is 1 from all but its like) or "euclidean".
        queries: other rows to look up; None for the rows themselves.

    Returns:
        (indices, distances), one row a query; of those kept, equal distances come in the order of their rows.

    Raises:
        UsageError: k is below 1 or above n.

    >>> indices, distances = neighbours(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1]]), 2)
    >>> indices.tolist()
    [[0, 2], [1, 2], [2, 0]]
    """
    index = Index.build(vectors, metric=metric, approximate=False)
    rows, apart = index.query(vectors if queries is None else queries, k)
    indices, distances = torch.from_numpy(rows), torch.from_numpy(apart).float()
    return _self_first(indices, distances) if queries is None else (indices, distances)


def _self_first(indices: Int[Tensor, "n k"], distances: Float[Tensor, "n k"]) -> tuple[Tensor, Tensor]:
    """Among duplicates a row may not come first, or not at all; UMAP counts on it."""
    own = torch.arange(len(indices))[:, None]
    place = torch.where((indices == own).any(1), (indices == own).int().argmax(1), indices.shape[1] - 1)[:, None]
    column = torch.arange(indices.shape[1])[None]
    shifted = (column - (column <= place).int()).clamp_min(0)
    indices, distances = indices.gather(1, shifted), distances.gather(1, shifted)
    indices[:, 0], distances[:, 0] = own[:, 0], 0
    return indices, distances


def pca(vectors: Any, dimensions: int) -> Matrix:
    """Principal components: centred rows along their largest variances, each axis turned so that its largest weight is positive.

    Args:
        vectors: n rows.
        dimensions: of the result; axes that the data do not have are zero.

    >>> pca(np.array([[3.0, 0.0], [5.0, 0.0], [4.0, 0.0]]), 2).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    rows = _tensor(vectors).double()
    centred = rows - rows.mean(0)
    values, axes = torch.linalg.eigh(centred.T @ centred / len(rows))
    axes = axes.flip(1)[:, :dimensions]
    axes = axes * (values.flip(0)[:dimensions] > 1e-12 * values.max().clamp_min(1e-300))  # directions that are only rounding
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    points = torch.zeros(len(rows), dimensions, dtype=rows.dtype)
    points[:, : axes.shape[1]] = centred @ axes
    return points.float().numpy()


def layout(
    vectors: Any,
    *,
    method: Literal["umap", "pca"] = "umap",
    seed: int = 0,
    neighbors: int = 15,
    min_dist: float = 0.1,
    metric: Literal["cosine", "euclidean"] = "cosine",
    fit: int = 50_000,
) -> Float[np.ndarray, "n 2"]:
    """Points of the plane in [0, 1]², near each other where the vectors are; the same seed gives the same points.

    UMAP (McInnes et al. 2018) on exact neighbours, started from the principal components, as in the Activation Atlas (Carter et al.
    2019). Fewer than 12 rows, or rows that are all the same, are laid out by principal components whatever the method.

    Args:
        vectors: n rows; an array or `Store.vectors(layer)`.
        method: "umap" or "pca".
        seed: of the sample and of UMAP.
        neighbors: of each row that UMAP looks at, 2 or more; fewer rows take what there is.
        min_dist: how near UMAP lets points come, 0 to 1.
        metric: between vectors.
        fit: rows that UMAP is fitted on, drawn from the seed; the others lie at the mean of their neighbours, weighted by nearness.

    Raises:
        MissingExtraError: umap-learn is not installed.
        UsageError: an unknown method; no rows; a value out of range.

    >>> layout(np.eye(5), method="pca").shape
    (5, 2)
    """
    rows = np.asarray(vectors, np.float32)
    if method not in ("umap", "pca"):
        raise UsageError(f"method={method!r}: there are 'umap' and 'pca'")
    if not len(rows) or neighbors < 2 or fit < FEWEST:
        raise UsageError(
            f"a layout needs rows, neighbors of 2 or more and fit of {FEWEST} or more; got {len(rows)}, {neighbors}, {fit}"
        )
    if method == "pca" or len(rows) < FEWEST or (rows == rows[0]).all():
        return normalise(pca(rows, 2))
    sample = np.sort(np.random.default_rng(seed).permutation(len(rows))[:fit])
    fitted = _umap(rows[sample], min(neighbors, len(sample) - 1), min_dist, metric, seed)
    return normalise(fitted if len(sample) == len(rows) else _place(rows, sample, fitted, neighbors, metric))


def normalise(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
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
    vectors: Any, points: Any, k: int = 15, *, metric: Literal["cosine", "euclidean"] = "cosine", sample: int = 2000, seed: int = 0
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
        UsageError: k is not below n / 2, where the measure means nothing.
    """
    rows, plane = (_unit(vectors) if metric == "cosine" else _tensor(vectors)).double(), _tensor(points).double()
    count = len(rows)
    if not 1 <= k < count / 2:
        raise UsageError(f"k={k}: must be at least 1 and less than half of the {count} rows")
    judged = torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(count)[:sample]))
    excess = 0.0
    for block in judged.split(max(1, BLOCK // (4 * count))):
        own = (torch.arange(len(block)), block)
        ranks = _apart(rows[block], rows).index_put(own, torch.tensor(-1.0).double()).argsort(dim=1, stable=True).argsort(1)
        near = _apart(plane[block], plane).index_put(own, torch.tensor(torch.inf).double()).topk(k, largest=False).indices
        excess += float((ranks.gather(1, near) - k).clamp_min(0).sum())
    return 1 - excess * 2 / (len(judged) * k * (2 * count - 3 * k - 1))


def _apart(first: Float[Tensor, "n c"], second: Float[Tensor, "m c"]) -> Float[Tensor, "n m"]:
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


def _umap(rows: Matrix, k: int, min_dist: float, metric: str, seed: int) -> Float[np.ndarray, "n 2"]:
    with warnings.catch_warnings():  # numba's and umap's own, of no use to whoever asked for a layout
        warnings.simplefilter("ignore")
        try:
            import umap
        except ImportError as error:
            raise MissingExtraError("umap-learn", "layout", "the UMAP layout") from error
        indices, distances = neighbours(rows, k, metric=metric)  # type: ignore[arg-type]
        start = pca(rows, 2)
        start *= 2.5 / max(float(start.std(0).max()), 1e-12)  # about the extent at which UMAP starts by itself
        start += np.random.default_rng(seed).normal(scale=1e-3, size=start.shape)  # parts duplicates, which attract for ever
        reducer: Any = umap.UMAP(
            n_neighbors=k,
            min_dist=min_dist,
            metric=metric,
            init=start,  # pyright: ignore[reportArgumentType]
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(indices.numpy(), distances.numpy(), None),
            force_approximation_algorithm=True,  # below 4,096 rows it would throw the neighbours away
        )
        with _own_threads():
            return np.asarray(reducer.fit_transform(rows))


@contextmanager
def _own_threads() -> Iterator[None]:
    """Keep torch's number of threads, which numba changes for the whole process, and with it the last bits of what follows."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _place(
    rows: Matrix, sample: Int[np.ndarray, " m"], fitted: Float[np.ndarray, "m 2"], k: int, metric: str
) -> Float[np.ndarray, "n 2"]:
    """The fitted points where there are some, the mean of the fitted neighbours' points for the rest."""
    rest = np.setdiff1d(np.arange(len(rows)), sample)
    indices, distances = neighbours(rows[sample], min(k, len(sample)), metric=metric, queries=rows[rest])  # type: ignore[arg-type]
    weights = (-distances / distances.mean(1, keepdim=True).clamp_min(1e-12)).exp()
    near = torch.from_numpy(fitted)[indices]
    points = np.empty((len(rows), 2), np.float32)
    points[sample] = fitted
    points[rest] = ((weights[..., None] * near).sum(1) / weights.sum(1, keepdim=True)).numpy()
    return points


def _tensor(vectors: Any) -> Float[Tensor, "n c"]:
    return torch.from_numpy(np.array(vectors, np.float32)) if not isinstance(vectors, Tensor) else vectors.float().cpu()


def _unit(vectors: Any) -> Float[Tensor, "n c"]:
    """Rows of length one; rows of zeros, which have no direction, share one of their own in a column more."""
    rows = _tensor(vectors)
    norm = rows.norm(dim=1, keepdim=True)
    return torch.cat([rows / norm.clamp_min(1e-12), (norm == 0).float()], 1)
