"""What seconds are: those of the process on a CPU, which other work on the machine moves little; those of the wall on a GPU."""

from __future__ import annotations

import time

import torch


def now(device: str) -> float:
    """Seconds since some moment; on a GPU after all that was asked of it is done."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
