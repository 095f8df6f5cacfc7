"""A desk whose network answers at once, and the ways to reach a live server."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pellucid.explain.icons import Icons
from pellucid.explain.pictures import Progress
from pellucid.models import load
from pellucid.schema import ClassScore, ExplainCard
from pellucid.site import desk as desk_module
from pellucid.site.desk import Desk, open_desk
from pellucid.site.estimate import Estimate
from pellucid.site.explanation import Photo
from pellucid.site.export import site_card
from pellucid.site.files import Folder, Shelf, copy_viewer, write_data, write_picture
from pellucid.site.live import LiveServer, make_live_server

BYTES = {"Content-Type": "application/octet-stream"}


@dataclass
class Network:
    """Explains in three steps; in the last it works until the test lets it go on."""

    on: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    ended: int = 0
    made: int = 0  # pages

    def explain(self, shelf: Shelf, id: str, photo: Photo, progress: Progress) -> ExplainCard:
        try:
            for step in range(3):
                progress("looking", step, 3)
            while not self.on.wait(0.01):
                progress("looking", 2, 3)
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1
        self.made += 1
        write_data(shelf, f"explain-{id}", {"id": id})
        write_picture(shelf, f"photos/{id}.jpg", photo.shown)
        return ExplainCard(id, photo.name, f"photos/{id}.jpg", [ClassScore(3, 2.5, 0.5)])


def empty_site(folder: Path) -> None:
    """A site of the terrarium in which nothing is explained yet."""
    write_data(Folder(folder), "site", site_card(load("terrarium")))
    copy_viewer(Folder(folder))


def desk(network: Network) -> Desk:
    return Desk(load("terrarium"), network.explain, Estimate({("looking", 0): 1.0}))


def quick_desk(site: Path, layers: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The terrarium's own desk, whose pictures take one step each."""
    monkeypatch.setattr(desk_module, "Icons", partial(Icons, steps=1))
    return open_desk(site, load("terrarium"), layers)


@contextmanager
def live(site: Path, desk: Desk, **options: Any) -> Iterator[LiveServer]:
    with make_live_server(site, desk, port=0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def picture(kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((120, 100)).save(file, kind, **options)
    return file.getvalue()


def ask(
    server: LiveServer, path: str, method: str = "GET", *headers: tuple[str, str], body: bytes = b""
) -> tuple[http.client.HTTPResponse, bytes]:
    """Exactly these headers, and a `Host` where none is among them."""
    host, port = server.server_address[:2]
    connection = http.client.HTTPConnection(str(host), port, timeout=10)
    named = any(name == "Host" for name, _ in headers)
    try:
        connection.putrequest(method, path, skip_host=named, skip_accept_encoding=True)
        for name, value in headers:
            if value:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def hand_in(server: LiveServer, content: bytes, name: str = "sky.png", **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and what the server says."""
    all = {**BYTES, "Content-Length": str(len(content)), **{key.replace("_", "-"): value for key, value in headers.items()}}
    answer, said = ask(server, f"/live/explain?name={name}", "POST", *all.items(), body=content)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status, json.loads(said)


def state(server: LiveServer, id: str) -> dict[str, Any]:
    answer, said = ask(server, f"/live/{id}")
    return {"status": answer.status, **json.loads(said)}


def until(done: Callable[[], bool]) -> None:
    for _ in range(1000):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("it takes too long")


def settled(server: LiveServer, id: str) -> dict[str, Any]:
    """The state of a picture once it is explained, or cannot be."""
    found: dict[str, Any] = {}

    def ended() -> bool:
        found.update(state(server, id))
        return bool(found["status"] != 200 or found["card"] or found["error"])

    until(ended)
    return found
