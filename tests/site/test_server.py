"""The server answers with the site's files and with nothing else."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pellucid.errors import PellucidError
from pellucid.site import server
from pellucid.site.server import SiteServer, make_server


@contextmanager
def running(run: Path) -> Iterator[SiteServer]:
    with make_server(run, port=0) as each:
        thread = threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield each
        finally:
            each.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[SiteServer]:
    run = tmp_path_factory.mktemp("served")
    shutil.copytree(site, run / "site")
    (run / "secret.txt").write_text("secret")
    (run / "site" / "link.txt").symlink_to(run / "secret.txt")
    (run / "site" / "inner.txt").symlink_to(run / "site" / "licenses.txt")
    (run / "site" / ".hidden").write_text("secret")
    (run / "site" / "with space & é.txt").write_text("found")
    with running(run) as each:
        yield each


def ask(live: SiteServer, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(*live.server_address[:2], timeout=5)  # pyright: ignore[reportArgumentType]
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/viewer.js", "text/javascript; charset=utf-8"),
        ("/viewer.css", "text/css; charset=utf-8"),
        ("/data/site.js", "text/javascript; charset=utf-8"),
        ("/sprites/conv2-units-0.jpg", "image/jpeg"),
        ("/units/conv2/0.png", "image/png"),
        ("/viewer.js?v=1", "text/javascript; charset=utf-8"),
        ("/with%20space%20%26%20%C3%A9.txt", "text/plain; charset=utf-8"),
        ("/inner.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_comes_with_its_type(live: SiteServer, path: str, kind: str) -> None:
    answer, body = ask(live, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert len(body) == int(answer.headers["Content-Length"]) > 0
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/data/../../secret.txt",
        "/data/%2e%2e/%2e%2e/secret.txt",
        "/..\\secret.txt",
        "/%5c..%5csecret.txt",
        "//secret.txt",
        "/./../secret.txt",
        "/link.txt",
        "/.hidden",
        "/index.html%00.txt",
        "/%ff",
        "/data",
        "/data/",
        "/index.html/",
        "/nothing.js",
        "secret.txt",
        "/" + "a" * 5000,
    ],
)
def test_nothing_else_is_there(live: SiteServer, path: str) -> None:
    answer, body = ask(live, path)
    assert answer.status == 404
    assert b"secret" not in body


def test_a_full_path_is_not_taken_from_the_root_of_the_disk(live: SiteServer) -> None:
    assert ask(live, f"/{live.root.parent / 'secret.txt'}")[0].status == 404


def test_head_has_no_body(live: SiteServer) -> None:
    answer, body = ask(live, "/viewer.js", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) == (live.root / "viewer.js").stat().st_size


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(live: SiteServer, method: str) -> None:
    answer, _ = ask(live, "/index.html", method, Content_Length="0")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_browser_asks_again_and_is_told_that_nothing_changed(live: SiteServer) -> None:
    first, _ = ask(live, "/data/site.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again, body = ask(live, "/data/site.js", If_None_Match=first.headers["ETag"])
    assert (again.status, body) == (304, b"")
    assert ask(live, "/data/site.js", If_None_Match='"other"')[0].status == 200


def test_a_site_itself_can_be_served(site: Path) -> None:
    with running(site) as each:
        assert ask(each, "/")[0].status == 200


def test_the_port_is_taken(live: SiteServer, site: Path) -> None:
    port = int(live.server_address[1])
    with pytest.raises(PellucidError, match=f"port {port} .* is taken; choose another with --port"):
        make_server(site, port=port)


@pytest.mark.parametrize(("port", "message"), [(70_000, "is not a port"), (-1, "is not a port")])
def test_no_such_port(site: Path, port: int, message: str) -> None:
    with pytest.raises(PellucidError, match=message):
        make_server(site, port=port)


def test_no_such_address(site: Path) -> None:
    with pytest.raises(PellucidError, match=r"cannot listen on 203\.0\.113\.1:0"):  # an address for documentation: no machine's own
        make_server(site, host="203.0.113.1", port=0)


def test_a_run_without_site(tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match="holds no site"):
        make_server(tmp_path)
    with pytest.raises(PellucidError, match="there is no folder"):
        make_server(tmp_path / "nowhere")


def test_ctrl_c_ends_it_and_frees_the_port(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: SiteServer) -> None:
        raise KeyboardInterrupt

    told: list[str] = []
    monkeypatch.setattr(SiteServer, "serve_forever", interrupted)
    server.serve(site, port=0, on_ready=told.append)
    [address] = told
    port = int(address.rstrip("/").rsplit(":", 1)[1])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
