from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis import index
from pellucid.analysis.reduce import layout, neighbours, normalise, pca, trustworthiness
from pellucid.errors import MissingExtraError, UsageError

METRICS = ["cosine", "euclidean"]


def clusters(count: int = 6, each: int = 40, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(count, 16))
    labels = np.repeat(np.arange(count), each)
    return (centres[labels] + spread * rng.normal(size=(count * each, 16))).astype(np.float32), labels


def all_distances(rows: np.ndarray, metric: str) -> np.ndarray:
    rows = rows.astype(np.float64)
    if metric == "euclidean":
        return np.linalg.norm(rows[:, None] - rows[None], axis=2)
    lengths = np.linalg.norm(rows, axis=1)
    both = lengths[:, None] * lengths[None]
    return np.where(both > 0, 1 - rows @ rows.T / np.where(both > 0, both, 1), np.not_equal.outer(lengths > 0, lengths > 0) * 1.0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [1 << 20, 100])
def test_neighbours_equal_brute_force(metric: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK", block)
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float16)
    rows[[3, 30]] = 0
    indices, distances = neighbours(rows, 7, metric=metric)  # pyright: ignore[reportArgumentType]
    wanted = all_distances(rows, metric)
    np.testing.assert_allclose(distances, np.sort(wanted, 1)[:, :7], atol=2e-3)
    np.testing.assert_allclose(np.take_along_axis(wanted, indices.numpy(), 1), distances, atol=2e-3)
    assert indices[:, 0].tolist() == list(range(60))
    assert all(len(set(row)) == 7 for row in indices.tolist())


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 99))
def test_every_row_is_its_own_first_neighbour_among_duplicates(count: int, kinds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(kinds, 3)).astype(np.float32)[rng.integers(0, kinds, count)]
    for metric in METRICS:
        indices, distances = neighbours(rows, min(count, 5), metric=metric)  # pyright: ignore[reportArgumentType]
        assert indices[:, 0].tolist() == list(range(count)) and all(len(set(row)) == len(row) for row in indices.tolist())
        assert (distances[:, 1:] >= distances[:, :-1] - 1e-3).all() and distances[:, 0].abs().max() == 0


def test_neighbours_of_other_rows() -> None:
    rows = np.eye(4, dtype=np.float32)
    indices, distances = neighbours(rows, 2, queries=np.array([[0, 3, 1, 0]], np.float32))
    assert indices.tolist() == [[1, 2]] and distances[0, 0] == pytest.approx(1 - 3 / np.sqrt(10), abs=1e-5)
    for k in (0, 5):
        with pytest.raises(UsageError, match=f"k={k}"):
            neighbours(rows, k)


def test_pca_equals_the_singular_vectors() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)) * np.arange(1, 7)
    left, sizes, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(pca(rows, 3)), np.abs(left[:, :3] * sizes[:3]), rtol=1e-4)
    assert pca(rows[:, :1], 3)[:, 1:].max() == 0 and pca(np.ones((5, 4)), 2).max() == 0


@pytest.mark.filterwarnings("error")
def test_umap_keeps_clusters_together_and_says_nothing() -> None:
    rows, labels = clusters()
    shown = warnings.filters[:]
    points = layout(rows, neighbors=10)
    assert warnings.filters == shown
    assert points.shape == (240, 2) and points.min() >= 0 and points.max() <= 1
    indices = neighbours(points, 6, metric="euclidean")[0][:, 1:].numpy()
    assert (labels[indices] == labels[:, None]).mean() > 0.97
    assert trustworthiness(rows, points, 10) > 0.85 and np.array_equal(points, layout(rows, neighbors=10))
    assert not np.array_equal(points, layout(rows, neighbors=10, seed=1))


def test_rows_that_were_not_fitted_lie_with_their_neighbours() -> None:
    rows, labels = clusters(4, 60)
    points = layout(rows, fit=100, neighbors=10)
    indices = neighbours(points, 6, metric="euclidean")[0][:, 1:].numpy()
    assert (labels[indices] == labels[:, None]).mean() > 0.97


@pytest.mark.parametrize("method", ["umap", "pca"])
@pytest.mark.parametrize(
    "rows",
    [
        np.ones((1, 3)),
        np.ones((40, 3)),
        np.zeros((40, 3)),
        np.eye(5),
        np.eye(13),
        np.repeat(np.eye(3), 20, 0),
        np.arange(40.0)[:, None],
    ],
)
def test_few_constant_and_duplicate_rows_are_laid_out(rows: np.ndarray, method: str) -> None:
    points = layout(rows, method=method)  # pyright: ignore[reportArgumentType]
    assert points.shape == (len(rows), 2) and np.isfinite(points).all() and points.min() >= 0 and points.max() <= 1


def test_wrong_use() -> None:
    for wrong in ({"method": "tsne"}, {"neighbors": 1}, {"fit": 3}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            layout(np.ones((20, 3)), **wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="needs rows"):
        layout(np.ones((0, 3)))


def test_without_umap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"umap-learn.*pellucid\[layout\]"):
        layout(clusters()[0])


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 99))
def test_normalise_is_the_percentiles_with_a_tenth_of_margin(count: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(count, 2)) * [1, 100] + [5, -3]
    found = normalise(points)
    assert found.min() >= 0 and found.max() <= 1
    if count > 100:
        low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
        inside = ((points >= low) & (points <= high)).all(1)
        np.testing.assert_allclose(found[inside], 1 / 12 + (points[inside] - low) / (high - low) * 10 / 12, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_trustworthiness_equals_scikit_learn(metric: str) -> None:
    from sklearn.manifold import trustworthiness as oracle

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 8))
    for points in (rows[:, :2], rng.random((150, 2))):
        found = trustworthiness(rows, points, 7, metric=metric)  # pyright: ignore[reportArgumentType]
        assert found == pytest.approx(oracle(rows, points, n_neighbors=7, metric=metric), abs=1e-4)
        assert trustworthiness(rows, points, 7, sample=60) == pytest.approx(trustworthiness(rows, points, 7), abs=0.05)
    with pytest.raises(UsageError, match="k=75"):
        trustworthiness(rows, rows[:, :2], 75)


def test_bits_do_not_depend_on_the_global_generators() -> None:
    rows = clusters(3, 20)[0]
    np.random.seed(5)
    torch.manual_seed(5)
    assert np.array_equal(layout(rows), layout(rows))


def test_a_layout_leaves_the_number_of_threads_as_it_was() -> None:
    pytest.importorskip("umap")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        layout(np.random.default_rng(0).random((50, 8)))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
