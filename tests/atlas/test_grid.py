from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.atlas import grid as module
from pellucid.atlas.grid import Level, bins, levels, whitening
from pellucid.data.store import Rows
from pellucid.errors import UsageError


@given(st.integers(1, 40), st.integers(1, 200), st.integers(0, 99))
def test_every_point_is_in_exactly_one_bin(grid: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2))
    points[: count // 4] = rng.integers(0, grid + 1, (count // 4, 2)) / grid  # on the edges
    for (x, y), found in zip(points, bins(points, grid), strict=True):
        col, row = (min(int(np.floor(value * grid)), grid - 1) for value in (x, y))
        assert found == row * grid + col


@pytest.mark.parametrize("points", [[[1.1, 0.0]], [[0.0, -0.1]], [[np.nan, 0.0]]])
def test_points_outside_are_refused(points: list[list[float]]) -> None:
    with pytest.raises(UsageError, match="lie in"):
        bins(np.array(points), 4)


def data(count: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(count, 6))).astype(np.float16)
    return rng.random((count, 2)), vectors, rng.normal(size=(count, 9)).astype(np.float16), rng.integers(0, count // 3, count)


def brute_force(grid: int, minimum: int) -> dict[tuple[int, int], list[int]]:
    cells: dict[tuple[int, int], list[int]] = {}
    for index, (x, y) in enumerate(data()[0]):
        cells.setdefault((min(int(y * grid), grid - 1), min(int(x * grid), grid - 1)), []).append(index)
    return {place: rows for place, rows in sorted(cells.items()) if len(rows) >= minimum}


def check(level: Level, grid: int, minimum: int) -> None:
    _, vectors, attributions, pictures = data()
    wanted = brute_force(grid, minimum)
    assert [(cell.row, cell.col) for cell in level.cells] == list(wanted)
    for cell, rows in zip(level.cells, wanted.values(), strict=True):
        mean = vectors[rows].astype(np.float64).mean(0)
        np.testing.assert_allclose(level.means[cell.mean], mean, rtol=1e-6)
        assert cell.count == len(rows) and cell.cosine is None
        means = attributions[rows].astype(np.float64).mean(0)
        assert [index for index, _ in cell.classes] == np.argsort(-means)[:5].tolist()
        np.testing.assert_allclose([value for _, value in cell.classes], np.sort(means)[::-1][:5], atol=1e-6)
        wide = vectors.astype(np.float64)
        closeness = {row: wide[row] @ mean / np.linalg.norm(wide[row]) / np.linalg.norm(mean) for row in rows}
        best: list[int] = []
        for row in sorted(rows, key=lambda row: -closeness[row]):
            if pictures[row] not in pictures[best]:
                best.append(row)
        assert list(cell.examples) == best[:6]


@pytest.mark.parametrize("block", [1 << 24, 12])
def test_cells_equal_brute_force_on_every_level(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    points, vectors, attributions, pictures = data()
    for minimum in (1, 5):
        found = levels(points, Rows(np.array_split(vectors, 7)), attributions, grids=(3, 5, 8), minimum=minimum, images=pictures)
        for grid, level in zip((3, 5, 8), found, strict=True):
            check(level, grid, minimum)


def test_an_atlas_without_attributions_or_cells() -> None:
    points, vectors, _, _ = data()
    (level,) = levels(points, vectors, None, grids=(2,))
    assert all(cell.classes == () for cell in level.cells) and len(level.cells) == 4
    (empty,) = levels(points, vectors, None, grids=(2,), minimum=301)
    assert empty.cells == () and empty.means.shape == (0, 6)


def test_wrong_use() -> None:
    points, vectors, attributions, _ = data()
    with pytest.raises(UsageError, match="as many rows"):
        levels(points, vectors[:-1], attributions)
    with pytest.raises(UsageError, match="grid=0"):
        levels(points, vectors, attributions, grids=(0,))
    with pytest.raises(UsageError, match="minimum=0"):
        levels(points, vectors, attributions, minimum=0)
    with pytest.raises(UsageError, match="ridge=0"):
        whitening(vectors, ridge=0)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 30), st.integers(1, 8), st.floats(0.01, 10), st.integers(0, 99))
def test_whitening_equals_the_inverse_moment(count: int, channels: int, ridge: float, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, channels)).astype(np.float32)
    moment = rows.astype(np.float64).T @ rows / count
    wanted = np.linalg.inv(moment + ridge * np.trace(moment) / channels * np.eye(channels))
    np.testing.assert_allclose(whitening(rows, ridge).numpy(), wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


def test_whitening_in_blocks_and_of_rank_deficient_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float16)
    whole = whitening(rows)
    monkeypatch.setattr(module, "BLOCK", 18)
    np.testing.assert_allclose(whitening(Rows(np.array_split(rows, 5))), whole, rtol=1e-4, atol=1e-5)
    rows[:, 3:] = 0
    assert whitening(rows).isfinite().all()
    assert torch.equal(whitening(np.zeros((5, 3), np.float16)), torch.eye(3))


def test_cells_where_the_layer_is_silent_are_left_out() -> None:
    points, vectors = np.array([[0.1, 0.1], [0.9, 0.9]], np.float32), np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)
    (level,) = levels(points, vectors, None, grids=[2], minimum=1)
    assert [(cell.row, cell.col) for cell in level.cells] == [(1, 1)]
