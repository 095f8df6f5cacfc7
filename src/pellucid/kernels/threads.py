"""Whether there are compiled loops, and how they are spread over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

import torch


@cache
def compiled() -> Any:
    """`pellucid.kernels.loops`; None where numba is not installed, or does not run with what is.

    >>> loops = compiled()
    """
    try:
        return import_module("pellucid.kernels.loops")
    except ImportError:  # numba says so, too, where numpy is newer than it knows
        return None


def spread(work: Callable[[int, int], object], count: int, least: int = 1) -> None:
    """Run work(first, last) for all of a range, in as many parts at once as torch has threads.

    Args:
        work: does from first to before last, and lets other threads run meanwhile.
        count: how much there is.
        least: in one part; handing one over takes a twentieth of a millisecond.

    >>> spread(lambda first, last: print(first, last), 1)
    0 1
    """
    parts = min(torch.get_num_threads(), count // least)
    if parts < 2:
        work(0, count)
        return
    mine, *theirs = pairwise(count * part // parts for part in range(parts + 1))
    others = [_pool(parts - 1).submit(work, *ends) for ends in theirs]
    try:
        work(*mine)
    finally:
        wait(others)  # which may read and write what is forgotten after an error
    for each in others:
        each.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "pellucid-kernel")
