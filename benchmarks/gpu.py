"""How much of the time a GPU works."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from collections.abc import Callable

QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0", "--loop-ms=100"]


def busy(work: Callable[[], object]) -> float | None:
    """Percent of the time in which a kernel ran while `work` ran, the median of ten looks a second; None where nothing tells."""
    if shutil.which(QUERY[0]) is None:
        return None
    with subprocess.Popen(QUERY, stdout=subprocess.PIPE, text=True) as watcher:
        work()
        watcher.terminate()
        seen, _ = watcher.communicate()
    looks = [float(line) for line in seen.split() if line.isdecimal()]
    return statistics.median(looks) if looks else None
