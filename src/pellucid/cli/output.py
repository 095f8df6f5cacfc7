"""What verbs say: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.errors import PellucidError
from pellucid.files import writing

if TYPE_CHECKING:
    from pellucid.vis import Diverged, Rendering

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
    bars = Progress(*columns, console=console, disable=quiet)
    tasks: dict[str, Any] = {}

    def report(stage: str, done: int, total: int) -> None:
        if not tasks:
            bars.start()
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    try:
        yield report
    finally:
        if tasks:  # without a stage this would print an empty line
            bars.stop()


def say(text: str) -> None:
    """A line for people about what is right, and may surprise."""
    click.echo(f"pellucid: {text}", err=True)


def say_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    if skipped:
        say(f"skipped {len(skipped)} files; the first, {skipped[0][0]}: {skipped[0][1]}")


def say_pictures(skipped: Sequence[tuple[str, str]], copies: Sequence[tuple[str, str]], unlabelled: Sequence[str]) -> None:
    """What is odd about a collection's pictures: what was left out, what is there twice, and what has no label where others do."""
    say_skipped(skipped)
    if copies:
        say(f"{len(copies)} pictures are the same as others; the first, {copies[0][0]}, is {copies[0][1]}")
    if unlabelled:
        say(f"{len(unlabelled)} pictures have no label, others have; the first is {unlabelled[0]}")


def file_name(unit: str) -> str:
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in unit)[:80]


def report(made: Sequence[tuple[Path, Rendering, Mapping[str, Any], str]], as_json: bool) -> None:
    """Save pictures, and print where each is with its facts, or with a line for people."""
    for path, rendering, _, _ in made:
        rendering.save(path)
    if as_json:
        print_json([{"file": str(path), **facts} for path, _, facts, _ in made])
    else:
        for path, _, _, said in made:
            click.echo(f"{path}  {said}")


@contextmanager
def rescued(output: Path, name: str) -> Iterator[None]:
    """Where a score becomes no number: keep the last picture before, and say where it is.

    Raises:
        PellucidError: a score became no number.
    """
    try:
        yield
    except PellucidError as error:
        from pellucid.vis import Diverged

        if not isinstance(error, Diverged):
            raise
        path = save_last(error, output / f"{name}-diverged.png")
        raise PellucidError(f"{error}; {said_last(path)}") from error


def save_last(diverged: Diverged, path: Path) -> Path | None:
    """The path of the last picture before a score became no number, None where there was none."""
    if diverged.picture is None:
        return None
    from pellucid.arrays import to_picture

    with writing(path) as temporary:
        to_picture(diverged.picture).save(temporary, format="PNG")
    return path


def said_last(path: Path | str | None) -> str:
    return "there is no picture before that" if path is None else f"{path} is the last picture before that"


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1))
