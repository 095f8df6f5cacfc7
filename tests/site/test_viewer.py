"""The viewer in a real browser, from disk and over HTTP, with mouse, keyboard and finger."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from .browsing import DESKTOP, MARKS, PHONE, Open, at_cell, tab_to
from .conftest import CLASSES, EVIL_CLASS, EVIL_FILE, EVIL_REASON, SILENT, cells

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = MARKS

PAGES = {
    "#/": "What <i>Tiny</i> & friends see",
    "#/layer/mixed4a": "mixed4a/<b>branch</b>",
    "#/layer/mixed4a/unit/4": "mixed4a/<b>branch</b>:4",
    "#/layer/mixed4a/unit/6": "mixed4a/<b>branch</b>:6",
    "#/layer/head": "head",
    "#/layer/mixed4a/atlas": "Atlas of mixed4a/<b>branch</b>",
    "#/layer/conv2/atlas?x=0.4&y=0.6&k=2.5&class=fireboat": "Atlas of conv2",
    "#/pictures": "The pictures",
    "#/pictures?layer=head&picture=62": "The pictures",
}


def expect_atlas(page: Any, grid: int) -> None:
    playwright.expect(page.locator(f"canvas[data-grid='{grid}']")).to_be_attached()


def expect_names(page: Any, wanted: list[str]) -> None:
    playwright.expect(page.locator(".bars .name")).to_have_text(wanted)


def names(page: Any) -> list[str]:
    return page.locator(".bars .name").all_text_contents()


def class_names(grid: int, row: int, col: int) -> list[str]:
    [cell] = [each for each in cells(grid) if (each.row, each.col) == (row, col)]
    return [CLASSES[each.index] for each in cell.classes]


def ink(page: Any) -> int:
    """How much is drawn on the map: the length of a picture of it (a canvas from disk may not be read)."""
    return len(page.locator("canvas.map-canvas").screenshot())


# Every page, everywhere -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("way", ["file", "http"])
def test_every_page_opens_and_fits(visit: Open, http: str, way: str, device: dict[str, Any]) -> None:
    page = visit(at=http if way == "http" else None, **device)
    for hash, heading in PAGES.items():
        page.evaluate("hash => location.hash = hash", hash)
        playwright.expect(page.locator("main h1")).to_have_text(heading)
        assert page.title().endswith("What <i>Tiny</i> & friends see")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], (
            f"{hash} is wider than the window"
        )
        page.wait_for_load_state("networkidle")
        assert page.locator(".lost").count() == 0
        if "atlas" in hash:
            page.locator("canvas[data-grid]").wait_for()


def test_a_site_in_a_sub_folder_with_an_odd_name(visit: Open, site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%20é" / "deep"
    shutil.copytree(site, folder)
    page = visit("#/layer/mixed4a/unit/4", at=folder.as_uri() + "/")
    assert page.locator(".unit-picture img").evaluate("image => image.complete && image.naturalWidth") == 192


def test_names_are_text_and_nothing_else(visit: Open) -> None:
    page = visit("#/")
    page.locator("summary").click()
    assert page.locator(".skipped li b").first.text_content() == EVIL_FILE
    assert page.locator(".skipped li span").first.text_content() == EVIL_REASON
    assert page.locator("dd", has_text="terrarium <b>v1</b>").count() == 1
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a/unit/4")
    page.locator(".stage .file").first.wait_for()
    assert page.locator(".stage .file").all_text_contents() == [EVIL_FILE] * 2
    assert page.locator(".stage b").all_text_contents() == [EVIL_CLASS] * 2
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.fill("#class-search", EVIL_CLASS)
    page.keyboard.press("Enter")
    assert EVIL_CLASS in names(page)
    assert page.locator("img[src='x'], b b, main i:not(.meter i), svg[onload]").count() == 0


def test_the_page_may_not_run_or_fetch_what_is_not_its_own(visit: Open, http: str) -> None:
    page = visit(at=http, allow="Content Security Policy|Failed to load")
    tried = page.evaluate(
        """async () => {
            const loads = (tag, attributes) => new Promise(done => {
                const element = Object.assign(document.createElement(tag), attributes);
                element.onload = () => done('loaded'); element.onerror = () => done('blocked');
                document.head.append(element);
            });
            const inline = document.createElement('script'); inline.textContent = 'window.inline = 1'; document.head.append(inline);
            const asked = await fetch('viewer.js').then(() => 'loaded', () => 'blocked');
            return [window.inline ?? 'blocked', asked, await loads('script', { src: 'data:text/javascript,1' })];
        }"""
    )
    assert tried == ["blocked", "blocked", "blocked"]


# Front page and layers ------------------------------------------------------------------------------------------------------------


def test_the_front_page_tells_what_was_read(visit: Open) -> None:
    page = visit()
    text = page.locator("main").inner_text()
    for fact in (
        "96 × 96 px",
        "1,234,567",
        "800 pictures",
        "120 files could not be read",
        "each position sees 11 × 11 of 96 × 96 px",
    ):
        assert fact in text, fact
    assert "and 118 more" not in text
    page.locator("summary").click()
    assert "and 118 more" in page.locator("main").inner_text()
    assert page.locator(".layer-row").count() == 3
    assert page.locator("a[aria-label^='Atlas of']").count() == 2  # the last layer has none


def test_a_picture_of_the_strip_leads_to_its_unit_and_back(visit: Open) -> None:
    page = visit()
    link = page.get_by_role("link", name="A unit of mixed4a/<b>branch</b>, 5 of 16")
    link.click()
    playwright.expect(page.locator("h1")).to_have_text(
        "mixed4a/<b>branch</b>:10"
    )  # the fifth that speaks is at place 5: channel 10
    page.go_back()
    playwright.expect(page.locator("h1")).to_have_text("What <i>Tiny</i> & friends see")
    playwright.expect(link).to_be_focused()


def test_a_unit_says_how_good_its_picture_is(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/10")
    lines = page.get_by_role("list", name="How good the picture is").get_by_role("listitem")
    assert lines.all_inner_texts() == ["Worked: 3.2 times as far as the best real picture.", "Robust: 80% left."]
    page = visit(f"#/layer/mixed4a/unit/{2 * SILENT}")
    assert page.get_by_role("list", name="How good the picture is").count() == 0


def test_units_are_sorted_found_and_silent(visit: Open) -> None:
    page = visit("#/layer/mixed4a")
    channels = lambda: [int(each) for each in page.locator(".units .caption span:first-child").all_text_contents()]  # noqa: E731
    assert channels() == list(range(0, 80, 2))
    silent = page.locator(".units li").nth(SILENT)
    assert "silent" in silent.inner_text()
    assert silent.locator(".sprite").evaluate("each => each.style.backgroundImage") == ""
    page.select_option("#sort", "score")
    scores = [float(each) for each in page.locator(".units .score").all_text_contents() if each]
    assert scores == sorted(scores, reverse=True) and len(scores) == 39
    assert channels()[-1] == 2 * SILENT
    page.fill("#find", "1")
    assert sorted(channels()) == [10, 12, 14, 16, 18]
    page.fill("#find", "99")
    assert "No unit" in page.locator("[role=status]").inner_text()
    page.fill("#find", "14")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>:14")
    page.go_back()
    assert (page.input_value("#sort"), page.input_value("#find"), channels()) == ("score", "14", [14])


def test_the_score_shows_on_hover_and_focus(visit: Open) -> None:
    page = visit("#/layer/mixed4a")
    tile = page.locator(".units a").nth(7)
    score = tile.locator(".score")
    assert score.evaluate("each => getComputedStyle(each).opacity") == "0"
    tile.hover()
    assert score.evaluate("each => getComputedStyle(each).opacity") == "1"
    page.mouse.move(0, 0)
    page.locator("#find").focus()
    page.keyboard.press("Tab")
    assert page.locator(".units .score").first.evaluate("each => getComputedStyle(each).opacity") == "1"


def test_tiles_far_out_of_view_are_drawn_when_they_come(visit: Open) -> None:
    page = visit("#/layer/mixed4a", viewport={"width": 500, "height": 300})
    drawn = "each => each.checkVisibility({ contentVisibilityAuto: true })"
    page.wait_for_timeout(100)
    assert page.locator(".units .sprite").last.evaluate(drawn) is False
    page.locator(".units a").last.focus()
    page.wait_for_function(f"({drawn})(document.querySelector('.units li:last-child .sprite'))")
    assert page.locator(".units a").last.bounding_box()["y"] < 300


# Units ----------------------------------------------------------------------------------------------------------------------------


def test_a_unit_shows_where_its_examples_were_found(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/4")
    section = page.locator("section[aria-labelledby=examples]")
    box = section.locator(".whole .box")

    def place() -> list[float]:
        inner, frame = box.bounding_box(), section.locator(".whole").bounding_box()
        return [round((inner["y"] - frame["y"]) / frame["height"], 2), round((inner["x"] - frame["x"]) / frame["width"], 2)]

    assert place() == [0.1, 0.0]
    section.locator(".crops button").nth(4).hover()
    assert place() == [0.1, 0.2]
    assert "fish/n01443_tench.jpg" in section.locator(".stage").inner_text()
    section.locator(".crops button").nth(6).focus()
    assert place() == [0.1, 0.3]
    assert section.locator(".crops button[aria-pressed=true]").count() == 1
    assert "256 steps of Adam" in page.locator(".made").inner_text()
    assert page.get_by_role("img", name=re.compile("Score while painting: from 0 to")).count() == 1


def test_a_unit_shows_its_spectrum_by_mouse_and_by_keyboard(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/2")
    section = page.locator("section[aria-labelledby=spectrum]")
    titles = [
        "painted for the least",
        "the least",
        "below zero20%",
        "around zero70%",
        "above zero10%",
        "the most",
        "painted for the most",
    ]
    playwright.expect(section.locator("h3")).to_have_text(titles)
    assert section.get_by_role("img", name="How often it gives which answer, from −1.5 to 9.5").locator("rect").count() == 40
    values = section.locator(".part").nth(5).locator(".caption span:last-child").all_text_contents()
    assert values == ["8.5", "9.5"]  # rising along the page
    stage, chosen = section.locator(".stage"), section.locator("button[aria-pressed=true]")
    assert "excites the unit to 9.5" in stage.inner_text() and chosen.count() == 1
    section.locator("button").nth(3).hover()
    assert "excites the unit to 6.5" in stage.inner_text() and chosen.count() == 1
    page.keyboard.press("Tab")
    section.locator("button").nth(4).focus()
    page.keyboard.press("Tab")
    assert "excites the unit to 4.5" in stage.inner_text()
    assert "excites the unit to 9.5" in page.locator("section[aria-labelledby=examples] .stage").inner_text()  # untouched


def test_a_spectrum_has_only_the_parts_that_there_are(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/4")
    titles = ["no less than zero", "around zero70%", "above zero10%", "the most", "painted for the most"]
    playwright.expect(page.locator("section[aria-labelledby=spectrum] h3")).to_have_text(titles)
    page.goto(page.url.split("#")[0] + f"#/layer/mixed4a/unit/{2 * SILENT}")
    playwright.expect(page.locator("section[aria-labelledby=spectrum] h3")).to_have_text(titles[:-1])


def test_units_without_picture_or_examples_say_so(visit: Open) -> None:
    page = visit(f"#/layer/mixed4a/unit/{2 * SILENT}")
    assert "Nothing that was painted moved this unit" in page.locator(".unit-picture").inner_text()
    assert page.locator(".unit-picture img, .sparkline").count() == 0
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a/unit/10")
    note = page.locator("section[aria-labelledby=examples] .note")
    playwright.expect(note).to_have_text(
        "It is constant: it answers −0.25 everywhere in all pictures of the data, so none of them says anything about it."
    )


def test_arrow_keys_go_to_the_neighbours_and_one_step_back_leaves_them(visit: Open) -> None:
    page = visit("#/layer/mixed4a")
    page.locator(".units a").nth(1).click()
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>:2")
    for key, channel in (("ArrowRight", 4), ("ArrowRight", 6), ("ArrowLeft", 4)):
        page.keyboard.press(key)
        playwright.expect(page.locator("h1")).to_have_text(f"mixed4a/<b>branch</b>:{channel}")
    page.go_back()
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>")


# The atlas ------------------------------------------------------------------------------------------------------------------------


def test_hovering_tells_what_a_cell_stands_for_and_a_click_keeps_it(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.mouse.move(*at_cell(page, 12, 6, 2))
    expect_names(page, class_names(12, 6, 2))
    assert "cosine" in page.locator(".panel").inner_text()
    assert page.locator(".patches li").count() == 6
    page.mouse.move(*at_cell(page, 12, 2, 6))
    expect_names(page, class_names(12, 2, 6))
    page.mouse.move(*at_cell(page, 12, 11, 0))  # empty
    expect_names(page, [])
    assert "A map of what" in page.locator(".panel").inner_text()
    page.mouse.click(*at_cell(page, 12, 6, 2))
    page.mouse.move(*at_cell(page, 12, 2, 6))
    expect_names(page, class_names(12, 6, 2))
    page.mouse.click(*at_cell(page, 12, 11, 0))
    expect_names(page, [])


def test_a_resize_does_not_stop_a_flight(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas?x=0.5&y=0.5&k=6")
    expect_atlas(page, 24)
    page.locator("canvas.map-canvas").focus()
    page.keyboard.press("0")
    page.set_viewport_size({"width": 1100, "height": 820})
    expect_atlas(page, 12)


def test_the_grid_follows_the_zoom(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.get_by_role("button", name="Nearer").click()
    expect_atlas(page, 24)
    playwright.expect(page.locator(".level-note")).to_have_text(re.compile(rf"24 × 24 · {len(cells(24))} icons"))
    page.get_by_role("button", name="The whole map").click()
    expect_atlas(page, 12)
    page.mouse.move(*at_cell(page, 12, 6, 4))
    page.mouse.wheel(0, -500)
    expect_atlas(page, 24)
    page.set_viewport_size({"width": 500, "height": 500})
    page.locator("canvas.map-canvas").focus()
    page.keyboard.press("0")
    expect_atlas(page, 6)


def test_dragging_moves_the_map_and_a_double_click_comes_nearer(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    x, y = at_cell(page, 12, 6, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y + 60, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"x=0\.\d+&y=0\.\d+&k=1\.000"))
    page.mouse.move(*at_cell(page, 12, 11, 0))
    expect_names(page, [])  # a drag picks nothing
    page.mouse.move(x + 150, y + 61)
    expect_names(page, class_names(12, 6, 2))
    page.mouse.dblclick(x + 150, y + 61)
    expect_atlas(page, 24)


def test_a_link_to_a_view_shows_that_view(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas?x=0.25&y=0.5&k=2.5&class=fireboat")
    expect_atlas(page, 24)
    box = page.locator("canvas.map-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 3)
    expect_names(page, class_names(24, 12, 6))
    assert page.input_value("#class-search") == "fireboat"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    playwright.expect(page.locator(".map-message")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert re.search(r"x=0\.250&y=0\.500&k=2\.500&class=fireboat$", page.url)


def test_a_class_is_found_on_the_map(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.wait_for_timeout(300)
    before = ink(page)
    page.fill("#class-search", "FIREB")
    wanted = [each for each in cells(12) if any(CLASSES[value.index] == "fireboat" for value in each.classes)]
    playwright.expect(page.locator(".search-status")).to_have_text(f"in {len(wanted)} of {len(cells(12))} cells")
    page.wait_for_timeout(100)
    assert ink(page) < 0.8 * before  # the others faded
    page.keyboard.press("Enter")
    assert "fireboat" in names(page)
    page.fill("#class-search", "nothing like that")
    playwright.expect(page.locator(".search-status")).to_have_text("no class of that name")
    page.fill("#class-search", "")
    playwright.expect(page.locator(".search-status")).to_have_text("")
    second = names(page)[1]
    page.locator(".bars button").nth(1).click()
    assert page.input_value("#class-search") == second


def test_names_over_the_icons_can_be_switched_off(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.wait_for_timeout(300)
    before = page.locator("canvas.map-canvas").screenshot()
    page.get_by_label("Names").uncheck()
    page.wait_for_timeout(100)
    assert page.locator("canvas.map-canvas").screenshot() != before


def test_the_keyboard_alone_leads_from_the_front_page_to_a_cell(visit: Open) -> None:
    page = visit()

    tab_to(page, "a[href='#/layer/mixed4a']")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    playwright.expect(page.locator("h1")).to_be_focused()
    tab_to(page, ".units a[href='#/layer/mixed4a/unit/4']")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>:4")
    tab_to(page, ".crops button")
    page.go_back()
    playwright.expect(page.locator(".units a[href='#/layer/mixed4a/unit/4']")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.locator("h1").focus()
    tab_to(page, ".atlas-link")
    page.keyboard.press("Enter")
    expect_atlas(page, 12)
    playwright.expect(page.locator("canvas.map-canvas")).to_be_focused()
    page.keyboard.press("ArrowDown")
    first = page.locator("#map-live").inner_text()
    assert re.search(r"\d+ samples?\. Row \d+, column \d+\.", first)
    page.keyboard.press("ArrowRight")
    second = page.locator("#map-live").inner_text()
    row, col = (int(re.search(f"{word} (\\d+)", second)[1]) - 1 for word in ("Row", "column"))  # pyright: ignore[reportOptionalSubscript]
    assert second != first
    expect_names(page, class_names(12, row, col))
    page.keyboard.press("Enter")
    assert "details" in page.locator("#map-live").inner_text().lower()
    page.keyboard.press("+")
    expect_atlas(page, 24)
    assert names(page) != []  # the cell at the same place of the finer grid
    page.keyboard.press("Escape")
    expect_names(page, [])


def test_arrow_keys_cross_holes_and_stop_at_the_border(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas")
    expect_atlas(page, 12)
    page.locator("canvas.map-canvas").focus()
    page.keyboard.press("ArrowLeft")
    seen = []
    for _ in range(14):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("#map-live").inner_text())
    assert seen[-1] == seen[-2]
    columns = [int(re.search(r"column (\d+)", each)[1]) for each in seen]  # pyright: ignore[reportOptionalSubscript]
    assert columns == sorted(columns) and columns[-1] == 1 + max(each.col for each in cells(12))


def test_a_finger_opens_a_sheet_and_closes_it(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas", **PHONE)
    expect_atlas(page, 6)
    panel = page.locator(".panel")
    low = panel.bounding_box()["height"]
    page.touchscreen.tap(*at_cell(page, 6, 3, 1))
    playwright.expect(page.locator(".panel.open")).to_be_visible()
    expect_names(page, class_names(6, 3, 1))
    assert panel.bounding_box()["height"] > 3 * low
    assert panel.bounding_box()["y"] + panel.bounding_box()["height"] == pytest.approx(844, abs=1)
    page.get_by_role("button", name="Close").tap()
    expect_names(page, [])
    assert panel.bounding_box()["height"] == pytest.approx(low)


def test_two_fingers_zoom(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas", **PHONE)
    expect_atlas(page, 6)
    device = page.context.new_cdp_session(page)
    points = lambda apart: [{"x": 195 - apart, "y": 400, "id": 0}, {"x": 195 + apart, "y": 400, "id": 1}]  # noqa: E731
    device.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points(20)})
    for apart in (40, 60, 80):
        device.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points(apart)})
    device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_atlas(page, 24)


@pytest.mark.parametrize("hash", PAGES)
def test_what_a_finger_has_to_hit_is_large_enough(visit: Open, hash: str) -> None:
    page = visit(hash, **PHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, select, input:not([type=checkbox]), summary, label.check')]
            .filter(each => !each.matches('.skip') && each.offsetParent && each.getBoundingClientRect().height < 44)
            .map(each => `${each.outerHTML.slice(0, 90)} ${each.getBoundingClientRect().height}`)"""
    )
    assert small == []


