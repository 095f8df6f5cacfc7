"""A picture that is handed in to a live server, in a real browser; on a site from disk there is no place for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.site import files
from pellucid.site.desk import KEPT
from pellucid.site.live import SCRIPT, LiveServer

from .browsing import DESKTOP, MARKS, PHONE, Open, tab_to
from .explained import EVIL_NAME
from .handed import Network, desk, empty_site, hand_in, live, picture, quick_desk, settled, until

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = MARKS
expect = playwright.expect

REFUSED = "415|413|404|503"  # the browser notes them in its console


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def server(site: Path, network: Network) -> Iterator[LiveServer]:
    with live(site, desk(network), limit=100_000) as each:
        yield each


def given(name: str = "sky.png", content: bytes | None = None) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": picture() if content is None else content}


def choose(page: Any, file: dict[str, Any]) -> None:
    page.locator(".drop-zone input").set_input_files(file)


def test_a_picture_is_explained_from_the_keyboard(visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_site(tmp_path)
    with live(tmp_path, quick_desk(tmp_path, ["head"], monkeypatch)) as server:
        page = visit("#/", at=server.address)
        expect(page.locator("#hand-in")).to_have_text("Explain a picture of yours")
        page.on("filechooser", lambda _: None)  # from now on, and not only once Enter may have been pressed
        tab_to(page, ".drop-zone input")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(given(EVIL_NAME))
        expect(page.locator(".hand-in-work b")).to_have_text(EVIL_NAME)
        expect(page.locator(".hand-in-work p").first).to_have_text(re.compile(r"^Asking the network: .+, [\d,]+ of [\d,]+$"))
        assert page.evaluate("document.activeElement.textContent") == "Stop"
        expect(page.locator("main.explain h1")).to_have_text(EVIL_NAME, timeout=20_000)
        assert page.evaluate("document.activeElement.tagName") == "H1"
        assert page.locator("main b b").count() == 0
        page.wait_for_load_state("networkidle")
        assert page.locator(".lost").count() == 0
        page.locator(".wordmark").click()
        card = page.locator(".explained-list a")
        expect(card.locator(".facts")).to_have_text(EVIL_NAME)
        id = server.desk.explained[0].id
        page = visit(f"#/explain/{id}", at=server.address)  # another reader, or a page loaded anew
        expect(page.locator("main.explain h1")).to_have_text(EVIL_NAME)


@pytest.mark.parametrize("device", [DESKTOP, PHONE, {**DESKTOP, "color_scheme": "dark"}], ids=["desktop", "phone", "dark"])
def test_the_front_page_waits_for_the_network_and_fits(
    visit: Open, server: LiveServer, network: Network, device: dict[str, Any]
) -> None:
    page = visit("#/", at=server.address, **device)
    wide = page.evaluate("innerWidth")
    assert page.locator(".drop-zone").bounding_box()["height"] >= 44
    words = "Take or choose a picture" if device is PHONE else "Choose a picture"
    expect(page.locator(".drop-zone b:visible")).to_have_text(words)
    assert page.evaluate("document.documentElement.scrollWidth") <= wide
    choose(page, given("a-very-long-name-without-any-space" * 3))
    expect(page.locator(".hand-in-work .facts").first).to_have_text("Asking the network: looking, 2 of 3")
    expect(page.locator(".hand-in progress")).to_have_js_property("value", 2 / 3)
    expect(page.locator(".hand-in-work img")).to_have_attribute("src", re.compile("^blob:"))
    assert page.evaluate("document.documentElement.scrollWidth") <= wide
    expect(page.locator(".drop-zone")).to_be_hidden()
    page.reload()
    expect(page.locator(".hand-in-work .facts").first).to_have_text("Asking the network: looking, 2 of 3")  # it goes on
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".drop-zone")).to_be_visible()
    assert server.desk.running is None


def test_what_goes_wrong_stands_on_the_page_with_what_to_do(visit: Open, server: LiveServer, network: Network) -> None:
    page = visit("#/", at=server.address, allow=REFUSED)
    said = page.locator(".hand-in .warning")
    choose(page, given("cat.txt", b"no picture"))
    expect(said).to_have_text("Not a picture that Pillow can read; give a JPEG, PNG, WebP, GIF, BMP or TIFF.")
    expect(page.locator(".drop-zone")).to_be_visible()
    choose(page, given("large.png", bytes(234_567)))
    hint = "Make it smaller, or start the server with a larger --limit."
    expect(said).to_have_text(f"large.png has 0.2 MB, and the server takes up to 0.1 MB. {hint}")
    hand_in(server, picture(), "of%20another")
    choose(page, given())
    expect(said).to_have_text("Another picture is being explained; try again when it is done.")
    network.on.set()
    settled(server, server.desk.running or server.desk.explained[0].id)
    network.error = RuntimeError("<i>out</i> of memory")
    choose(page, given())
    expect(said).to_have_text("The network cannot explain it: RuntimeError: <i>out</i> of memory.")


def test_a_server_that_has_gone_is_said(visit: Open, server: LiveServer) -> None:
    page = visit("#/", at=server.address, allow=".*")
    page.route("**/live/**", lambda route: route.abort())
    choose(page, given())
    expect(page.locator(".hand-in .warning")).to_have_text(
        "The server does not answer. Start it again, and then hand in the picture once more."
    )


def test_a_forgotten_picture_says_so(visit: Open, server: LiveServer, network: Network) -> None:
    network.on.set()
    page = visit("#/explain/long-gone", at=server.address, allow=REFUSED)
    expect(page.locator("main h1")).to_have_text("This picture is no longer here.")
    expect(page.locator("main.trouble p").first).to_have_text(
        f"The server keeps the last {KEPT} pictures that were handed in, and none when it ends. Hand it in again on the front page."
    )
    network.on.clear()
    id = hand_in(server, picture(), "sky")[1]["id"]
    page = visit(f"#/explain/{id}", at=server.address)
    expect(page.locator("main h1")).to_have_text("sky is still being explained.")


def test_a_picture_can_be_dropped_or_pasted(visit: Open, server: LiveServer, network: Network) -> None:
    page = visit("#/", at=server.address, allow="404")
    hand_over = """(make, { kind, name }) => {
        const data = new DataTransfer();
        if (name) data.items.add(new File([Uint8Array.from(make)], name, { type: 'image/png' }));
        const options = { bubbles: true, cancelable: true };
        const event = kind === 'paste'
            ? new ClipboardEvent(kind, { ...options, clipboardData: data })
            : new DragEvent(kind, { ...options, dataTransfer: data });
        document.querySelector('.drop-zone, main').dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    script = f"([make, what]) => ({hand_over})(make, what)"
    content = list(picture())
    assert page.evaluate(script, [content, {"kind": "drop", "name": ""}])  # the browser may not open it in place of the page
    expect(page.locator(".hand-in .warning")).to_have_text(re.compile("^That was no file."))
    for times, kind in enumerate(("drop", "paste"), start=1):
        page.evaluate(script, [content, {"kind": kind, "name": f"{kind}.png"}])
        expect(page.locator(".hand-in-work b")).to_have_text(f"{kind}.png")
        page.get_by_role("button", name="Stop").click()
        until(lambda times=times: network.ended == times)


ATTEMPTS = """async address => {
    const arrives = (tag, path) => new Promise(done => {
        const element = document.createElement(tag);
        element.onload = () => done(true);
        element.onerror = () => done(false);
        element.src = address + path;
        document.head.append(element);
    });
    const answers = (path, options) => fetch(address + path, options).then(() => true, () => false);
    const hand = { method: 'POST', body: 'x', mode: 'no-cors' };
    return [
        await arrives('script', 'data/site.js'),
        await arrives('img', 'sprites/conv2-units-0.jpg'),
        await answers('data/site.js', {}),
        await answers('data/site.js', { mode: 'no-cors' }),
        await answers('live/explain', hand),
        await answers('live/explain', { ...hand, mode: 'cors', headers: { 'Content-Type': 'application/octet-stream' } }),
    ];
}"""


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])  # of the other site: another port, and another name
def test_other_sites_in_the_browser_get_nothing(visit: Open, server: LiveServer, network: Network, http: str, name: str) -> None:
    page = visit("#/", at=http.replace("127.0.0.1", name), allow=".*", bypass_csp=True, **DESKTOP)
    assert page.evaluate(ATTEMPTS, server.address) == [False] * 6
    assert server.desk.running is None and network.ended == 0
    own = visit("#/", at=server.address, allow="415", **DESKTOP)
    assert own.evaluate(ATTEMPTS, server.address) == [True] * 6  # the attempts are real ones


def test_a_site_without_a_live_server_has_no_place_for_pictures(visit: Open, http: str) -> None:
    for base in (None, http):
        page = visit("#/", at=base)
        expect(page.locator("#layers")).to_be_visible()
        assert page.locator(".hand-in, input[type=file]").count() == 0
        expect(page.locator("footer")).to_contain_text("nothing is sent anywhere")


def test_the_live_script_is_current_small_and_asks_its_own_server_only() -> None:
    script, viewer = SCRIPT.read_text("ascii"), (files.VIEWER / "viewer.js").read_text("ascii")
    assert script.partition("\n")[0] == viewer.partition("\n")[0]  # made from the same sources
    assert len(script) < 15_000 and SCRIPT.name not in files.viewer_files()
    for forbidden in (r"XMLHttpRequest", r"\bimport\(", r"\beval\(", r"new Worker", r"innerHTML", r"https?://(?!www\.w3\.org)"):
        assert not re.search(forbidden, script), forbidden
