"""The measured rows as a table: for the terminal, and for the README."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.jobs import Job
from benchmarks.measure import CONTESTANTS, MOST, PEERS, PROCESSES, ROUNDS, SPAN, STARTS, WHOLE, Row

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
NOTES = (
    "Time of one optimisation step for all units and, in front, its ratio to the limit: the median of "
    f"{ROUNDS} rounds in which all take turns. On the CPU it is the processor time of one thread. A step is what each further "
    f"one adds to a render of one step, over about {SPAN:g} s (at most {MOST} steps): loading and finishing do not count.",
    "The limit is a forward and a backward pass of the network cut at the layer, with respect to its input, by torch's own "
    "operators and nothing else: the same pictures and batch, channels-last, in bfloat16 or float32, whichever is quicker.",
    "Memory is how far the process (on a GPU, what it holds there) grows during two steps once the network is loaded and one step "
    f"of the same has been made, which compiles code and loads what is loaded once, for each of the four: the "
    f"median of {PROCESSES} processes.",
    "All get the same units and pixels, and otherwise use their own defaults. Lucent runs the whole network, in batches as large "
    "as ours. Horama is handed the network cut at the layer, makes one picture at a time and shows the network six crops a step. "
    "Of a job one batch of Lucent and one picture of Horama are measured, since the others follow one after the other.",
    f"One class: loading the network and the first step, after imports, in a fresh process; and {WHOLE} steps from first to last: "
    f"the median of {STARTS} processes.",
)


def heads(rows: Sequence[Row]) -> list[str]:
    memory = ["memory: limit", *(CONTESTANTS[name] for name in PEERS)]
    return ["network", "work", *CONTESTANTS.values(), *memory, *(["GPU busy"] if any(row.busy for row in rows) else [])]


def cells(row: Row) -> list[str]:
    """A row's texts, without the last column, which only a GPU has."""
    times = [_time(row, name) for name in CONTESTANTS]
    return [f"{row.network}, {row.size} px", row.what, *times, *(_memory(row, name) for name in CONTESTANTS)]


def _time(row: Row, name: str) -> str:
    if name not in row.times:
        return "-" if name in row.unable else ""
    seconds = row.seconds(name)
    text = f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.{0 if seconds >= 0.01 else 1}f} ms"
    ratio = None if name == "limit" else row.ratio(name)
    return text if ratio is None else f"{_short(ratio)} ({text})"


def _memory(row: Row, name: str) -> str:
    if name not in row.memory:
        return "" if not row.memory else "-"
    ratio = None if name == "limit" else row.memory_ratio(name)
    return f"{row.memory[name]:.0f} MB" if ratio is None else _short(ratio)


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}"


def rich_table(rows: Sequence[Row]) -> Table:
    table = Table(*heads(rows), box=None)
    for row in _filled(rows):
        table.add_row(*row)
    return table


def markdown(rows: Sequence[Row], notes: Sequence[str]) -> str:
    return "\n".join([block(heads(rows), _filled(rows)), "", *(f"- {note}" for note in notes)])


def block(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table as markdown.

    >>> print(block(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))


def _filled(rows: Sequence[Row]) -> list[list[str]]:
    extra = "GPU busy" in heads(rows)
    return [[*cells(row), *([f"{row.busy:.0f} %" if row.busy is not None else ""] if extra else [])] for row in rows]


def reasons(rows: Sequence[Row]) -> list[str]:
    """Why there is a dash, each reason once."""
    met: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, why in row.unable.items():
            met.setdefault((CONTESTANTS[name], why), []).append(f"{row.network}, {row.what}")
    return [f"{title} cannot ({why}): {'; '.join(works)}" for (title, why), works in met.items()]


def left_out(jobs: Sequence[Job]) -> list[str]:
    """Which networks are not here."""
    absent = {job.network.title: job.network.needs for job in jobs if not job.network.available}
    return [f"Left out, because {needs} is not here: {title}" for title, needs in absent.items()]


def machine(device: str) -> str:
    """On what and when it was measured."""
    where = f"{_processor()}, {os.cpu_count()} cores"
    if device != "cpu":
        import torch

        where = f"{torch.cuda.get_device_name()}, {where}"
    return f"{where}; torch {version('torch')}, pellucid {version('pellucid')}; {date.today().isoformat()}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Section:
    """A table with what there is to say about it."""

    columns: tuple[str, ...]
    lines: Sequence[Sequence[str]]
    notes: Sequence[str]


def said(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    """The lines of a table, each told as soon as it is measured."""
    for line in lines:
        Console(stderr=True, width=160).print("  ".join(line))
        yield line


def report(sections: Sequence[Section], path: Path | None) -> None:
    """Print tables, and write them into a document, in the place of the tables with these columns that it had.

    Raises:
        ValueError: the document has no place for them.
    """
    out = Console(width=160, highlight=False)
    for section in sections:
        table = Table(*section.columns)
        for line in section.lines:
            table.add_row(*line)
        out.print(table, *section.notes, machine("cpu"), sep="\n")
        if path is not None:
            notes = "\n".join(f"- {note}" for note in [*section.notes, machine("cpu")])
            text = f"{block(section.columns, section.lines)}\n\n{notes}"
            path.write_text(insert(path.read_text("utf-8"), text, section.columns[0]), "utf-8")


def insert(text: str, block: str, name: str = "") -> str:
    """A text whose part between two markers is the block.

    Args:
        text: of a document.
        block: what it shall have there.
        name: of the markers, where a document has several pairs.

    Raises:
        ValueError: the markers are not there, once and in order.

    >>> insert(f"before\\n{BEGIN}\\nold\\n{END}\\nafter", "new")
    'before\\n<!-- bench -->\\nnew\\n<!-- /bench -->\\nafter'
    """
    kind = f"bench-{name}" if name else "bench"
    begin, end = f"<!-- {kind} -->", f"<!-- /{kind} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it needs the lines {begin} and {end}, once and in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{block}\n{end}{rest.split(end)[1]}"
