"""The run folder: a manifest of what was asked, and parts that are done once and for all."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from pellucid.errors import PellucidError, UsageError
from pellucid.files import TEMPORARY, unwritable, writing
from pellucid.schema import VERSION, to_json
from pellucid.settings import differences

MANIFEST = "manifest.json"

T = TypeVar("T")


@dataclass
class Run:
    """A folder with everything that one build makes; `facts` is what its manifest says."""

    folder: Path
    facts: dict[str, Any]

    def note(self, **facts: object) -> None:
        """Add facts to the manifest and write it."""
        self.facts.update(facts)
        with writing(self.folder / MANIFEST) as path:
            path.write_text(json.dumps(self.facts, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")

    def finish(self, stage: str) -> None:
        """Say in the manifest that a stage is done."""
        self.note(finished=[*self.facts["finished"], stage], times={**self.facts["times"], stage: _now()})

    def finished(self, stage: str) -> bool:
        return stage in self.facts["finished"]


def open_run(folder: Path, *, settings: Mapping[str, object], about: Mapping[str, object]) -> Run:
    """Start a run folder, or go on with one that was made with the same settings.

    Args:
        folder: made where it is missing; one that holds other things is refused.
        settings: whatever decides what the run's files hold, as JSON values.
        about: what else people want to know (paths, names); it may change between two starts.

    Raises:
        UsageError: the folder holds something else, or a run with other settings; the message names what differs.
        PellucidError: the folder cannot be written.
    """
    path, wanted = folder / MANIFEST, json.loads(to_json(dict(settings)))
    if path.exists():
        run = Run(folder, read_manifest(folder))
        if differing := differences(run.facts["settings"], wanted):
            raise UsageError(
                f"{folder} was made with other settings: {differing}; choose another folder with -o, or delete this one"
            )
        return run
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [each.name for each in folder.iterdir() if not each.name.endswith(TEMPORARY)]
    except OSError as error:
        raise unwritable(folder, error) from error
    if others:
        raise UsageError(f"{folder} is not empty and no run of pellucid (it holds {others[0]!r}); choose another folder with -o")
    run = Run(
        folder, {"schema": VERSION, "settings": wanted, "finished": [], "times": {"started": _now()}, "versions": _versions()}
    )
    run.note(about=dict(about))
    return run


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest of a run folder says.

    Raises:
        PellucidError: there is none, it cannot be read, or another version of the package wrote it.
    """
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise PellucidError(
            f"{folder} is no run folder: {MANIFEST} cannot be read ({error.strerror}); make one with `pellucid build`"
        ) from error
    except ValueError as error:
        raise PellucidError(f"{folder / MANIFEST} is damaged ({error}); delete the folder and build again") from error
    if facts.get("schema") != VERSION:
        raise PellucidError(f"{folder} has schema {facts.get('schema')}, this pellucid reads {VERSION}; build it again")
    return facts


def in_parts(
    folder: Path,
    items: Sequence[T],
    work: Callable[[Sequence[T], int], Sequence[object]],
    *,
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Any]:
    """Do work on items part by part, each part once and for all: what an earlier start finished is read back.

    Args:
        folder: holds `00000.json` and on; whatever files `work` makes belong beside them.
        items: in a fixed order.
        work: (some items, index of the first) -> a JSON record for each; called again for a part that did not finish.
        size: items a part.

    Returns:
        The records of all items, in order.
    """
    records: list[Any] = []
    for start in range(0, len(items), size):
        part = folder / f"{start // size:05d}.json"
        if not part.exists():
            made = work(items[start : start + size], start)
            with writing(part) as path:
                path.write_text(to_json(made) + "\n", encoding="ascii")
        records += json.loads(part.read_text(encoding="ascii"))
        if progress is not None:
            progress(min(start + size, len(items)), len(items))
    return records


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("pellucid", "torch", "numpy", "pillow")}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
