"""What `render` leaves: a picture of each unit, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.output import file_name, print_json, said_last, save_last
from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from pellucid.analysis.quality import Panel
    from pellucid.vis import Diverged, Rendering

Judge = Callable[["Rendering", str], "Panel"]


@dataclass
class Album:
    """Pictures that are saved as soon as they are made, and what is said about them.

    Attributes:
        folder: where they are saved.
        units: the unit of each picture to come, in the order of their file names.
        judge: what compares a picture of a unit with real ones.
        rows: what is known of each picture so far, ready for JSON.
    """

    folder: Path
    units: Sequence[str]
    judge: Judge | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    panels: list[Panel | None] = field(default_factory=list)

    def add(self, place: int, rendering: Rendering, score: float) -> None:
        """Save a picture, unless the unit never answered and it shows nothing."""
        unit, panel = self.units[place], None
        if rendering.silent:
            row = {"unit": unit, "state": "silent", "score": score, "file": None}
        else:
            rendering.save(path := self.path(place))
            row = {"unit": unit, "state": "finished", "score": score, "file": str(path)}
            panel = None if self.judge is None else self.judge(rendering, unit)
        self.rows.append(row if panel is None else row | {"quality": asdict(panel)})
        self.panels.append(panel)

    def add_last(self, place: int, failure: Diverged) -> None:
        """Save the last picture before a score became no number."""
        path = save_last(failure, self.path(place, "-diverged"))
        file = None if path is None else str(path)
        self.rows.append({"unit": self.units[place], "state": "diverged", "score": None, "file": file})
        self.panels.append(None)

    def error(self, failure: Diverged) -> PellucidError:
        """What to say after a failure about what there is."""
        (last,) = (row["file"] for row in self.rows if row["state"] == "diverged")
        made = sum(row["state"] != "diverged" for row in self.rows)
        return PellucidError(f"{failure}; {said_last(last)}, and of {len(self.units)} pictures {made} are done")

    def path(self, place: int, ending: str = "") -> Path:
        unit = self.units[place]
        name = f"{unit.removeprefix('-')}-negative" if unit.startswith("-") else unit
        return self.folder / f"{place:03d}-{file_name(name)}{ending}.png"

    def report(self, as_json: bool) -> None:
        """Print what there is."""
        if as_json:
            print_json(self.rows)
            return
        for row, panel in zip(self.rows, self.panels, strict=True):
            click.echo(_line(row))
            for line in () if panel is None else panel.lines():
                click.echo(f"    {line}")


def _line(row: dict[str, Any]) -> str:
    return f"{'no picture' if row['file'] is None else row['file']}  {row['unit']}  {_said(row)}"


def _said(row: dict[str, Any]) -> str:
    if row["state"] == "diverged":
        return f"diverged: {'at once' if row['file'] is None else 'the last picture before that'}"
    if row["state"] == "silent":
        return "answered nothing at any step" if row["score"] == 0 else f"stayed at {row['score']:.4g}, whatever the picture"
    return format(row["score"], ".4g")
