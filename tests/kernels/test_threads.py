from __future__ import annotations

import sys
import threading
import time

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


@pytest.mark.parametrize(("count", "least", "parts"), [(5, 2, 2), (3, 2, 1), (40, 2, 4), (4, 5, 1)])
def test_small_parts_are_not_handed_over(count: int, least: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    done: list[tuple[int, int]] = []
    threads.spread(lambda first, last: done.append((first, last)), count, least)
    assert len(done) == parts and sorted(place for ends in done for place in range(*ends)) == list(range(count))


def test_no_part_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    done: list[int] = []

    def work(first: int, last: int) -> None:
        if first == 0:
            raise MemoryError("the first part")
        time.sleep(0.2)
        done.append(first)

    with pytest.raises(MemoryError, match="the first part"):
        threads.spread(work, 2)
    assert done == [1]


def test_parts_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    meeting = threading.Barrier(2, timeout=10)
    threads.spread(lambda first, last: meeting.wait(), 2)


@pytest.mark.parametrize("part", [0, 1])
def test_what_goes_wrong_is_raised(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def fail(first: int, last: int) -> None:
        if first == part:
            raise MemoryError(f"{first} to {last}")

    with pytest.raises(MemoryError, match=f"{part} to {part + 1}"):
        threads.spread(fail, 2)
