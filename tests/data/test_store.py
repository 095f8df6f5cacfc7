from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pellucid.data.store import Rows, Store, map_tensor, to_half
from pellucid.errors import PellucidError, UsageError


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.data())
def test_rows_are_the_concatenation(sizes: list[int], data: st.DataObject) -> None:
    whole = np.arange(sum(sizes) * 3, dtype=np.float16).reshape(-1, 3)
    rows = Rows(np.split(whole, np.cumsum(sizes)[:-1]))
    assert (rows.shape, len(rows), rows.dtype) == (whole.shape, len(whole), whole.dtype)
    assert np.array_equal(np.asarray(rows), whole) and np.asarray(rows, np.float32).dtype == np.float32
    index = data.draw(st.lists(st.integers(-len(whole), len(whole) - 1), max_size=9))
    assert np.array_equal(rows[np.array(index, int)], whole[np.array(index, int)])
    assert np.array_equal(rows[1::2], whole[1::2]) and np.array_equal(rows[-1], whole[-1])
    first, last = (data.draw(st.integers(-len(whole) - 1, len(whole) + 1)) for _ in range(2))
    assert np.array_equal(rows[first:last], whole[first:last]) and rows[first:last].dtype == whole.dtype
    mask = np.arange(len(whole)) % 2 == 0
    assert np.array_equal(rows[mask], whole[mask])
    with pytest.raises(IndexError):
        rows[len(whole)]


def test_vectors_are_mapped_not_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float16)
    save_file({"other": np.arange(3, dtype=np.int64), "activations": values}, tmp_path / "a.safetensors")
    found = map_tensor(tmp_path / "a.safetensors", "activations")
    assert isinstance(found, np.memmap) and np.array_equal(found, values)
    assert map_tensor(tmp_path / "a.safetensors", "none") is None


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no store"):
        Store.open(tmp_path)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(PellucidError, match="cannot be read"):
        Store.open(tmp_path)
    (tmp_path / "store.json").write_text('{"schema": 99}')
    with pytest.raises(UsageError, match="version 99"):
        Store.open(tmp_path)


def test_halves_are_cut_to_their_range() -> None:
    half, cut = to_half(torch.tensor([1.0, 65504.0, 65600.0, -1e9, 1e-3]))
    assert half.tolist() == [1.0, 65504.0, 65504.0, -65504.0, float(np.float16(1e-3))] and cut == 2
