"""The site over HTTP, whose server also explains pictures that are handed in; they and what is made of them stay in memory.

`POST live/explain?name=NAME` with the bytes of a picture answers with its id; `GET live/ID` says how far it is, and
`DELETE live/ID` forgets it. What was made is found under the paths that it would have in a site on disk. Other sites that are open
in the same browser can neither hand in nor read anything: see `_refusal`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, urlsplit

from pellucid.errors import PellucidError
from pellucid.schema import Live, to_json
from pellucid.site.desk import KEPT, Busy, Desk
from pellucid.site.files import data_script, viewer_files
from pellucid.site.server import TYPES, Handler, SiteServer, binding, site_folder, until_interrupted

LIMIT = 20_000_000  # bytes of a picture
PATIENCE = 60.0  # seconds that a picture may take to arrive
CHUNK = 1 << 16
LONGEST = 120  # characters of a name
SCRIPT = Path(__file__).with_name("served") / "live.js"  # built from web/ by `make web`
OPENED = ((b"default-src 'none'", b"default-src 'none'; connect-src 'self'"), (b"img-src 'self'", b"img-src 'self' blob:"))
HEADERS = {  # for other sites in the same browser there is nothing to read and nothing to frame
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",
}


def serve_live(
    run: Path,
    desk: Desk,
    *,
    limit: int = LIMIT,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a run's site until Ctrl-C, and explain pictures that are handed in.

    Args:
        run: a run folder with `site/` inside, or a site itself.
        desk: from `open_desk`, for that site.
        limit: bytes of a picture, at most.
        host: the address to listen on; anything but 127.0.0.1 opens the site and the desk to other machines.
        port: 0 takes any free port.
        on_ready: told the address once the site answers.

    Raises:
        PellucidError: the run has no site, or the port is taken.
    """
    until_interrupted(make_live_server(run, desk, limit=limit, host=host, port=port), on_ready)


def make_live_server(run: Path, desk: Desk, *, limit: int = LIMIT, host: str = "127.0.0.1", port: int = 8000) -> LiveServer:
    """The server, bound but not yet running: call `serve_forever`, close it with `server_close` or `with`."""
    root = site_folder(run)
    with binding(host, port):
        return LiveServer((host, port), root, desk, limit)


