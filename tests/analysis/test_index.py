"""Nearest rows against a plain loop over all of them."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.analysis import index as module
from pellucid.analysis.index import Index
from pellucid.data.store import Rows
from pellucid.errors import MissingExtraError, PellucidError, UsageError

METRICS = ["cosine", "euclidean"]


def rows_of(count: int, width: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float16)


def clusters(count: int, width: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(40, width))[rng.integers(0, 40, count)] + 0.4 * rng.normal(size=(count, width))).astype(np.float16)


def distance(one: np.ndarray, other: np.ndarray, metric: str) -> float:
    if metric == "euclidean":
        return math.dist(one.tolist(), other.tolist())
    lengths = math.hypot(*one.tolist()), math.hypot(*other.tolist())
    if not all(lengths):
        return float(any(lengths))
    return 1 - sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True)) / (lengths[0] * lengths[1])


def brute_force(rows: np.ndarray, query: np.ndarray, k: int, metric: str) -> list[tuple[float, int]]:
    """All distances, one after the other; those that only rounding parts are equal."""
    found = [(round(distance(row, query, metric), 9), number) for number, row in enumerate(rows.astype(np.float64))]
    return sorted(found)[:k]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [1 << 20, 50])
def test_exact_is_brute_force(metric: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    rows, queries = rows_of(70), rows_of(9, seed=1)
    rows[[4, 40]] = 0
    queries[2], queries[3], queries[4] = 0, rows[11], 2 * rows[12]
    index = Index.build(rows, metric=metric)  # type: ignore[arg-type]
    found, distances = index.query(queries, 12)
    for query, near, apart in zip(queries.astype(np.float64), found, distances, strict=True):
        wanted = brute_force(rows, query, 12, metric)
        assert near.tolist() == [number for _, number in wanted]
        np.testing.assert_allclose(apart, [each for each, _ in wanted], atol=1e-8)
    assert index.exact and index.recall == 1


@pytest.mark.parametrize("metric", METRICS)
def test_equal_rows_come_in_their_order_whatever_the_blocks(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.tile(rows_of(3), (40, 1))  # 0 1 2 0 1 2 ...
    for block in (1 << 20, 6 * 7):
        monkeypatch.setattr(module, "BLOCK", block)
        found, distances = Index.build(rows, metric=metric).query(rows[1:2], 5)  # type: ignore[arg-type]
        assert found.tolist() == [[1, 4, 7, 10, 13]] and (distances == 0).all()


def test_near_rows_far_from_the_origin_are_told_apart() -> None:
    rows = (1000 + np.arange(60)[:, None] / 64 * np.ones((1, 4))).astype(np.float32)
    found, distances = Index.build(rows, metric="euclidean").query(rows[30:31], 3)
    assert found.tolist() == [[30, 29, 31]] and distances[0].tolist() == [0, 2 / 64, 2 / 64]


def test_rows_of_a_store_tensors_and_read_only_arrays_are_taken() -> None:
    rows = rows_of(30)
    fixed = rows.copy()
    fixed.flags.writeable = False
    wanted = Index.build(rows).query(rows[:4], 5)[0]
    for same in (Rows([rows[:7], rows[7:]]), torch.from_numpy(rows), fixed):
        assert np.array_equal(Index.build(same).query(rows[:4], 5)[0], wanted)


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1 << 14)
    largest = [_largest(Index.build(rows_of(count, 32)), rows_of(200, 32, 1)) for count in (2_000, 20_000)]
    assert largest[1] == largest[0] <= 2 << 14


def _largest(index: Index, queries: np.ndarray) -> int:
    """The numbers in the largest tensor that any operation gives."""
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = function(*args, **({} if kwargs is None else kwargs))
            sizes.extend(
                each.numel() for each in (found if isinstance(found, tuple | list) else [found]) if isinstance(each, torch.Tensor)
            )
            return found

    with Watch():
        index.query(queries, 5)
    return max(sizes)


@pytest.mark.parametrize("metric", METRICS)
def test_recall_is_what_it_says(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged by all rows, it is the share of the ten nearest others, counted row by row; by some, it is near that."""
    pytest.importorskip("faiss")
    rows = clusters(3_000)
    some = Index.build(rows, metric=metric, approximate=True, seed=1)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "JUDGED", len(rows))
    index = Index.build(rows, metric=metric, approximate=True, seed=1)  # type: ignore[arg-type]
    assert not index.exact and 0.9 < index.recall < 1 and f"recall@10 {index.recall:.3f}" in repr(index)
    found, distances = index.query(rows, 11)
    wanted, true = Index.build(rows, metric=metric, approximate=False).query(rows, 11)  # type: ignore[arg-type]
    counted = [
        len({*near} & {*exact} - {own}) / 10 for own, (near, exact) in enumerate(zip(found.tolist(), wanted.tolist(), strict=True))
    ]
    assert np.mean(counted) == pytest.approx(index.recall)
    assert some.recall == pytest.approx(index.recall, abs=0.03)
    same = found == wanted
    np.testing.assert_array_equal(distances[same], true[same])  # not those of the codes