def test_no_motion_where_none_is_wanted(visit: Open) -> None:
    page = visit("#/layer/mixed4a/atlas", **DESKTOP, reduced_motion="reduce")
    expect_atlas(page, 12)
    k = page.evaluate(
        """() => {
            document.querySelector('button[aria-label=Nearer]').click();
            return new URLSearchParams(location.hash.split('?')[1]).get('k');
        }"""
    )
    assert k == "2.000"  # there at once, without a flight
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a")
    assert page.locator(".units .sprite").first.evaluate("each => getComputedStyle(each).transitionDuration") == "0s"


def test_leaving_the_atlas_in_flight_does_not_pull_the_address_back(visit: Open, http: str) -> None:
    def slowly(route: Any) -> None:
        time.sleep(0.6)  # longer than the flight
        route.continue_()

    page = visit("#/layer/mixed4a/atlas", at=http)
    expect_atlas(page, 12)
    page.route("**/layer-head.js", slowly)
    page.evaluate("document.querySelector('button[aria-label=Nearer]').click(); location.hash = '#/layer/head'")
    playwright.expect(page.locator("main h1")).to_have_text("head")
    assert page.url.endswith("#/layer/head")


def test_dark_and_light_differ_and_words_can_be_read_in_both(visit: Open) -> None:
    contrast = """() => {
        const channel = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(each => channel(each / 255))
            .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const words = [...document.querySelectorAll('h1, .facts, .note, dt, .wordmark, footer p')]
            .map(each => light(getComputedStyle(each).color));
        return [paper, Math.min(...words.map(each => (Math.max(each, paper) + 0.05) / (Math.min(each, paper) + 0.05)))];
    }"""
    papers = []
    for scheme in ("light", "dark"):
        paper, worst = visit("#/", **DESKTOP, color_scheme=scheme).evaluate(contrast)
        papers.append(paper)
        assert worst > 4.5, scheme
    assert papers[0] > 0.8 > 0.1 > papers[1]


