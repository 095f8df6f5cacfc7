from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis import index
from pellucid.analysis.neighbours import neighbours
from pellucid.errors import UsageError

METRICS = ["cosine", "euclidean"]


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