def test_recall_is_low_where_it_is() -> None:
    """Rows without any structure; the ten nearest of other rows than those that were judged, counted one by one."""
    pytest.importorskip("faiss")
    rows = rows_of(4_000, 64)
    index = Index.build(rows, approximate=True)
    assert index.recall < 0.8
    exact = Index.build(rows, approximate=False)
    share = [
        len({*index.query(rows[own : own + 1], 11)[0][0].tolist()} & {*exact.query(rows[own : own + 1], 11)[0][0].tolist()} - {own})
        / 10
        for own in range(0, 4_000, 20)
    ]
    assert np.mean(share) == pytest.approx(index.recall, abs=0.05)


def test_more_neighbours_than_a_list_holds_are_found_exactly() -> None:
    pytest.importorskip("faiss")
    rows = clusters(500)
    index = Index.build(rows, approximate=True)
    assert np.array_equal(index.query(rows[:3], 500)[0], Index.build(rows).query(rows[:3], 500)[0])


@pytest.mark.parametrize("approximate", [False, True])
def test_saved_and_opened_is_the_same(tmp_path: Path, approximate: bool) -> None:
    if approximate:
        pytest.importorskip("faiss")
    rows = clusters(2_000)
    index = Index.build(rows, metric="euclidean", approximate=approximate, seed=3)
    index.save(tmp_path / "index")
    opened = Index.open(tmp_path / "index")
    assert (opened.metric, opened.recall, opened.exact, len(opened)) == ("euclidean", index.recall, not approximate, 2_000)
    assert opened.vectors.dtype == np.float16
    for one, other in zip(opened.query(rows[:50], 9), index.query(rows[:50], 9), strict=True):
        assert np.array_equal(one, other)


def test_opening_does_not_read(tmp_path: Path) -> None:
    """What is written over the file's middle after it was opened is what a query finds: it had not been read."""
    rows = rows_of(50_000, 16)
    Index.build(rows, metric="cosine").save(tmp_path)
    opened = Index.open(tmp_path)
    with (tmp_path / "vectors.npy").open("r+b") as file:
        file.seek(-16 * 2 * 25_000, 2)
        file.write(np.full(16, opened.norms[25_000] / 4, np.float16).tobytes())  # of the same length
    found, distances = opened.query(np.ones((1, 16)), 1)
    assert isinstance(opened.vectors, np.memmap) and isinstance(opened.norms, np.memmap)
    assert found.tolist() == [[25_000]] and distances[0, 0] < 1e-6


def test_a_query_does_not_write(tmp_path: Path) -> None:
    Index.build(rows_of(100)).save(tmp_path)
    before = (tmp_path / "vectors.npy").read_bytes()
    Index.open(tmp_path).query(rows_of(5, seed=1), 3)
    assert (tmp_path / "vectors.npy").read_bytes() == before


def test_large_is_approximate_and_small_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(module, "LARGE", 500)
    assert Index.build(rows_of(500)).exact and not Index.build(clusters(501)).exact
    assert Index.build(clusters(501), approximate=False).exact


def test_without_faiss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    rows = rows_of(20)
    assert Index.build(rows).query(rows[:1], 1)[0].tolist() == [[0]]
    with pytest.raises(MissingExtraError, match=r"pellucid\[search\]"):
        Index.build(rows, approximate=True)
    Index.build(rows).save(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"schema": 1, "metric": "cosine", "recall": 0.9, "exact": False}))
    with pytest.raises(MissingExtraError, match=r"pellucid\[search\]"):
        Index.open(tmp_path)


def test_wrong_use(tmp_path: Path) -> None:
    rows = rows_of(20)
    index = Index.build(rows)
    for k in (0, 21):
        with pytest.raises(UsageError, match=f"k={k}: there are 20 rows"):
            index.query(rows, k)
    for wrong in (rows[0], rows[:, :3]):
        with pytest.raises(UsageError, match="rows of 6 numbers"):
            index.query(wrong, 1)
    with pytest.raises(UsageError, match="not finite"):
        index.query(np.full((1, 6), np.nan), 1)
    with pytest.raises(UsageError, match="'cosine' and 'euclidean'"):
        Index.build(rows, metric="dot")  # type: ignore[arg-type]
    for empty in (rows[:0], rows[0]):
        with pytest.raises(UsageError, match="n rows of c numbers"):
            Index.build(empty)
    rows[13, 2] = np.inf
    with pytest.raises(UsageError, match="row 13"):
        Index.build(rows)
    with pytest.raises(UsageError, match="holds no index"):
        Index.open(tmp_path)


def test_damaged_and_old_indexes(tmp_path: Path) -> None:
    Index.build(rows_of(20)).save(tmp_path)
    (tmp_path / "vectors.npy").write_bytes(b"not an array")
    with pytest.raises(PellucidError, match="damaged"):
        Index.open(tmp_path)
    (tmp_path / "index.json").write_text('{"schema": 0}')
    with pytest.raises(UsageError, match="version 0"):
        Index.open(tmp_path)
