"""Counts against a bin looked up for every number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.kernels import tally, tallying
from pellucid.kernels.tallying import BINS, HALF, edges

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)
EDGES = edges()


def by_hand(value: float) -> int:
    """The bin of a number; of an edge, the bin away from zero."""
    place = int(np.searchsorted(EDGES, abs(value), side="right")) - 1
    size = min(max(place - HALF, 0), HALF)
    return HALF - size if value < 0 else HALF + size


@pytest.mark.parametrize("loops", [True, False])
@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, min_size=12, max_size=12))
def test_every_number_is_in_its_bin(loops: bool, numbers: list[float]) -> None:
    maps = torch.tensor(numbers).reshape(2, 3, 1, 2)
    counts = np.zeros((3, BINS), np.int64)
    with pytest.MonkeyPatch.context() as patch:
        if not loops:
            patch.setattr(tallying, "compiled", lambda: None)
        tally(maps, counts)
    wanted = np.zeros_like(counts)
    for picture in range(2):
        for channel in range(3):
            for value in maps[picture, channel].flatten().tolist():
                wanted[channel, by_hand(value)] += 1
    assert np.array_equal(counts, wanted)


def test_edges_are_symmetrical_and_eight_to_an_octave() -> None:
    assert len(EDGES) == BINS + 1 and np.array_equal(EDGES, -EDGES[::-1]) and (np.diff(EDGES) > 0).all()
    assert np.array_equal(EDGES[-9] * 2, EDGES[-1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_layout_and_type(layout: torch.memory_format, dtype: torch.dtype) -> None:
    maps = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    found, wanted = np.zeros((4, BINS), np.int64), np.zeros((4, BINS), np.int64)
    tally(maps.to(memory_format=layout), found)
    tally(maps.float(), wanted)
    assert np.array_equal(found, wanted) and found.sum() == maps.numel()


def test_threads_share_the_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.randn(3, 7, 5, 6, generator=torch.Generator().manual_seed(0))
    found = np.zeros((2, 7, BINS), np.int64)
    for counts, threads in zip(found, (1, 3), strict=True):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        tally(maps, counts)
    assert np.array_equal(*found)
