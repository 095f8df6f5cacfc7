from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis.layouts import METHODS
from pellucid.analysis.neighbours import neighbours
from pellucid.analysis.reduce import layout, normalise, pca, trustworthiness
from pellucid.errors import MissingExtraError, UsageError

METRICS = ["cosine", "euclidean"]
ALL = [
    pytest.param(each, marks=pytest.mark.skipif(each == "tsne" and not find_spec("openTSNE"), reason="openTSNE is not here"))
    for each in (*METHODS, "pca")
]


def clusters(count: int = 6, each: int = 40, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(count, 16))
    labels = np.repeat(np.arange(count), each)
    return (centres[labels] + spread * rng.normal(size=(count * each, 16))).astype(np.float32), labels


def test_pca_equals_the_singular_vectors() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 6)) * np.arange(1, 7)
    left, sizes, _ = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(pca(rows, 3)), np.abs(left[:, :3] * sizes[:3]), rtol=1e-4)
    assert pca(rows[:, :1], 3)[:, 1:].max() == 0 and pca(np.ones((5, 4)), 2).max() == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ALL[1:3])
def test_other_methods_keep_clusters_together_and_say_nothing(method: str, caplog: pytest.LogCaptureFixture) -> None:
    rows, labels = clusters()
    shown, threads = warnings.filters[:], torch.get_num_threads()
    points, again, other = (layout(rows, method=method, seed=seed) for seed in (1, 1, 2))  # pyright: ignore[reportArgumentType]
    assert warnings.filters == shown and torch.get_num_threads() == threads and not caplog.records
    indices = neighbours(points, 6, metric="euclidean")[0][:, 1:].numpy()
    assert (labels[indices] == labels[:, None]).mean() > 0.97 and trustworthiness(rows, points, 10) > 0.85
    assert np.array_equal(points, again) and not np.array_equal(points, other)


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


@pytest.mark.parametrize("method", ALL[:3])
def test_rows_that_were_not_fitted_lie_with_their_neighbours(method: str) -> None:
    rows, labels = clusters(4, 60)
    points = layout(rows, method=method, fit=100, neighbors=10)  # pyright: ignore[reportArgumentType]
    indices = neighbours(points, 6, metric="euclidean")[0][:, 1:].numpy()
    assert (labels[indices] == labels[:, None]).mean() > 0.97


@pytest.mark.parametrize("method", ALL)
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
    for wrong in ({"method": "mds"}, {"neighbors": 1}, {"fit": 3}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            layout(np.ones((20, 3)), **wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="needs rows"):
        layout(np.ones((0, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_rows_that_are_no_numbers_are_named(method: str, bad: float) -> None:
    rows = np.ones((20, 3))
    rows[[4, 7], 1] = bad
    with pytest.raises(UsageError, match="vectors: row 4 has numbers that are not finite; leave such rows out"):
        layout(rows, method=method)  # pyright: ignore[reportArgumentType]


def test_what_are_no_rows() -> None:
    for measure in (layout, lambda rows: pca(rows, 2), lambda rows: trustworthiness(rows, np.ones((20, 2)), 3)):
        for shape in ((20,), (4, 5, 3)):
            with pytest.raises(UsageError, match=r"vectors: an array of shape .*; give n rows of numbers"):
                measure(np.ones(shape))
    assert (
        len(layout(torch.eye(30), method="pca")) == len(layout(np.full((30, 2), 1e38), method="pca")) == 30
    )  # sums beyond float32
    with pytest.raises(UsageError, match="points: 19 for 20 vectors; give one for each"):
        trustworthiness(np.ones((20, 3)), np.ones((19, 2)), 3)
    with pytest.raises(UsageError, match="points: row 0 has numbers"):
        trustworthiness(np.ones((20, 3)), np.full((20, 2), np.nan), 3)


@pytest.mark.parametrize(
    ("method", "module", "package"),
    [("umap", "umap", "umap-learn"), ("tsne", "openTSNE", "opentsne"), ("pacmap", "pacmap", "pacmap")],
)
def test_without_its_package_the_extra_is_named(method: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*pellucid\[layout\]"):
        layout(clusters()[0], method=method)  # pyright: ignore[reportArgumentType]


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


def test_trustworthiness_takes_equal_distances_in_the_order_of_the_rows() -> None:
    """Ranks by a stable sort of all distances, as the measure is written down."""
    random = np.random.default_rng(0)
    rows, points = random.integers(0, 3, (60, 2)).astype(np.float32), random.random((60, 2))
    excess = 0
    for row in range(60):
        order = [each for each in np.argsort(np.square(rows - rows[row]).sum(1), kind="stable") if each != row]
        near = [each for each in np.argsort(np.square(points - points[row]).sum(1)) if each != row][:5]
        excess += sum(max(0, order.index(each) + 1 - 5) for each in near)
    wanted = 1 - excess * 2 / (60 * 5 * (120 - 15 - 1))
    assert trustworthiness(rows, points, 5, metric="euclidean") == pytest.approx(wanted, abs=1e-9)


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
