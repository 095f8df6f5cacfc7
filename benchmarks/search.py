"""`python -m benchmarks.search`: neighbour search over 100,000 rows of 512 numbers, and of a saved million the first query."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

ROWS, WIDTH, MILLION = 100_000, 512, 1_000_000
QUERIES, K = 200, 10
BLOCK = 20_000  # rows that are made at once
COLUMNS = (
    "rows",
    "data",
    "search",
    "build s",
    "one query ms",
    f"{QUERIES} queries, ms each",
    "recall@10",
    "open + first query s",
    "MB",
)


@click.command()
@click.option("--rows", type=click.IntRange(1000), default=ROWS, show_default=True)
@click.option("--million/--no-million", default=True, help="Whether to save and open a million rows too (1 GB of disk).")
def main(rows: int, million: bool) -> None:
    """Exact and approximate search: time to build, a query alone and among 200, recall, memory beyond the rows."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    kinds = [False, True] if find_spec("faiss") else [False]
    table = Table(*COLUMNS, title=f"{WIDTH} numbers a row, half precision, cosine, one thread")
    for data in ("clustered", "random"):
        for approximate in kinds:
            table.add_row(*alone(searched, data, rows, approximate))
    if million:
        with tempfile.TemporaryDirectory() as folder:
            for approximate in kinds:
                build = alone(save_million, folder, approximate)
                table.add_row(*alone(opened, folder, build))
    Console(width=160).print(table)
    if len(kinds) == 1:
        Console().print("faiss-cpu is not installed: no approximate search")


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def searched(data: str, count: int, approximate: bool) -> list[str]:
    from pellucid.analysis.index import Index

    rows = np.concatenate(list(blocks(data, count)))
    asked = rows[np.random.default_rng(1).permutation(count)[:QUERIES]] + np.float16(0.01)
    before = own_memory()
    build, index = timed(lambda: Index.build(rows, approximate=approximate))
    single = sorted(timed(lambda one=one: index.query(asked[one : one + 1], K))[0] for one in range(20))[10]
    together, _ = timed(lambda: index.query(asked, K))
    measured = [f"{build:.2f}", f"{1000 * single:.1f}", f"{1000 * together / QUERIES:.2f}", f"{index.recall:.3f}"]
    return [f"{count:,}", data, "approximate" if approximate else "exact", *measured, "", f"{own_memory() - before:.0f}"]


def save_million(folder: str, approximate: bool) -> float:
    """Save an index over a million rows; the seconds that it took to build."""
    from pellucid.analysis.index import Index

    path = Path(folder) / "rows.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (MILLION, WIDTH))
    for number, block in enumerate(blocks("clustered", MILLION)):
        rows[number * BLOCK : number * BLOCK + len(block)] = block
    build, index = timed(lambda: Index.build(rows, approximate=approximate))
    index.save(Path(folder) / "index")
    path.unlink()
    return build


def opened(folder: str, build: float) -> list[str]:
    import pellucid.analysis.index  # noqa: F401  as whoever has searched before

    query, before = next(blocks("clustered", 1)), own_memory()
    spent, index = timed(lambda: first_query(Path(folder) / "index", query))
    single = sorted(timed(lambda: index.query(query, K))[0] for _ in range(5))[2]
    kind = "exact" if index.exact else "approximate"
    measured = [f"{build:.2f}", f"{1000 * single:.1f}", "", f"{index.recall:.3f}", f"{spent:.2f}", f"{own_memory() - before:.0f}"]
    return [f"{MILLION:,}", "clustered", kind, *measured]


def first_query(folder: Path, query: np.ndarray) -> Any:
    from pellucid.analysis.index import Index

    index = Index.open(folder)
    index.query(query, K)
    return index


def blocks(data: str, count: int) -> Iterator[np.ndarray]:
    """Rows without any structure, or around 1,000 centres with most of their spread in 32 directions, as layers have it."""
    numbers = np.random.default_rng(0)
    centres = numbers.standard_normal((1_000, WIDTH), np.float32)
    directions = numbers.standard_normal((32, WIDTH), np.float32) / 16
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        noise = numbers.standard_normal((size, WIDTH), np.float32)
        if data == "clustered":
            spread = numbers.standard_normal((size, 32), np.float32) @ directions
            noise = centres[numbers.integers(0, len(centres), size)] + spread + 0.2 * noise
        yield noise.astype(np.float16)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def own_memory() -> float:
    """MB that are this process's alone: pages of mapped files, which the machine may take back, do not count."""
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("RssAnon")) / 1024


if __name__ == "__main__":
    main()
