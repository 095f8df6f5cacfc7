"""Extremes against a search through every map."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.kernels import extremes, peaks

NUMBERS = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1.0, 1e-30, 7.0])


def by_hand(map: torch.Tensor, least: bool) -> tuple[float, int]:
    best, place = None, 0
    for at, value in enumerate(map.flatten().tolist()):
        if best is None or (value < best if least else value > best):
            best, place = value, at
    assert best is not None
    return best, place


@pytest.mark.parametrize("loops", [True, False])
@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, min_size=24, max_size=24), st.booleans(), st.sampled_from([torch.channels_last, torch.contiguous_format]))
def test_the_first_of_the_largest_or_the_least(loops: bool, numbers: list[float], least: bool, layout: torch.memory_format) -> None:
    maps = torch.tensor(numbers).reshape(2, 3, 2, 2).to(memory_format=layout)
    with pytest.MonkeyPatch.context() as patch:
        if not loops:
            patch.setattr(peaks, "compiled", lambda: None)
        values, places = extremes(maps, least=least)
    wanted = [[by_hand(map, least) for map in picture] for picture in maps]
    assert values.tolist() == [[value for value, _ in picture] for picture in wanted]
    assert places.tolist() == [[place for _, place in picture] for picture in wanted]


def test_bfloat16_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = (
        torch.randn(5, 4, 3, 6, generator=torch.Generator().manual_seed(0)).bfloat16().contiguous(memory_format=torch.channels_last)
    )
    wanted = maps.float().flatten(2).max(2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    values, places = extremes(maps)
    assert values.dtype == torch.float32 and torch.equal(values, wanted.values)
    assert torch.equal(maps.float().flatten(2).gather(2, places[..., None])[..., 0], wanted.values)
