"""Memory that is kept, by the pages that the system has to give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from pellucid.models import memory
from pellucid.models.memory import memory_kept

glibc = pytest.mark.skipif(memory._glibc() is None, reason="the C library is not glibc")


SMALL, LARGE = (2**22,) * 4, (2**25,)  # numbers in blocks of 16 and of 128 MB
COUNT = """
import resource, torch
from pellucid.models.memory import memory_kept

def pages(times=10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        held = [torch.empty(count).fill_(1) for count in {blocks}]
        del held
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times

print(pages())
with memory_kept():
    pages(6)  # until blocks have found their places
    with memory_kept():
        print(pages())
    print(pages())
"""


def in_use() -> int:
    """Bytes of the process that lie in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@glibc
@pytest.mark.parametrize("blocks", [LARGE, SMALL])
def test_what_is_freed_inside_is_not_asked_for_again(blocks: Sequence[int]) -> None:
    """Pages that the system gives each time: before, inside of two, and of one. In a process whose memory is all its own."""
    done = subprocess.run([sys.executable, "-c", COUNT.format(blocks=blocks)], capture_output=True, text=True, check=True)
    before, inner, outer = map(float, done.stdout.split())
    assert max(inner, outer) < before / 10


@glibc
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from Linux's /proc")
def test_the_system_gets_it_back_also_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), memory_kept():
        blocks = [torch.empty(count).fill_(1) for count in SMALL]
        del blocks
        held = in_use()
        _ = 1 / 0
    assert in_use() < held - 2**25


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with memory_kept():
        assert memory._inside == 0
