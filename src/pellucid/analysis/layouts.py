"""UMAP, t-SNE and PaCMAP, all on exact neighbours and from the same start; `reduce.layout` is how to call them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from pellucid.analysis.index import Metric
from pellucid.analysis.neighbours import neighbours, unit
from pellucid.errors import MissingExtraError

EXTENT = 2.5  # standard deviation of a start, about that at which UMAP begins by itself
TINY = 1e-4  # and that at which t-SNE does (Kobak & Berens 2019)
SPARE = 50  # neighbours beyond those wanted among which PaCMAP chooses

Matrix = Float[np.ndarray, "n c"]
Points = Float[np.ndarray, "n 2"]


def umap(rows: Matrix, start: Points, *, neighbors: int, metric: Metric, seed: int, min_dist: float) -> Points:
    """Uniform manifold approximation and projection (McInnes et al. 2018)."""
    with _undisturbed():
        try:
            from umap import UMAP
        except ImportError as error:
            raise MissingExtraError("umap-learn", "layout", "the UMAP layout") from error
        k = min(neighbors, len(rows) - 1)
        indices, distances = neighbours(rows, k, metric=metric)
        reducer: Any = UMAP(
            n_neighbors=k,
            min_dist=min_dist,
            metric=metric,
            init=start,  # pyright: ignore[reportArgumentType]
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(indices.numpy(), distances.numpy(), None),
            force_approximation_algorithm=True,  # below 4,096 rows it would throw the neighbours away
        )
        return np.asarray(reducer.fit_transform(rows))


def tsne(rows: Matrix, start: Points, *, neighbors: int, metric: Metric, seed: int) -> Points:
    """t-distributed stochastic neighbour embedding (van der Maaten & Hinton 2008), whose perplexity the neighbours are.

    Up to 10,000 rows push each other apart by Barnes-Hut trees (van der Maaten 2014), more by interpolation on a grid
    (Linderman et al. 2019).
    """
    with _undisturbed():
        try:
            from openTSNE import TSNE
            from openTSNE.affinity import PerplexityBasedNN
            from openTSNE.nearest_neighbors import PrecomputedNeighbors
        except ImportError as error:
            raise MissingExtraError("opentsne", "layout", "the t-SNE layout") from error
        near = PrecomputedNeighbors(*_others(rows, min(3 * neighbors, len(rows) - 1), metric))
        affinities = PerplexityBasedNN(knn_index=near, perplexity=min(neighbors, near.k / 3), n_jobs=1)
        made = TSNE(n_jobs=1, random_state=seed).fit(affinities=affinities, initialization=start * (TINY / EXTENT))
        return np.asarray(made)


def pacmap(rows: Matrix, start: Points, *, neighbors: int, metric: Metric, seed: int) -> Points:
    """Pairwise controlled manifold approximation projection (Wang et al. 2021)."""
    with _undisturbed("pacmap.pacmap"):
        try:
            from pacmap import PaCMAP
        except ImportError as error:
            raise MissingExtraError("pacmap", "layout", "the PaCMAP layout") from error
        k = min(neighbors, (len(rows) - 1) // 4)  # each row is paired with 2.5 times as many others, too
        pairs = _near_pairs(*_others(rows, min(k + SPARE, len(rows) - 1), metric), k)
        reducer: Any = PaCMAP(n_neighbors=k, pair_neighbors=pairs, apply_pca=False, random_state=seed)
        return reducer.fit_transform(unit(rows).numpy() if metric == "cosine" else rows, init=start)


METHODS: dict[str, tuple[Callable[..., Points], int]] = {"umap": (umap, 15), "tsne": (tsne, 30), "pacmap": (pacmap, 10)}
"""Each method, and its authors' number of neighbours."""


def _others(rows: Matrix, k: int, metric: Metric) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
    """The k nearest other rows and how far they are in a straight line: for cosines on the sphere."""
    indices, distances = neighbours(rows, k + 1, metric=metric)
    apart = (2 * distances).sqrt() if metric == "cosine" else distances
    return indices[:, 1:].numpy(), apart[:, 1:].numpy()


def _near_pairs(near: Int[np.ndarray, "n m"], apart: Float[np.ndarray, "n m"], k: int) -> Int[np.ndarray, "p 2"]:
    """The k pairs of each row that are nearest once distances are scaled by both rows' own (Wang et al. 2021, section 4)."""
    own = apart[:, 3:6].mean(1).clip(1e-10)
    chosen = np.argsort(apart**2 / own[:, None] / own[near], axis=1, kind="stable")[:, :k]
    others = np.take_along_axis(near, chosen, 1)
    return np.stack([np.repeat(np.arange(len(near)), k), others.flatten()], 1).astype(np.int32)


@contextmanager
def _undisturbed(logger: str | None = None) -> Iterator[None]:
    """Silence what libraries say to their authors, and keep torch's number of threads.

    Numba changes that number for the whole process, and with it the last bits of what follows.
    """
    threads, speaker = torch.get_num_threads(), logging.getLogger("pellucid" if logger is None else logger)
    disabled = speaker.disabled
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            speaker.disabled = logger is not None or disabled
            yield
    finally:
        speaker.disabled = disabled
        torch.set_num_threads(threads)