# What can be broken ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def spoiled(site: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(site, tmp_path / "site"))


def alert(page: Any) -> str:
    return page.get_by_role("alert").inner_text()


def test_pages_that_are_not_there(visit: Open) -> None:
    page = visit("#/layer/nope")
    assert "no layer “nope”" in alert(page) and "conv2" in alert(page)
    for hash, message in {
        "#/layer/head/atlas": "head has no atlas",
        "#/layer/conv2/unit/1": "Unit 1 of conv2 is not in this site",
        "#/layer/conv2/position/99": "no unit at place 99",
        "#/what": "no such page",
        "#/%E0%A4%A": "no such page",
        "#/layer/<img src=x onerror=hacked=1>": "no layer",
    }.items():
        page.evaluate("hash => location.hash = hash", hash)
        playwright.expect(page.get_by_role("alert")).to_contain_text(message)
    page.get_by_role("link", name="To the front page").click()
    playwright.expect(page.locator("h1")).to_have_text("What <i>Tiny</i> & friends see")


@pytest.mark.parametrize("way", ["missing", "empty"])
def test_data_that_are_missing_are_named(visit: Open, spoiled: Path, way: str) -> None:
    script = spoiled / "data" / "layer-conv2.js"
    script.unlink() if way == "missing" else script.write_text("")
    page = visit("#/layer/conv2", at=spoiled.as_uri() + "/", allow="layer-conv2|ERR_FILE_NOT_FOUND")
    assert "data/layer-conv2.js" in alert(page) and "copy its whole folder again" in alert(page)
    page.evaluate("location.hash = '#/layer/head'")
    playwright.expect(page.locator("h1")).to_have_text("head")


