"""A real browser for the tests of the viewer, which notes everything that goes wrong on a page."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.site.server import make_server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("PELLUCID_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
MARKS = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: set PELLUCID_CHROMIUM to one")]


QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as each:
        engine = each.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def http(site: Path) -> Iterator[str]:
    with make_server(site, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


Open = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, site: Path) -> Iterator[Open]:
    """Opens a page of the site; at the end nothing may have gone wrong and nothing may have been asked of others."""
    contexts: list[Any] = []
    problems: list[str] = []

    def open_page(hash: str = "#/", *, at: str | None = None, allow: str = "(?!)", **options: Any) -> Any:
        base = at if at is not None else site.as_uri() + "/"
        context = browser.new_context(**(options or DESKTOP))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)

        def note(text: str) -> None:
            if not re.search(allow, text):
                problems.append(text)

        page.on("console", lambda message: note(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("requestfailed", lambda request: note(f"failed: {request.url}"))
        page.on("response", lambda answer: answer.status < 400 or note(f"{answer.status}: {answer.url}"))
        page.on(
            "request", lambda request: request.url.startswith((base, "data:", f"blob:{base}")) or note(f"outside: {request.url}")
        )
        page.goto(f"{base}index.html{hash}")
        page.locator("main h1").wait_for(state="attached")
        return page

    yield open_page
    hacked = [page.evaluate("window.hacked") for context in contexts for page in context.pages]
    for context in contexts:
        context.close()
    assert not any(hacked)
    assert not problems, problems


def at_cell(page: Any, grid: int, row: int, col: int) -> tuple[float, float]:
    """Where the middle of a cell lies on the screen while the whole map is shown: the square that fits above the foot."""
    box = page.locator("canvas.map-canvas").bounding_box()
    foot = 112 if box["width"] < 760 else 56
    side = min(box["width"], box["height"] - foot) - 24
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - foot - side) / 2
    return left + (col + 0.5) / grid * side, top + (row + 0.5) / grid * side


def tab_to(page: Any, selector: str) -> None:
    """Press the Tab key until what the selector matches has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not reach {selector}")
