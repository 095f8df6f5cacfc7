"""What the methods minimise, against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis.layouts import _near_pairs, _others, pacmap, tsne
from pellucid.analysis.reduce import pca

ROWS = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)
START = pca(ROWS, 2)


def affinities(squared: np.ndarray, perplexity: float) -> np.ndarray:
    """Of t-SNE (van der Maaten & Hinton 2008, equations 1 and 5): each row's Gaussian is as wide as the perplexity wants it."""
    found = np.zeros_like(squared)
    for row in range(len(squared)):
        others = np.arange(len(squared)) != row
        low, high, beyond = 1e-6, 1e6, squared[row, others] - squared[row, others].min()
        for _ in range(60):
            weights = np.exp(-beyond * np.sqrt(low * high))
            shares = weights / weights.sum()
            entropy = -(shares * np.log(shares.clip(1e-300))).sum()
            low, high = (np.sqrt(low * high), high) if entropy > np.log(perplexity) else (low, np.sqrt(low * high))
        found[row, others] = shares
    return (found + found.T) / (2 * len(squared))


def divergence(shares: np.ndarray, points: np.ndarray) -> float:
    """The Kullback-Leibler divergence that t-SNE minimises (equations 4 and 2)."""
    near = 1 / (1 + np.square(points[:, None] - points[None]).sum(2))
    np.fill_diagonal(near, 0)
    there = shares > 0
    return float((shares[there] * np.log(shares[there] / (near / near.sum())[there])).sum())


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_tsne_reaches_what_scikit_learn_reaches_without_approximations(metric: str) -> None:
    pytest.importorskip("openTSNE")
    from sklearn.manifold import TSNE

    scaled = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True) if metric == "cosine" else ROWS
    shares = affinities(np.square(scaled[:, None] - scaled[None]).sum(2).astype(np.float64), 29)
    ours = tsne(ROWS, START, neighbors=29, metric=metric, seed=0)  # pyright: ignore[reportArgumentType]
    oracle = TSNE(perplexity=29, method="exact", init=START / START.std() * 1e-4, random_state=0).fit_transform(scaled)
    assert divergence(shares, ours) < 1.05 * divergence(shares, oracle) < 0.8 * divergence(shares, START)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_as_far_as_a_straight_line_between_them(metric: str) -> None:
    scaled = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True) if metric == "cosine" else ROWS
    near, apart = _others(ROWS, 5, metric)  # pyright: ignore[reportArgumentType]
    distances = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    np.testing.assert_allclose(apart, np.sort(distances, 1)[:, 1:6], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(distances, near, 1), apart, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(12, 40), st.integers(1, 5), st.integers(0, 99))
def test_near_pairs_are_nearest_by_scaled_distances(count: int, k: int, seed: int) -> None:
    """Wang et al. 2021, section 4: squared distances, divided by both rows' mean distance to their 4th to 6th neighbours."""
    rows = np.random.default_rng(seed).normal(size=(count, 3))
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    own = [np.mean(sorted(each)[4:7]) for each in apart]
    pairs = _near_pairs(*_others(rows.astype(np.float32), count - 1, "euclidean"), k)
    for row in range(count):
        others = sorted((apart[row, other] ** 2 / own[row] / own[other], other) for other in range(count) if other != row)
        assert pairs[pairs[:, 0] == row, 1].tolist() == [other for _, other in others[:k]]


def test_pacmap_gets_pairs_that_are_near_on_the_sphere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths say nothing where cosines count: rows of other lengths give the same points."""
    lengths = 2.0 ** np.random.default_rng(1).integers(-3, 4, size=(len(ROWS), 1)).astype(np.float32)
    found, again = (pacmap(rows, START, neighbors=5, metric="cosine", seed=0) for rows in (ROWS, ROWS * lengths))
    np.testing.assert_allclose(found, again, atol=1e-2)
    assert not np.allclose(found, pacmap(ROWS * lengths, START, neighbors=5, metric="euclidean", seed=0), atol=1e-2)
