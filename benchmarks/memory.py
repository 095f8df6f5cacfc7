"""How far a process grows, read from Linux's /proc."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def reset_peak() -> int:
    """Bytes in use now, from where `peak` counts.

    Raises:
        OSError: this is no Linux.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("memory is read from Linux's /proc")
    gc.collect()
    ctypes.CDLL(ctypes.util.find_library("c")).malloc_trim(0)  # what was freed goes back to the system
    RESET.write_text("5")
    return status("VmRSS")


def peak() -> int:
    """Bytes that were in use at most since `reset_peak`."""
    return status("VmHWM")


def status(field: str) -> int:
    """Bytes that the process has of something, as `VmRSS` or `RssAnon`."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
