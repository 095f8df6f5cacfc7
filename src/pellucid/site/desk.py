"""Pictures that readers hand in: explained one at a time, held in memory, the oldest forgotten."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import torch

from pellucid.errors import PellucidError, UsageError
from pellucid.explain.explain import LAYERS
from pellucid.explain.icons import Icons, saved_pictures
from pellucid.explain.pictures import Progress
from pellucid.explain.tape import record
from pellucid.models import Model
from pellucid.models.spanning import spanning_layers
from pellucid.schema import VERSION, ExplainCard, LiveState
from pellucid.site.estimate import Estimate, usual
from pellucid.site.explaining import Settings, explain_photo
from pellucid.site.explanation import Pages, Photo, read_photo
from pellucid.site.files import Memory, Shelf, read_data

KEPT = 8  # explained pictures
PATIENCE = 10.0  # seconds that the end of the server waits for the network

Explain = Callable[[Shelf, str, Photo, Progress], ExplainCard]


class Busy(PellucidError):
    """Another picture is being explained."""


class _Stopped(Exception):
    """Nobody wants the explanation any more."""


@dataclass
class Handed:
    """A picture that was handed in, and what was made from it."""

    id: str
    photo: Photo
    shelf: Memory = field(default_factory=Memory)
    stage: tuple[str, int, int] = ("", 0, 0)  # name, done, total
    stopped: Event = field(default_factory=Event)
    card: ExplainCard | None = None
    error: str | None = None


@dataclass
class Desk:
    """Takes pictures, and has them explained in the background.

    Args:
        model: that will be asked; left as it was.
        explain: (shelf, id, photo, progress) -> the card of the page that it has put on the shelf.
        estimate: of how long that takes.
    """

    model: Model
    explain: Explain
    estimate: Estimate
    _free: Lock = field(default_factory=Lock)  # held while a picture is read and explained
    _lock: Lock = field(default_factory=Lock)  # of what follows
    _handed: dict[str, Handed] = field(default_factory=dict)  # oldest first
    _thread: Thread | None = None

    def hand_in(self, name: str, read: Callable[[], bytes]) -> str:
        """Read a picture and begin to explain it.

        Args:
            name: shown as it is.
            read: gives what stands in the file; called when it is this picture's turn.

        Returns:
            The picture's id, which nobody can guess.

        Raises:
            Busy: another one is being explained.
            PellucidError: it is no picture that can be read.
        """
        if not self._free.acquire(blocking=False):
            raise Busy("another picture is being explained; try again when it is done")
        try:
            handed = Handed(secrets.token_urlsafe(16), read_photo(name, read(), self.model))
            with self._lock:
                self._handed = {key: each for key, each in self._handed.items() if each.error is None} | {handed.id: handed}
            self._thread = Thread(target=self._work, args=(handed,), name="explaining", daemon=True)
            self._thread.start()
        except BaseException:
            self._free.release()
            raise
        return handed.id

    def state(self, id: str) -> LiveState | None:
        """How far a picture's explanation is; None where no such picture was handed in, or it is forgotten."""
        handed = self._known().get(id)
        if handed is None:
            return None
        running = handed.card is None and handed.error is None
        share, left = (self.estimate.share, self.estimate.left()) if running else (1.0, 0.0)
        return LiveState(handed.photo.name, *handed.stage, share, left, handed.error, handed.card)

    def file(self, path: str) -> bytes | None:
        """What was put under a path of the site for any picture that is known; None where nothing was."""
        return next((each.shelf.files[path] for each in self._known().values() if path in each.shelf.files), None)

    @property
    def running(self) -> str | None:
        """The picture that is being explained."""
        return next((each.id for each in self._known().values() if each.card is None and each.error is None), None)

    @property
    def explained(self) -> list[ExplainCard]:
        """What is on the shelves, newest first."""
        return [each.card for each in reversed(self._known().values()) if each.card is not None]

    def forget(self, id: str) -> None:
        """Drop a picture and everything that was made from it; stop where it is still being made."""
        with self._lock:
            handed = self._handed.pop(id, None)
        if handed is not None:
            handed.stopped.set()

    def close(self) -> None:
        """Forget everything."""
        for id in self._known():
            self.forget(id)
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _known(self) -> dict[str, Handed]:
        with self._lock:
            return dict(self._handed)

    def _work(self, handed: Handed) -> None:
        def progress(stage: str, done: int, total: int) -> None:
            if handed.stopped.is_set():
                raise _Stopped
            handed.stage = (stage, done, total)
            self.estimate.report(stage, done, total)

        card = error = None
        try:
            self.estimate.begin()
            card = self.explain(handed.shelf, handed.id, handed.photo, progress)
            self.estimate.end()
        except _Stopped:
            error = "stopped"
        except PellucidError as problem:
            error = str(problem)
        except Exception as problem:  # whatever a network raises, the server goes on
            error = f"the network cannot explain it: {type(problem).__name__}: {' '.join(str(problem).split())}"
        self._free.release()  # first: who sees the end may hand in the next one
        handed.card, handed.error = card, error
        with self._lock:
            done = [each.id for each in self._handed.values() if each.card is not None]
            for id in done[:-KEPT]:
                del self._handed[id]


def open_desk(site: Path, model: Model, layers: Sequence[str] = ()) -> Desk:
    """A desk for a site's own network, whose pages link to those of the site.

    Args:
        site: the folder of the site.
        model: that the site was made of.
        layers: that are explained; none for those of the site, where it has none for three that span the network.

    Raises:
        NotFoundError: no such layer.
        UsageError: the site was made of another network.
        PellucidError: the network gives no scores or cannot be differentiated; the site is of another version.
    """
    card = read_data(site, "site")
    if card["schema"] != VERSION:
        raise PellucidError(f"{site} has format {card['schema']}, this pellucid explains beside format {VERSION}; build it again")
    if card["model"]["fingerprint"] != model.fingerprint():
        raise UsageError(
            f"the site {str(site)!r} was made of another network than {model.name!r}, or with other weights, size, mean, std or "
            "--sparse file: give those that it was made of"
        )
    pages = _pages(site, card)
    wanted = [model.layer(each).name for each in layers] or list(pages) or spanning_layers(model, LAYERS)
    chosen = record(model, torch.zeros(model.channels, *model.size), wanted).layers  # what never can be explained is said at once
    settings, icons = Settings(layers=chosen), Icons(model, saved_pictures(model, site / "units"))

    def explain(shelf: Shelf, id: str, photo: Photo, progress: Progress) -> ExplainCard:
        return explain_photo(shelf, id, model, photo, settings, icons=icons, progress=progress, pages=pages)

    return Desk(model, explain, Estimate(usual(chosen)))


def _pages(site: Path, card: Mapping[str, Any]) -> dict[str, Pages]:
    """The layers of a site and the channels that have a page, by name."""
    found = {}
    for layer in card["layers"]:
        units = read_data(site, f"layer-{layer['id']}")["units"]
        found[layer["name"]] = Pages(layer["id"], [each["channel"] for each in units])
    return found