class Refused(Exception):
    """A request that is not answered, and why, for people."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class LiveHandler(Handler):
    """Answers with files of the site, with what lies in memory, and takes pictures."""

    server: LiveServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        refusal = self._refusal()
        if refusal is not None:
            self._say(HTTPStatus.FORBIDDEN, {"error": refusal})
        return refusal is None

    def _refusal(self) -> str | None:
        """Why this request may not come from a reader of the site; None where it may.

        A name that somebody else points at this machine stands in `Host`; other sites give themselves away by `Origin` or by
        `Sec-Fetch-Site`, and may lead to a page, but may not read it.
        """
        hosts, origin = self.headers.get_all("Host", []), self.headers.get("Origin")
        if len(hosts) != 1 or not self.server.is_own(hosts[0]):
            return "this server answers under its own address only; open the one that `pellucid serve` printed"
        kind = self.headers.get("Sec-Fetch-Mode"), self.headers.get("Sec-Fetch-Dest")
        followed = kind == ("navigate", "document") and self.command in ("GET", "HEAD")
        other = self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not followed
        if other or origin not in (None, f"http://{hosts[0]}"):
            return "this server answers to its own pages only"
        return None

    def do_POST(self) -> None:
        try:
            self._say(HTTPStatus.ACCEPTED, {"id": self._taken()})
        except Refused as refused:
            self._say(refused.status, {"error": str(refused)})

    def _taken(self) -> str:
        """The id of the picture that comes."""
        if self.wanted() != "live/explain":
            raise Refused(HTTPStatus.NOT_FOUND, "pictures are handed in at live/explain")
        length = self._length()
        try:
            return self.server.desk.hand_in(self._name(), partial(self._read, length))
        except Busy as busy:
            self._read(length, keep=False)  # a browser listens only when it has sent everything
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(busy)) from busy
        except PellucidError as error:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from error
        except MemoryError as error:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "it does not fit into memory; make it smaller") from error

    def do_DELETE(self) -> None:
        self.close_connection = True  # nobody reads a body that came along
        head, _, id = (self.wanted() or "").partition("/")
        if head != "live" or self.server.desk.state(id) is None:
            return self._say(HTTPStatus.NOT_FOUND, {"error": "there is no such picture"})
        self.server.desk.forget(id)
        self._say(HTTPStatus.OK, {})

    def _length(self) -> int:
        """The bytes that will come, once it is clear that they may."""
        if self.headers.get_content_type() != "application/octet-stream":  # no other site can send that without asking first
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the bytes of the picture as application/octet-stream")
        lengths = self.headers.get_all("Content-Length", [])
        if not lengths or "Transfer-Encoding" in self.headers:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "send the picture in one piece, with its Content-Length")
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Refused(HTTPStatus.BAD_REQUEST, f"Content-Length: {lengths[0][:20]!r} is no number of bytes")
        length = int(lengths[0][:20])
        if length > self.server.limit:
            reason = f"the picture has more than {self.server.limit / 1e6:g} MB; make it smaller, or serve with a larger --limit"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        if length == 0:
            raise Refused(HTTPStatus.BAD_REQUEST, "the picture is empty")
        return length

    def _read(self, length: int, *, keep: bool = True) -> bytes:
        """So many bytes of the request, and never more."""
        chunks, end = [], time.monotonic() + PATIENCE
        while length > 0:
            try:
                chunk = self.rfile.read1(min(length, CHUNK))
            except (TimeoutError, ConnectionError):
                chunk = b""
            if not chunk or time.monotonic() > end:
                raise Refused(HTTPStatus.BAD_REQUEST, "the picture did not arrive whole; hand it in again")
            length -= len(chunk)
            chunks += [chunk] if keep else []
        return b"".join(chunks)

    def _name(self) -> str:
        """What the reader calls the picture, as text that can be shown."""
        name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
        return "".join(each for each in name if each.isprintable())[:LONGEST].strip() or "picture"

    def _answer(self, *, body: bool) -> None:
        path = self.wanted() or ""
        if path.startswith("live/"):
            return self._say_state(path.removeprefix("live/"), body)
        made = self.server.made(path)
        if made is None:
            return super()._answer(body=body)
        self._send(HTTPStatus.OK, TYPES.get(PurePosixPath(path).suffix, "application/octet-stream"), made, body)

    def _say_state(self, id: str, body: bool) -> None:
        state = self.server.desk.state(id)
        if state is None:
            reason = f"the server has forgotten this picture: it keeps the last {KEPT}, and none when it ends"
            return self._say(HTTPStatus.NOT_FOUND, {"error": reason})
        self._send(HTTPStatus.OK, TYPES[".json"], to_json(state).encode(), body)

    def _say(self, status: HTTPStatus, value: object) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            self.close_connection = True  # an unread body must not become the next request
        self._send(status, TYPES[".json"], to_json(value).encode(), self.command != "HEAD")

    def _send(self, status: HTTPStatus, kind: str, content: bytes, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")  # nor does a browser keep it
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        try:
            self.end_headers()
            if body:
                self.wfile.write(content)
        except ConnectionError:  # the reader has gone
            self.close_connection = True

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()


class LiveServer(SiteServer):
    """A server with a desk, and with a viewer of its own version."""

    handler = LiveHandler

    def __init__(self, address: tuple[str, int], root: Path, desk: Desk, limit: int) -> None:
        self.desk, self.limit, self.host = desk, limit, address[0].lower()
        self.viewer = viewer_files()
        for closed, opened in OPENED:  # the page may ask this server, and show what its reader gave
            self.viewer["index.html"] = self.viewer["index.html"].replace(closed, opened)
        self.viewer[SCRIPT.name] = SCRIPT.read_bytes()
        super().__init__(address, root)

    def is_own(self, host: str) -> bool:
        """Whether a `Host` is what readers call this machine."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in ("127.0.0.1", "localhost", "::1", self.host):
                return True
            return self.host in ("0.0.0.0", "::", "") and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def made(self, path: str) -> bytes | None:
        """What lies under a path in memory; None where the disk is asked."""
        if path in self.viewer:
            return self.viewer[path]
        if path == "data/site.js":
            about = Live(self.limit, KEPT, self.desk.running, self.desk.explained)
            return (self.root / path).read_bytes() + data_script("live", about)
        return self.desk.file(path)

    def server_close(self) -> None:
        super().server_close()
        self.desk.close()
