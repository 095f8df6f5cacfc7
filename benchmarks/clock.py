"""What seconds are: those of the process on a CPU, which other work on the machine moves little; those of the wall on a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch


def now(device: str) -> float:
    """Seconds since some moment; on a GPU after all that was asked of it is done."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each, round by round, after one round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn > 0:
                times[name].append(time.process_time() - start)
    return times


def quotient(first: Sequence[float], second: Sequence[float]) -> float:
    """The median of the quotients in each round."""
    return statistics.median(one / other for one, other in zip(first, second, strict=True))
