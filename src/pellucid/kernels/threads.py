"""Whether there are compiled loops, and how they are spread over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
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


def spread(work: Callable[[int, int], object], count: int) -> None:
    """Run work(first, last) for all of a range, in as many parts at once as torch has threads.

    Args:
        work: does from first to before last, and lets other threads run meanwhile.
        count: how much there is.

    >>> spread(lambda first, last: print(first, last), 1)
    0 1
    """
    parts = min(torch.get_num_threads(), count)
    if parts < 2:
        work(0, count)
        return
    edges = [count * part // parts for part in range(parts + 1)]
    list(_pool(parts).map(work, edges[:-1], edges[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "pellucid-kernel")
