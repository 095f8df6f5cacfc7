"""`python -m benchmarks.search`: search and layouts of 100,000 rows of 512 numbers, and of a saved million the first query."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.layout import LAYOUT_COLUMNS, LAYOUT_NOTES, LAYOUTS, laid_out
from benchmarks.rows import WIDTH, blocks
from benchmarks.table import SEARCH_MARKERS, block, insert, machine

ROWS, FIT, MILLION = 100_000, 50_000, 1_000_000
QUERIES, K = 200, 10
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


NOTES = (
    f"Rows of {WIDTH} numbers in half precision, compared by cosine, with one thread. Clustered: around 1,000 centres, most of the "
    "spread in 32 directions; random: without any structure.",
    f"One query: the median of 20; recall@{K}: the share of the {K} nearest rows that is found. Open + first query: of an index "
    "that was saved just before. MB: what the process holds beyond the rows.",
)


@click.command()
@click.option("--rows", type=click.IntRange(1000), default=ROWS, show_default=True)
@click.option("--fit", type=click.IntRange(1000), default=FIT, show_default=True, help="Rows that layouts are fitted on.")
@click.option("--million/--no-million", default=True, help="Whether to save and open a million rows too (1 GB of disk).")
@click.option("--layouts/--no-layouts", default=True, help="Whether to lay out the rows, too.")
@click.option("--readme", type=click.Path(exists=True, path_type=Path), help="Write the block between this file's two markers.")
def main(rows: int, fit: int, million: bool, layouts: bool, readme: Path | None) -> None:
    """Exact and approximate search: time to build, a query alone and among 200, recall, memory. Layouts: time, memory, quality."""
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # before a worker loads torch or numba
    if readme is not None:
        insert(readme.read_text("utf-8"), "", SEARCH_MARKERS)  # refuses now and not after a quarter of an hour
    tables = [(COLUMNS, list(_said(found_rows(rows, million))), NOTES)]
    if layouts:
        lines = _said(alone(laid_out, method, rows, min(fit, rows)) for method in LAYOUTS)
        tables.append((LAYOUT_COLUMNS, list(lines), LAYOUT_NOTES))
    for columns, lines, _ in tables:
        table = Table(*columns)
        for line in lines:
            table.add_row(*line)
        Console(width=160).print(table)
    notes = [*(note for _, _, some in tables for note in some), machine("cpu")]
    Console(width=160).print(*notes, sep="\n")
    if readme is not None:
        text = "\n\n".join([*(block(columns, lines) for columns, lines, _ in tables), "\n".join(f"- {note}" for note in notes)])
        readme.write_text(insert(readme.read_text("utf-8"), text, SEARCH_MARKERS), "utf-8")


def _said(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    """The lines of a table, each told as soon as it is measured."""
    for line in lines:
        Console(stderr=True, width=160).print("  ".join(line))
        yield line


def found_rows(rows: int, million: bool) -> Iterator[list[str]]:
    kinds = [False, True] if find_spec("faiss") else [False]
    for data in ("clustered", "random"):
        for approximate in kinds:
            yield alone(searched, data, rows, approximate)
    if million:
        with tempfile.TemporaryDirectory() as folder:
            for approximate in kinds:
                build = alone(save_million, folder, approximate)
                yield alone(opened, folder, build)


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def searched(data: str, count: int, approximate: bool) -> list[str]:
    from pellucid.analysis.index import Index

    rows = np.concatenate([some for some, _ in blocks(data, count)])
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
    start = 0
    for some, _ in blocks("clustered", MILLION):
        rows[start : start + len(some)] = some
        start += len(some)
    build, index = timed(lambda: Index.build(rows, approximate=approximate))
    index.save(Path(folder) / "index")
    path.unlink()
    return build


def opened(folder: str, build: float) -> list[str]:
    import pellucid.analysis.index  # noqa: F401  as whoever has searched before

    (query, _), before = next(blocks("clustered", 1)), own_memory()
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
