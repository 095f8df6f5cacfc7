"""What verbs say: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

Progress = Callable[[str, int, int], None]


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Progress]:
    """A bar with an estimate for each stage that reports, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def say_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    if skipped:
        click.echo(f"pellucid: skipped {len(skipped)} files; the first, {skipped[0][0]}: {skipped[0][1]}", err=True)


def file_name(unit: str) -> str:
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in unit)[:80]


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))
