"""Memory that is kept, by the pages that the system has to give."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from pellucid.models import memory
from pellucid.models.memory import memory_kept

glibc = pytest.mark.skipif(memory._glibc() is None, reason="the C library is not glibc")


SMALL, LARGE = (2**22,) * 4, (2**25,)  # numbers in blocks of 16 and of 128 MB


def pages(blocks: Sequence[int], times: int = 10) -> float:
    """Pages that the system gives each time some blocks are wanted, used and freed."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        held = [torch.empty(count).fill_(1) for count in blocks]
        del held
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times


def in_use() -> int:
    """Bytes of the process that lie in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@glibc
@pytest.mark.parametrize("blocks", [LARGE, SMALL])
def test_what_is_freed_inside_is_not_asked_for_again(blocks: Sequence[int]) -> None:
    outside = pages(blocks)
    with memory_kept():
        pages(blocks, 2)
        with memory_kept():
            assert pages(blocks) < outside / 10
        assert pages(blocks) < outside / 10  # also after an inner one
    assert pages(blocks) > outside / 10


@glibc
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from Linux's /proc")
def test_the_system_gets_it_back_also_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), memory_kept():
        pages(SMALL, 2)
        held = in_use()
        _ = 1 / 0
    assert in_use() < held - 2**25


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory_kept():
        assert memory._inside == 0
