"""Whether there are compiled loops, and how they are spread over threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec

import torch


@cache
def compiled() -> bool:
    """Whether numba is there to compile loops.

    >>> isinstance(compiled(), bool)
    True
    """
    return find_spec("numba") is not None


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
