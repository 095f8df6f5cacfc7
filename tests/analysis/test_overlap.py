"""Thresholds against all activations, sorted."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis import overlap as module
from pellucid.analysis.overlap import Highest


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(0, 99), st.sampled_from([0.01, 0.1, 0.5]), st.booleans())
def test_thresholds_are_those_of_all_activations_sorted(batches: int, seed: int, share: float, rectified: bool) -> None:
    maps = torch.randn(4 * batches, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    maps[:, 1] -= 3  # answers at few positions once it is rectified
    maps = maps.relu() if rectified else maps
    top = Highest(share, len(maps) * 20)
    for batch in maps.split(4):
        top.see(batch)
    for unit, threshold in enumerate(top.thresholds().tolist()):
        ordered = sorted(maps[:, unit].flatten().tolist(), reverse=True)
        reached = ordered[max(1, int(share * len(ordered))) - 1]
        rare = [each for each in ordered[: int(share * len(ordered)) + 1] if each > ordered[-1]]
        assert threshold == (reached if reached > ordered[-1] else min(rare, default=torch.inf))


def test_of_many_activations_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 400)
    maps = torch.randn(200, 2, 20, 20, generator=torch.Generator().manual_seed(0))
    top = Highest(0.05, 200 * 400)
    for batch in maps.split(10):
        top.see(batch)
    shares = (maps >= top.thresholds()[:, None, None]).float().mean((0, 2, 3))
    assert shares.numpy() == pytest.approx(0.05, rel=3 / 400**0.5) and not (shares == 0.05).any()
    assert top._kept is not None and top._kept.shape == (2, 400)
    assert top._seen == pytest.approx(400 / 0.05, rel=0.05)


def test_what_is_kept_does_not_grow_with_the_pictures() -> None:
    kept = []
    for pictures in (10_000, 10_000_000):
        top = Highest(0.005, pictures * 1000)
        for _ in range(4):
            top.see(torch.rand(1000, 1, 25, 40))
        assert top._kept is not None
        kept.append(top._kept.numel())
    assert max(kept) <= module.KEPT