def test_a_site_without_its_data_says_so(visit: Open, spoiled: Path) -> None:
    (spoiled / "data" / "site.js").unlink()
    page = visit("#/", at=spoiled.as_uri() + "/", allow="site.js|ERR_FILE_NOT_FOUND")
    assert "data/site.js could not be loaded" in alert(page)


def test_data_of_another_version_are_refused(visit: Open, spoiled: Path) -> None:
    script = spoiled / "data" / "site.js"
    script.write_text(re.sub(r'"schema": \d+', '"schema": 99', script.read_text()))
    page = visit("#/", at=spoiled.as_uri() + "/")
    assert "have format 99" in alert(page) and "pellucid 0.1.0" in alert(page)


def test_missing_pictures_are_said_where_they_should_be(visit: Open, spoiled: Path) -> None:
    shutil.rmtree(spoiled / "sprites")
    shutil.rmtree(spoiled / "units")
    (spoiled / "data" / "atlas-conv2-6.js").unlink()
    page = visit("#/layer/mixed4a", at=spoiled.as_uri() + "/", allow="sprites|units|atlas-conv2-6|ERR_FILE_NOT_FOUND")
    playwright.expect(page.locator(".units .lost").first).to_have_text("picture missing")
    page.evaluate("location.hash = '#/layer/mixed4a/unit/4'")
    playwright.expect(page.locator(".unit-picture .lost")).to_have_text("The picture is missing from this site.")
    page.evaluate("location.hash = '#/layer/mixed4a/atlas'")
    playwright.expect(page.locator(".map-message")).to_contain_text("of icons could not be loaded")
    page.evaluate("location.hash = '#/layer/conv2/atlas?x=0.5&y=0.5&k=0.8'")
    page.set_viewport_size({"width": 800, "height": 420})
    playwright.expect(page.locator(".map-message")).to_contain_text("atlas-conv2-6.js could not be loaded")


def test_the_viewer_reads_what_the_schema_writes(visit: Open, site: Path) -> None:
    """The data of the page are the data of the file, not a copy that something has changed."""
    page = visit()
    written = json.loads(re.fullmatch(r'pellucid\.put\("site", (.*)\);\n', (site / "data" / "site.js").read_text())[1])  # pyright: ignore[reportOptionalSubscript]
    shown = page.locator(".layer-row h3").all_text_contents()
    assert shown == [each["name"] for each in written["layers"]]
