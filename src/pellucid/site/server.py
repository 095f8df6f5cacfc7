"""The site over HTTP on this machine: static files, GET and HEAD only, nothing outside the site's folder."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from urllib.parse import unquote, urlsplit

from pellucid.errors import PellucidError

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}


def serve(run: Path, *, host: str = "127.0.0.1", port: int = 8000, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve a run's site until Ctrl-C.

    Args:
        run: a run folder with `site/` inside, or a site itself.
        host: the address to listen on; anything but 127.0.0.1 opens the site to other machines.
        port: 0 takes any free port.
        on_ready: told the address once the site answers.

    Raises:
        PellucidError: the run has no site, or the port is taken.
    """
    until_interrupted(make_server(run, host=host, port=port), on_ready)


def until_interrupted(server: SiteServer, on_ready: Callable[[str], None] | None) -> None:
    """Let a server answer until Ctrl-C, and close it."""
    with server:
        if on_ready is not None:
            on_ready(server.address)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def make_server(run: Path, *, host: str = "127.0.0.1", port: int = 8000) -> SiteServer:
    """The server, bound but not yet running: call `serve_forever`, close it with `server_close` or `with`."""
    root = site_folder(run)
    with binding(host, port):
        return SiteServer((host, port), root)


@contextlib.contextmanager
def binding(host: str, port: int) -> Iterator[None]:
    """Say in one line why nobody can listen there.

    Raises:
        PellucidError: the port is taken, or none; the address is not this machine's.
    """
    try:
        yield
    except (OSError, OverflowError) as error:
        raise _unbindable(host, port, error) from error


def site_folder(run: Path) -> Path:
    """The folder of the site: `RUN/site`, or the folder itself where that is a site."""
    for folder in (run / "site", run):
        if (folder / "index.html").is_file() and (folder / "data" / "site.js").is_file():
            return folder
    if not run.is_dir():
        raise PellucidError(f"there is no folder {run}; give the run folder that `pellucid build -o` was told")
    raise PellucidError(f"{run} holds no site (no site/index.html with data); finish it with `pellucid build` and serve it then")


def _unbindable(host: str, port: int, error: OSError | OverflowError) -> PellucidError:
    if isinstance(error, OverflowError):
        return PellucidError(f"port {port} is not a port; choose one from 1024 to 65535, or 0 for any that is free")
    if error.errno == errno.EADDRINUSE:
        return PellucidError(f"port {port} on {host} is taken; choose another with --port, or --port 0 for any that is free")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PellucidError(f"no permission to listen on port {port}; choose one above 1023 with --port")
    return PellucidError(f"cannot listen on {host}:{port}: {error.strerror or error}")


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of the site; everything else is an error in one line."""

    server: SiteServer  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "pellucid"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"
    timeout = 60

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _refuse(self) -> None:
        self.close_connection = True  # an unread body must not become the next request
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def _answer(self, *, body: bool) -> None:
        path = self.find()
        if path is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        try:
            file = path.open("rb")
        except OSError:
            return self.send_error(HTTPStatus.NOT_FOUND)
        with file:
            facts = os.fstat(file.fileno())
            tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
            if tag in self.headers.get("If-None-Match", ""):
                return self._head(HTTPStatus.NOT_MODIFIED, tag)
            self._head(HTTPStatus.OK, tag, path.suffix.lower(), facts.st_size)
            if body:
                try:
                    copyfileobj(file, self.wfile)
                except ConnectionError:  # the browser has gone on to another page
                    self.close_connection = True

    def _head(self, status: HTTPStatus, tag: str, suffix: str = "", size: int | None = None) -> None:
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")  # keep, but ask: a site may be built anew under the same names
        self.send_header("X-Content-Type-Options", "nosniff")
        if size is not None:
            self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def find(self) -> Path | None:
        """The file that a request names, or None: never a folder, never anything outside the site, also not by a symbolic link."""
        wanted = self.wanted()
        if wanted is None:
            return None
        try:
            path = self.server.root.joinpath(*wanted.split("/")).resolve(strict=True)
        except OSError:
            return None
        return path if path.is_relative_to(self.server.root) and path.is_file() else None

    def wanted(self) -> str | None:
        """The path that a request names, relative to the site; None where it names none that a site may have."""
        try:
            parts = unquote(urlsplit(self.path).path, errors="strict").split("/")
        except ValueError:
            return None
        names = parts[1:] if parts[-1] else [*parts[1:-1], "index.html"]
        if parts[0] or any(each in ("", ".", "..") or each.startswith(".") or set(each) & set("\\:\0") for each in names):
            return None
        return "/".join(names)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the command line."""


class SiteServer(ThreadingHTTPServer):
    """A threading server that knows its site's folder."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # Windows would let two servers share a port
    handler: type[Handler] = Handler

    def __init__(self, address: tuple[str, int], root: Path) -> None:
        self.root = root.resolve()
        super().__init__(address, self.handler)

    @property
    def address(self) -> str:
        """Where a browser finds the site."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://{'127.0.0.1' if name == '0.0.0.0' else name}:{port}/"
