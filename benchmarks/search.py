"""`python -m benchmarks.search`: search and layouts of 100,000 rows of 512 numbers, and of a saved million the first query."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.layout import LAYOUT_COLUMNS, LAYOUT_NOTES, LAYOUTS, laid_out
from benchmarks.memory import alone, status
from benchmarks.rows import WIDTH, blocks
from benchmarks.table import Section, report, said

ROWS, FIT, MILLION = 100_000, 50_000, 1_000_000
QUERIES, K = 200, 10
COLUMNS = (
    "search",
    "rows",
    "data",
    "build s",
    "one query ms",
    f"{QUERIES} queries, ms each",
    "recall@10",
    "open + first query s",
    "MB",
)


NOTES = (
    f"Rows of {WIDTH} numbers in half precision, compared by cosine; processor time of one thread. Clustered: around 1,000 "
    "centres, most of the spread in 32 directions; random: without any structure.",
    f"One query: the median of 20; recall@{K}: the share of the {K} nearest rows that is found. Open + first query: by the "
    "clock on the wall, of an index that was saved just before. MB: what the process holds beyond the rows.",
)


@click.command()
@click.option("--rows", type=click.IntRange(1000), default=ROWS, show_default=True)
@click.option("--fit", type=click.IntRange(1000), default=FIT, show_default=True, help="Rows that layouts are fitted on.")
@click.option("--million/--no-million", default=True, help="Whether to save and open a million rows too (1 GB of disk).")
@click.option("--layouts/--no-layouts", default=True, help="Whether to lay out the rows, too.")
@click.option("--write", type=click.Path(exists=True, path_type=Path), help="A document that gets the tables, too.")
def main(rows: int, fit: int, million: bool, layouts: bool, write: Path | None) -> None:
    """Exact and approximate search: time to build, a query alone and among 200, recall, memory. Layouts: time, memory, quality."""
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}  # before a worker loads torch or numba
    report([Section(COLUMNS, list(said(found_rows(rows, million))), NOTES)], write)
    if layouts:
        lines = said(alone(laid_out, method, rows, min(fit, rows)) for method in LAYOUTS)
        report([Section(LAYOUT_COLUMNS, list(lines), LAYOUT_NOTES)], write)


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


def searched(data: str, count: int, approximate: bool) -> list[str]:
    from pellucid.analysis.index import Index

    rows = np.concatenate([some for some, _ in blocks(data, count)])
    asked = rows[np.random.default_rng(1).permutation(count)[:QUERIES]] + np.float16(0.01)
    before = own_memory()
    build, index = timed(lambda: Index.build(rows, approximate=approximate))
    single = sorted(timed(lambda one=one: index.query(asked[one : one + 1], K))[0] for one in range(20))[10]
    together, _ = timed(lambda: index.query(asked, K))
    measured = [f"{build:.2f}", f"{1000 * single:.1f}", f"{1000 * together / QUERIES:.2f}", f"{index.recall:.3f}"]
    return ["approximate" if approximate else "exact", f"{count:,}", data, *measured, "", f"{own_memory() - before:.0f}"]


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
    start = time.perf_counter()
    index = first_query(Path(folder) / "index", query)
    spent = time.perf_counter() - start  # of the clock on the wall: the disk counts
    single = sorted(timed(lambda: index.query(query, K))[0] for _ in range(5))[2]
    kind = "exact" if index.exact else "approximate"
    measured = [f"{build:.2f}", f"{1000 * single:.1f}", "", f"{index.recall:.3f}", f"{spent:.2f}", f"{own_memory() - before:.0f}"]
    return [kind, f"{MILLION:,}", "clustered", *measured]


def first_query(folder: Path, query: np.ndarray) -> Any:
    from pellucid.analysis.index import Index

    index = Index.open(folder)
    index.query(query, K)
    return index


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds, and what was found."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def own_memory() -> float:
    """MB that are this process's alone: pages of mapped files, which the machine may take back, do not count."""
    return status("RssAnon") / 1e6


if __name__ == "__main__":
    main()
