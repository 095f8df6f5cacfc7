"""A live server takes pictures from its own readers only, and keeps what it makes of them in memory."""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import PellucidError
from pellucid.site import files
from pellucid.site import live as live_module
from pellucid.site.desk import KEPT
from pellucid.site.live import LIMIT, LiveServer
from pellucid.site.server import make_server

from .handed import BYTES, Network, ask, desk, empty_site, hand_in, live, picture, quick_desk, settled, state, until

SMALL = 100_000  # bytes that the servers here take


@pytest.fixture
def network() -> Network:
    network = Network()
    network.on.set()
    return network


@pytest.fixture
def server(site: Path, network: Network) -> Iterator[LiveServer]:
    with live(site, desk(network), limit=SMALL) as each:
        yield each


def own(server: LiveServer) -> str:
    return "{}:{}".format(*server.server_address[:2])


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(each): (each.stat().st_mtime_ns, each.stat().st_size) for each in folder.rglob("*")}


def site_data(server: LiveServer) -> tuple[Any, Any]:
    """What the page knows of the site, and of the server."""
    _, script = ask(server, "/data/site.js")
    lines = [re.fullmatch(r'pellucid\.put\("(site|live)", (.*)\);', each) for each in script.decode("ascii").splitlines()]
    assert [each and each[1] for each in lines] == ["site", "live"]
    return tuple(json.loads(each[2]) for each in lines if each)  # pyright: ignore[reportReturnType]


# Handing in -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_is_explained_and_its_page_is_found_where_a_site_has_it(server: LiveServer, kind: str) -> None:
    status, said = hand_in(server, picture(kind), "my%20sky.png")
    assert status == 202 and re.fullmatch(r"[\w-]{20,}", said["id"])
    id = said["id"]
    found = settled(server, id)
    assert (found["name"], found["share"], found["error"]) == ("my sky.png", 1.0, None)
    assert found["card"]["photo"] == f"photos/{id}.jpg"
    answer, script = ask(server, f"/data/explain-{id}.js")
    assert script == files.data_script(f"explain-{id}", {"id": id})
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("text/javascript; charset=utf-8", "no-store")
    answer, photo = ask(server, f"/photos/{id}.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg" and photo[:2] == b"\xff\xd8"


def test_the_page_learns_what_the_server_does_and_the_site_on_disk_stays(server: LiveServer, site: Path) -> None:
    before = snapshot(site)
    _, said = hand_in(server, picture())
    card = settled(server, said["id"])["card"]
    known, live = site_data(server)
    assert known == files.read_data(site, "site")
    assert live == {"limit": SMALL, "kept": KEPT, "running": None, "explained": [card]}
    page = ask(server, "/")[1].decode()
    assert "default-src 'none'; connect-src 'self'; " in page and "img-src 'self' blob: " in page
    assert ask(server, "/live.js")[1] == live_module.SCRIPT.read_bytes()
    assert snapshot(site) == before


def test_the_viewer_is_that_of_the_package_whatever_lies_on_disk(tmp_path: Path, network: Network) -> None:
    empty_site(tmp_path)
    (tmp_path / "viewer.js").write_text("old")
    (tmp_path / "other.js").write_text("old")
    with live(tmp_path, desk(network)) as each:
        assert ask(each, "/viewer.js")[1] == (files.VIEWER / "viewer.js").read_bytes()
        assert ask(each, "/other.js")[1] == b"old"


def test_progress_is_told_and_a_second_picture_waits_outside(server: LiveServer, network: Network) -> None:
    network.on.clear()
    _, said = hand_in(server, picture(), "first")
    assert site_data(server)[1]["running"] == said["id"]
    until(lambda: state(server, said["id"])["done"] == 2)
    found = state(server, said["id"])
    assert (found["stage"], found["done"], found["total"]) == ("looking", 2, 3)
    assert found["share"] == pytest.approx(2 / 3) and found["left"] > 0 and found["card"] is None
    status, refusal = hand_in(server, picture(), "second")
    assert status == 503 and refusal["error"] == "another picture is being explained; try again when it is done"
    network.on.set()
    assert settled(server, said["id"])["card"]["name"] == "first"
    assert hand_in(server, picture(), "second")[0] == 202


def test_the_last_ones_are_kept_and_the_others_forgotten(server: LiveServer) -> None:
    ids = []
    for number in range(KEPT + 2):
        ids.append(hand_in(server, picture(), f"{number}")[1]["id"])
        assert settled(server, ids[-1])["card"]
    time.sleep(0.05)
    assert [each["id"] for each in site_data(server)[1]["explained"]] == ids[:1:-1]
    for number, id in enumerate(ids):
        found = [
            state(server, id)["status"],
            *(ask(server, path)[0].status for path in (f"/data/explain-{id}.js", f"/photos/{id}.jpg")),
        ]
        assert found == [404 if number < 2 else 200] * 3
    assert "forgotten this picture: it keeps the last 8" in state(server, ids[0])["error"]


def test_a_reader_can_stop_it_and_make_the_server_forget(server: LiveServer, network: Network) -> None:
    network.on.clear()
    first = hand_in(server, picture())[1]["id"]
    assert ask(server, f"/live/{first}", "DELETE")[0].status == 200
    assert state(server, first)["status"] == 404
    until(lambda: network.ended == 1)
    network.on.set()
    ids: list[str] = []

    def taken() -> bool:
        status, said = hand_in(server, picture())
        ids.append(said.get("id", ""))
        return status == 202

    until(taken)
    assert settled(server, ids[-1])["card"]
    assert [each["id"] for each in site_data(server)[1]["explained"]] == [ids[-1]]
    assert network.made == 1  # of the first nothing
    gone = (f"/live/{ids[-1]}", f"/photos/{ids[-1]}.jpg", f"/data/explain-{ids[-1]}.js")
    assert ask(server, gone[0], "DELETE")[0].status == 200
    assert [ask(server, path)[0].status for path in gone] == [404, 404, 404]
    assert [ask(server, path, "DELETE")[0].status for path in (gone[0], "/data/site.js", "/")] == [404, 404, 404]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PellucidError("the network gives no scores"), "the network gives no scores"),
        (RuntimeError("out of\n memory"), "the network cannot explain it: RuntimeError: out of memory"),
    ],
)
def test_a_network_that_fails_is_said_and_the_server_goes_on(
    server: LiveServer, network: Network, error: Exception, text: str
) -> None:
    network.error = error
    _, said = hand_in(server, picture())
    assert settled(server, said["id"])["error"] == text
    network.error = None
    _, again = hand_in(server, picture())
    assert settled(server, again["id"])["card"]
    assert state(server, said["id"])["status"] == 404  # what failed is not kept


