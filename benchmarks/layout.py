"""One layout of many rows: processor time, memory, and what the map keeps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.memory import peak, reset_peak
from benchmarks.rows import blocks

LAYOUTS = ("pca", "umap", "pacmap", "tsne")
LAYOUT_COLUMNS = ("layout", "rows", "fitted", "s", "MB", "trustworthiness", "neighbour accuracy", "among the rows")
LAYOUT_NOTES = (
    "Layouts of the clustered rows: fitted on a sample of them, which the others are laid beside. Processor time of one thread, "
    "finding exact neighbours and placing included, after a layout of 100 rows, which compiles what has to be. MB: by how much the "
    "process grows at most. Trustworthiness of 15 neighbours; neighbour accuracy: how often 10 of them vote for a row's centre. "
    "2,000 rows are judged.",
)


def laid_out(method: Any, count: int, fit: int) -> list[str]:
    """A line of the table; meant for a process of its own."""
    from pellucid.analysis.embedding import neighbour_accuracy
    from pellucid.analysis.neighbours import unit
    from pellucid.analysis.reduce import layout, trustworthiness

    rows, centres = (np.concatenate(each) for each in zip(*blocks("clustered", count), strict=True))
    layout(rows[:100], method=method)
    before, start = reset_peak(), time.process_time()
    points = layout(rows, method=method, fit=fit)
    spent, grown = time.process_time() - start, (peak() - before) / 1e6
    kept = [trustworthiness(rows, points), neighbour_accuracy(points, centres), neighbour_accuracy(unit(rows), centres)]
    fitted = count if method == "pca" else fit
    return [method, f"{count:,}", f"{fitted:,}", f"{spent:.0f}", f"{grown:.0f}", *(f"{each:.3f}" for each in kept)]
