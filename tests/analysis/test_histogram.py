"""Counts and quantiles of a collection against all of its activations, sorted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pellucid.analysis.histogram import Histogram, Histograms, histogram
from pellucid.errors import NotFoundError, UsageError


@dataclass
class Parts:
    """As much of a store as histograms are read from."""

    found: list[dict[str, np.ndarray]]
    channels: int

    def layer(self, name: str) -> Parts:
        if name != "a":
            raise NotFoundError("layer", name, ["a"])
        return self

    def extras(self, observer: str) -> list[dict[str, np.ndarray]]:
        return self.found if observer == "histograms" else []


def counted(maps: Tensor, part: int = 1000, batch: int = 5) -> Histogram:
    observer, found = Histograms(), []
    for start in range(0, len(maps), part):
        observer.start({"a": maps.shape[1]})
        for some in torch.arange(start, min(start + part, len(maps))).split(batch):
            observer.see(some, {"a": maps[some]})
        found.append({name: value.numpy() for name, value in observer.part().items()})
    return histogram(Parts(found, maps.shape[1]), "a")  # pyright: ignore[reportArgumentType]


def drawn(count: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, 3, 4, 5, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(0, 99), st.sampled_from([1e-3, 1.0, 1e3]), st.floats(0, 1), st.booleans())
def test_quantiles_are_those_of_all_activations_sorted(count: int, seed: int, scale: float, share: float, rectified: bool) -> None:
    maps = drawn(count, seed, scale)
    maps = maps.relu() if rectified else maps
    found = counted(maps).quantile(share)
    ordered = maps.transpose(0, 1).flatten(1).sort(1).values
    place = share * ordered.shape[1]
    low, high = (ordered[:, min(max(int(at), 0), ordered.shape[1] - 1)] for at in (np.ceil(place) - 1, np.ceil(place)))
    for value, exact in zip(found, torch.stack([low, high], 1).tolist(), strict=True):
        least, most = (each - abs(each) / 8 - 2**-13 for each in exact[:1]), (each + abs(each) / 8 + 2**-13 for each in exact[1:])
        assert next(least) <= value <= next(most)


def test_parts_add_up() -> None:
    maps = drawn(23, 0)
    whole, parts = counted(maps), counted(maps, part=7, batch=3)
    assert np.array_equal(whole.counts, parts.counts) and whole.counts.sum() == maps.numel()


def test_quantiles_rise() -> None:
    found = counted(drawn(20, 1))
    rows = np.stack([found.quantile(share) for share in np.linspace(0, 1, 21)])
    assert (np.diff(rows, axis=0) >= 0).all() and (rows[0] < rows[-1]).all()


def test_a_constant_channel_has_its_value_everywhere() -> None:
    found = counted(torch.full((4, 2, 3, 3), 5.0))
    for share in (0, 0.3, 1):
        assert np.abs(found.quantile(share) - 5).max() <= 5 / 8


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 30), st.integers(0, 99), st.integers(1, 12), st.booleans())
def test_bars_are_the_counts_over_the_range(count: int, seed: int, bars: int, rectified: bool) -> None:
    maps = drawn(count, seed)
    maps = maps.relu() if rectified else maps
    low, high, shares = counted(maps).bars(bars)
    assert shares.shape == (3, bars) and np.allclose(shares.sum(1), 1)
    for channel in range(3):
        values = maps[:, channel].flatten().double().numpy()
        assert low[channel] <= values.min() and values.max() <= high[channel]
        places = np.linspace(low[channel], high[channel], bars + 1)
        for place, share in zip(places[1:-1], shares[channel].cumsum()[:-1], strict=True):
            slack = abs(place) / 8 + 2**-13  # a bin may lie on both sides of an edge
            assert (values < place - slack).mean() - 1e-9 <= share <= (values <= place + slack).mean() + 1e-9


def test_bars_of_a_rectified_channel_begin_at_zero() -> None:
    low, high, shares = counted(drawn(20, 0).relu()).bars(10)
    assert (low == 0).all() and (high > 2).all() and (shares[:, 0] > 0.5).all()


def test_what_is_kept_does_not_grow_with_the_pictures() -> None:
    sizes = []
    for count in (10, 400):
        observer = Histograms()
        observer.start({"a": 3})
        observer.see(torch.arange(count), {"a": drawn(1, 0).repeat(count, 1, 1, 1)})
        sizes.append(sum(each.numel() for each in observer.part().values()))
    assert sizes[0] == sizes[1]


def test_an_empty_part_adds_nothing_and_an_empty_collection_has_no_quantiles() -> None:
    observer = Histograms()
    observer.start({"a": 3})
    nothing = {name: value.numpy() for name, value in observer.part().items()}
    empty = histogram(Parts([nothing], 3), "a")  # pyright: ignore[reportArgumentType]
    assert not empty.counts.any()
    with pytest.raises(UsageError, match="no activation was counted"):
        empty.quantile(0.5)
    assert not empty.bars(4)[2].any()
    with pytest.raises(UsageError, match="count=0"):
        empty.bars(0)
    with pytest.raises(UsageError, match=r"share must be from 0 to 1, not 1.5"):
        counted(drawn(1, 0)).quantile(1.5)