def test_the_end_of_the_server_ends_the_work(site: Path) -> None:
    network = Network()
    with live(site, desk(network)) as each:
        hand_in(each, picture())
    assert (network.ended, network.made) == (1, 0)
    assert each.desk.explained == [] and each.desk.running is None


# What is not taken ----------------------------------------------------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"not a picture", "not a picture that Pillow can read; give a JPEG, PNG, WebP, GIF, BMP or TIFF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "not a picture"),
        (bomb(), "more than .* pixels"),
        (picture()[:200], "broken: "),
        (picture("JPEG")[:900], "broken: image file is truncated"),
        (picture("EPS"), "not a picture"),
        (picture("PPM"), "not a picture"),
        (picture("ICO"), "not a picture"),
        (picture("PDF"), "not a picture"),
    ],
    ids=["text", "svg", "bomb", "cut png", "cut jpeg", "eps", "ppm", "ico", "pdf"],
)
def test_what_is_no_picture_is_refused_in_one_line(server: LiveServer, network: Network, content: bytes, text: str) -> None:
    status, said = hand_in(server, content)
    assert status == 415 and re.match(text, said["error"]) and "\n" not in said["error"]
    assert network.ended == 0 and server.desk.running is None
    assert hand_in(server, picture())[0] == 202


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"Content-Length": f"{SMALL + 1}"}, 413, "more than 0.1 MB; make it smaller, or serve with a larger --limit"),
        ({"Content-Length": "9" * 5000}, 413, "make it smaller"),
        ({"Content-Length": "0"}, 400, "the picture is empty"),
        ({"Content-Length": ""}, 411, "with its Content-Length"),
        ({"Content-Length": "-1"}, 400, "'-1' is no number of bytes"),
        ({"Content-Length": "+1"}, 400, "is no number of bytes"),
        ({"Content-Length": "1e3"}, 400, "is no number of bytes"),
        ({"Content-Length": "", "Transfer-Encoding": "chunked"}, 411, "in one piece"),
        ({"Content-Length": "5", "Transfer-Encoding": "chunked"}, 411, "in one piece"),
        ({"Content-Type": "text/plain"}, 415, "as application/octet-stream"),
        ({"Content-Type": "multipart/form-data; boundary=a"}, 415, "as application/octet-stream"),
        ({"Content-Type": ""}, 415, "as application/octet-stream"),
    ],
)
def test_a_body_that_may_not_come_is_not_read(server: LiveServer, headers: dict[str, str], status: int, text: str) -> None:
    all = {**BYTES, "Content-Length": "5", **headers}
    answer, said = ask(server, "/live/explain", "POST", *all.items())
    assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert text in json.loads(said)["error"]
    assert server.desk.running is None


