from __future__ import annotations

import sys
import threading

import pytest
import torch

from pellucid.kernels import threads


def test_without_numba_there_are_no_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.compiled().__name__ == "pellucid.kernels.loops"
    monkeypatch.setitem(sys.modules, "pellucid.kernels.loops", None)  # as where importing it fails
    assert threads.compiled.__wrapped__() is None


@pytest.mark.parametrize("count", [0, 1, 2, 5, 17])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_every_part_is_done_once(count: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: number)
    done: list[int] = []
    threads.spread(lambda first, last: done.extend(range(first, last)), count)
    assert sorted(done) == list(range(count))


def test_parts_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    meeting = threading.Barrier(2, timeout=10)
    threads.spread(lambda first, last: meeting.wait(), 2)


def test_what_goes_wrong_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def fail(first: int, last: int) -> None:
        raise MemoryError(f"{first} to {last}")

    with pytest.raises(MemoryError, match="0 to 1"):
        threads.spread(fail, 2)