def test_two_lengths_are_none(server: LiveServer) -> None:
    twice = [("Content-Length", "5"), ("Content-Length", "6")]
    assert ask(server, "/live/explain", "POST", *BYTES.items(), *twice, body=b"12345")[0].status == 400


@pytest.mark.parametrize("path", ["/", "/live", "/live/", "/live/other", "/data/site.js", "/../live/explain", "/live/explain/x"])
def test_pictures_are_taken_in_one_place_only(server: LiveServer, path: str) -> None:
    answer, _ = ask(server, path, "POST", *BYTES.items(), ("Content-Length", "5"), body=b"12345")
    assert answer.status == 404
    for method in ("PUT", "PATCH", "OPTIONS"):  # a browser that asks whether it may gets no leave
        assert ask(server, "/live/explain", method, ("Content-Length", "0"))[0].status == 405


def test_a_slow_or_broken_line_holds_nothing_up(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PATIENCE", 0.2)
    lines = (
        "POST /live/explain HTTP/1.1",
        f"Host: {own(server)}",
        "Content-Type: application/octet-stream",
        "Content-Length: 40000",
    )
    head = "".join(f"{each}\r\n" for each in (*lines, ""))
    with socket.create_connection(server.server_address[:2], timeout=5) as slow:  # pyright: ignore[reportArgumentType]
        slow.sendall(head.encode() + b"1")
        time.sleep(0.3)
        slow.sendall(b"1")
        assert b" 400 " in slow.recv(100)
    with socket.create_connection(server.server_address[:2], timeout=5) as gone:  # pyright: ignore[reportArgumentType]
        gone.sendall(head.encode() + picture())
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it breaks off
    until(lambda: hand_in(server, picture())[0] == 202)


# Other sites in the same browser --------------------------------------------------------------------------------------------------

FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "evil.example:{port}"},
    {"Host": "127.0.0.1.evil.example:{port}"},
    {"Host": "localhost.evil.example"},
    {"Host": "192.168.1.7:{port}"},
    {"Host": "[::2]"},
    {"Host": "[127.0.0.1"},
    {"Host": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "https://127.0.0.1:{port}"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:{port}"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda each: ", ".join(f"{name} {value}" for name, value in each.items()))
def test_other_sites_can_neither_hand_in_nor_read(server: LiveServer, network: Network, headers: dict[str, str]) -> None:
    id = hand_in(server, picture())[1]["id"]
    assert settled(server, id)["card"]
    given = [(name, value.format(port=server.server_address[1])) for name, value in headers.items()]
    content = picture()
    answer, said = ask(server, "/live/explain", "POST", *BYTES.items(), ("Content-Length", str(len(content))), *given, body=content)
    assert answer.status == 403 and "this server answers" in json.loads(said)["error"]
    for path in ("/", "/data/site.js", f"/live/{id}", f"/photos/{id}.jpg", "/viewer.js", "/sprites/conv2-units-0.jpg"):
        answer, said = ask(server, path, "GET", *given)
        assert answer.status == 403 and id.encode() not in said
    assert ask(server, f"/live/{id}", "DELETE", *given)[0].status == 403
    assert network.ended == 1 and state(server, id)["card"]


def test_a_request_without_host_is_refused(server: LiveServer) -> None:
    with socket.create_connection(server.server_address[:2], timeout=5) as old:  # pyright: ignore[reportArgumentType]
        old.sendall(b"GET /data/site.js HTTP/1.0\r\n\r\n")
        assert b" 403 " in old.recv(100)
    assert ask(server, "/", "GET", ("Host", own(server)), ("Host", "evil.example"))[0].status == 403


def test_no_answer_may_be_read_or_framed_by_others(server: LiveServer) -> None:
    id = hand_in(server, picture())[1]["id"]
    settled(server, id)
    for path in ("/", "/data/site.js", f"/live/{id}", f"/photos/{id}.jpg", "/units/conv2/0.png", "/nothing.js"):
        for method in ("GET", "HEAD"):
            headers = ask(server, path, method)[0].headers
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
            assert not [each for each in headers if each.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}", "localhost:9000", "localhost"]
)
def test_readers_may_call_the_server_by_each_of_its_names(server: LiveServer, host: str) -> None:
    host = host.format(port=server.server_address[1])
    for origin in ("", f"http://{host}"):
        status, said = hand_in(server, picture(), Host=host, Origin=origin, Sec_Fetch_Site="same-origin")
        assert status == 202
        settled(server, said["id"])


def test_a_link_elsewhere_may_lead_to_the_site(server: LiveServer) -> None:
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert ask(server, "/", "GET", *link)[0].status == 200
    assert ask(server, "/live/explain", "POST", *BYTES.items(), *link, ("Content-Length", "5"), body=b"12345")[0].status == 403


@pytest.mark.parametrize(
    ("listening", "host", "may"),
    [
        ("0.0.0.0", "192.168.1.7:8000", True),
        ("0.0.0.0", "localhost:8000", True),
        ("0.0.0.0", "evil.example:8000", False),
        ("127.0.0.1", "192.168.1.7:8000", False),
        ("Mybox", "mybox:8000", True),
        ("mybox", "192.168.1.7:8000", False),
    ],
)
def test_a_server_for_other_machines_answers_to_addresses_and_to_its_name(
    server: LiveServer, listening: str, host: str, may: bool
) -> None:
    server.host = listening.lower()
    assert server.is_own(host) == may


def test_a_server_that_takes_no_pictures_is_as_before(site: Path) -> None:
    with make_server(site, port=0) as each:
        assert not isinstance(each, LiveServer)
        assert each.handler.do_POST is each.handler._refuse


# Names and memory -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("%3Cimg%20src%3Dx%20onerror%3D1%3E", "<img src=x onerror=1>"),
        ("a%0d%0aSet-Cookie:%20b", "aSet-Cookie: b"),
        ("..%2f..%2fetc%2fpasswd", "../../etc/passwd"),
        ("x" * 500, "x" * 120),
        ("%e2%80%aegnp.exe", "gnp.exe"),  # a turn of the writing direction
        ("%ff%00", "\ufffd"),
        ("", "picture"),
        ("%20", "picture"),
    ],
)
def test_a_name_is_text_to_show_and_nothing_else(server: LiveServer, sent: str, shown: str) -> None:
    _, said = hand_in(server, picture(), sent)
    assert settled(server, said["id"])["card"]["name"] == shown


def test_no_path_leads_out_of_memory_or_into_it(server: LiveServer) -> None:
    id = hand_in(server, picture())[1]["id"]
    settled(server, id)
    for path in (
        f"/photos/../photos/{id}.jpg",
        f"/photos//{id}.jpg",
        f"/photos/{id}.jpg/../../../secret",
        f"/live/{id}/data/site.js",
    ):
        assert ask(server, path)[0].status == 404
    assert server.made("data/layer-conv2.js") is None and server.made("../secret") is None


WRITES = (0o1 | 0o2 | 0o100) if sys.platform != "win32" else 0  # O_WRONLY, O_RDWR, O_CREAT
written: list[str] | None = None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note every file that is opened for writing while somebody listens."""
    if event == "open" and written is not None and isinstance(arguments[2], int) and arguments[2] & WRITES:
        written.append(str(arguments[0]))


def test_an_explanation_touches_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    global written
    site, drafts = tmp_path / "site", tmp_path / "tmp"
    empty_site(site)
    drafts.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(drafts))
    monkeypatch.chdir(tmp_path)
    desk = quick_desk(site, ["head"], monkeypatch)
    before = snapshot(tmp_path)
    sys.addaudithook(watch)
    with live(site, desk) as each:
        written = []
        try:
            id = hand_in(each, picture("TIFF"), "a.tif")[1]["id"]
            found = settled(each, id)
            assert found["error"] is None and ask(each, f"/data/explain-{id}.js")[0].status == 200
        finally:
            seen, written = written, None
    assert snapshot(tmp_path) == before
    assert [each for each in seen if "__pycache__" not in each] == []  # where what is compiled when it runs first is kept


def test_the_usual_limit_is_twenty_megabytes(site: Path, network: Network) -> None:
    with live(site, desk(network)) as each:
        assert each.limit == LIMIT == 20_000_000
        assert hand_in(each, b"", **{"Content-Length": f"{LIMIT + 1}"})[0] == 413
        assert hand_in(each, picture())[0] == 202
