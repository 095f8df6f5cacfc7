"""The wall of pictures and the evidence on a unit's page, in a real browser: by mouse, by keyboard alone, by finger."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .browsing import DESKTOP, MARKS, PHONE, Open, at_cell, tab_to
from .conftest import CLASSES, EVIL_CLASS, EVIL_FILE, LAYERS, SIDE, SILENT, WALL, neighbours, pictures, tile

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = MARKS


def expect_wall(page: Any, layer: str) -> None:
    playwright.expect(page.locator(f"canvas[data-layer='{layer}']")).to_be_attached()


def expect_chosen(page: Any, place: int | None) -> None:
    """What the panel shows: this picture, and its nearest in every layer and by pixels."""
    file = page.locator(".panel .cell-head .file")
    if place is None:
        playwright.expect(file).to_have_count(0)
        return
    playwright.expect(file).to_have_text(pictures()[place].name)
    titles = [*(name for _, name, *_ in LAYERS), "By pixels alone"]
    playwright.expect(page.locator(".nearest-lists h3")).to_have_text(titles)
    for at in range(len(titles)):
        wanted, links = neighbours(at), page.locator(".nearest").nth(at).locator("a")
        assert [each.get_attribute("title") for each in links.all()] == [pictures()[other].name for other in wanted.near[place]]
        shown = links.locator("span:last-child").all_text_contents()
        assert [float(each) for each in shown] == pytest.approx(wanted.apart[place])


def state(page: Any) -> dict[str, str]:
    return dict(each.split("=") for each in page.url.partition("?")[2].split("&"))


# The wall -------------------------------------------------------------------------------------------------------------------------


def test_a_click_leads_from_picture_to_picture_and_back(visit: Open) -> None:
    page = visit()
    page.get_by_role("link", name=f"Wall of {WALL} pictures").click()
    expect_wall(page, "head")  # the last layer, unless asked otherwise
    assert f"{WALL} pictures, drawn evenly from 800" in page.locator(".panel").inner_text()
    page.mouse.move(*at_cell(page, SIDE, *tile(2, 9)))
    playwright.expect(page.locator(".level-note")).to_contain_text(pictures()[9].name)
    page.mouse.click(*at_cell(page, SIDE, *tile(2, 9)))
    expect_chosen(page, 9)
    assert state(page) == {"layer": "head", "picture": "18"}
    page.locator(".nearest").nth(1).locator("a").nth(2).click()
    expect_chosen(page, 15)
    page.go_back()
    expect_chosen(page, 9)
    page.mouse.click(*at_cell(page, SIDE, 5, 5))  # no picture hangs there
    expect_chosen(page, None)
    page.go_back()
    expect_chosen(page, 9)
    page.mouse.click(*at_cell(page, SIDE, *tile(2, 9)))  # once more lets go of it
    expect_chosen(page, None)


def test_another_layer_sorts_the_wall_another_way(visit: Open) -> None:
    page = visit("#/pictures?layer=conv2")
    expect_wall(page, "conv2")
    page.mouse.click(*at_cell(page, SIDE, *tile(0, 5)))
    expect_chosen(page, 5)
    page.select_option("#wall-layer", "mixed4a")
    expect_wall(page, "mixed4a")
    expect_chosen(page, 5)
    assert state(page) == {"layer": "mixed4a", "picture": "10"}
    page.mouse.click(*at_cell(page, SIDE, *tile(1, 21)))
    expect_chosen(page, 21)
    page.go_back()
    page.go_back()
    expect_wall(page, "conv2")
    expect_chosen(page, 5)
    assert page.input_value("#wall-layer") == "conv2"


def test_the_keyboard_alone_leads_from_the_front_page_along_the_wall(visit: Open) -> None:
    page = visit()

    tab_to(page, "a[href='#/pictures']")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect_wall(page, "head")
    playwright.expect(page.locator("canvas.map-canvas")).to_be_focused()
    seen = []
    for key in ("ArrowLeft", *["ArrowLeft"] * 6, *["ArrowUp"] * 6, "ArrowRight"):  # into the corner, and one aside
        page.keyboard.press(key)
        seen.append(page.locator("#map-live").inner_text())
    assert seen[-2].endswith("Row 1, column 1.") and seen[-1].endswith("Row 1, column 2.")
    [place] = [each for each in range(WALL) if tile(2, each) == (0, 1)]
    assert pictures()[place].name in seen[-1]
    expect_chosen(page, None)
    page.keyboard.press("Enter")
    expect_chosen(page, place)
    playwright.expect(page.locator("#map-live")).to_have_text(f"The nearest to {pictures()[place].name} stand in the details.")
    tab_to(page, ".nearest a")
    page.keyboard.press("Enter")
    expect_chosen(page, neighbours(0).near[place][0])
    playwright.expect(page.locator(".cell-head h2")).to_be_focused()
    page.go_back()
    expect_chosen(page, place)
    page.locator("canvas.map-canvas").focus()
    page.keyboard.press("Escape")
    expect_chosen(page, None)


def test_pictures_are_found_by_name_and_by_label(visit: Open) -> None:
    page = visit("#/pictures?layer=conv2&find=FIREBOAT")
    expect_wall(page, "conv2")
    assert page.input_value("#wall-find") == "FIREBOAT"
    playwright.expect(page.locator(".search-status")).to_have_text("no picture of that name")
    label = CLASSES[-3]
    wanted = [each for each, picture in enumerate(pictures()) if picture.label == label]
    page.wait_for_timeout(300)
    page.fill("#wall-find", "")
    page.wait_for_timeout(100)
    before = len(page.locator("canvas.map-canvas").screenshot())
    page.fill("#wall-find", label.upper())
    playwright.expect(page.locator(".search-status")).to_have_text(f"{len(wanted)} pictures")
    page.wait_for_timeout(100)
    assert len(page.locator("canvas.map-canvas").screenshot()) < 0.8 * before  # the others faded
    page.keyboard.press("Enter")
    assert pictures()[wanted[0]].name in page.locator("#map-live").inner_text()
    assert state(page)["find"] == label.upper()
    page.fill("#wall-find", "photos/007")
    playwright.expect(page.locator(".search-status")).to_have_text("1 picture")
    page.mouse.click(*at_cell(page, SIDE, *tile(0, 7)))
    expect_chosen(page, 7)
    assert state(page) == {"layer": "conv2", "picture": "14", "find": "photos%2F007"}
    page.reload()
    expect_chosen(page, 7)
    assert page.input_value("#wall-find") == "photos/007"


def test_a_link_to_a_picture_shows_it_near(visit: Open) -> None:
    page = visit("#/pictures?layer=conv2&picture=0", viewport={"width": 900, "height": 360})
    expect_wall(page, "conv2")
    expect_chosen(page, 0)
    assert page.locator(".cell-head h2").inner_text() == EVIL_CLASS  # as text
    assert page.locator(".cell-head .file").inner_text() == EVIL_FILE
    box = page.locator("canvas.map-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    playwright.expect(page.locator(".level-note")).to_contain_text(EVIL_FILE)


def test_a_picture_without_label_is_called_what_the_network_takes_it_for(visit: Open) -> None:
    page = visit(f"#/pictures?picture={2 * WALL - 2}")
    expect_chosen(page, WALL - 1)
    name = CLASSES[(WALL - 1) % len(CLASSES)].partition(",")[0]
    assert page.locator(".cell-head h2").inner_text() == name
    assert f"the network takes it for {name}" in page.locator(".cell-head").inner_text()


def test_a_finger_opens_a_sheet_with_the_nearest(visit: Open) -> None:
    page = visit("#/pictures?layer=mixed4a", **PHONE)
    expect_wall(page, "mixed4a")
    low = page.locator(".panel").bounding_box()["height"]
    page.touchscreen.tap(*at_cell(page, SIDE, *tile(1, 20)))
    playwright.expect(page.locator(".panel.open")).to_be_visible()
    expect_chosen(page, 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.locator(".nearest a").nth(1).tap()
    expect_chosen(page, 22)
    page.get_by_role("button", name="Close").tap()
    expect_chosen(page, None)
    assert page.locator(".panel").bounding_box()["height"] == pytest.approx(low)


# The way between units and pictures -----------------------------------------------------------------------------------------------


def test_an_example_leads_to_its_picture_on_the_wall_and_back(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/4")
    section = page.locator("section[aria-labelledby=examples]")
    section.locator(".crops button").nth(3).hover()
    assert section.get_by_role("link", name="Pictures like this one").count() == 0  # not on the wall
    section.locator(".crops button").nth(4).hover()
    section.get_by_role("link", name="Pictures like this one").click()
    expect_wall(page, "mixed4a")
    expect_chosen(page, 2)
    page.go_back()
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>:4")


def test_a_unit_names_its_nearest_units(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/10")
    lists = page.locator(".kin")
    assert [each.get_attribute("aria-label") for each in lists.all()] == ["Most alike", "Most opposite"]
    assert lists.nth(0).locator(".caption span:last-child").all_text_contents()[:2] == ["+0.9", "+0.8"]
    assert lists.nth(1).locator(".caption").all_inner_texts() == ["24\n−0.6", "26\n−0.5"]
    lists.nth(1).get_by_role("link").first.click()
    playwright.expect(page.locator("h1")).to_have_text("mixed4a/<b>branch</b>:24")
    page.goto(page.url.split("#")[0] + f"#/layer/mixed4a/unit/{2 * SILENT - 2}")
    playwright.expect(page.locator(".kin").first.locator("li").first).to_contain_text("silent")


def test_a_unit_says_which_classes_and_concepts_it_answers_to(visit: Open) -> None:
    page = visit("#/layer/mixed4a/unit/4")
    rows = lambda name: page.get_by_role("list", name=name).locator("li")  # noqa: E731
    assert rows("Classes it speaks for").all_inner_texts() == [f"{EVIL_CLASS}\n+0.513", "fireboat\n+0.2"]
    assert rows("Concepts it agrees with").all_inner_texts() == ["wheel <i>& hub</i>\n0.0639", "sky\n0.01"]
    text = page.locator(".meaning").inner_text()
    assert "126 labelled pictures show each of 89 concepts" in text and "It is a detector: the best lies above 0.04" in text
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a/unit/6")
    playwright.expect(page.locator(".meaning")).to_contain_text("It is no detector: none lies above 0.04")
    page.goto(page.url.split("#")[0] + "#/layer/mixed4a/unit/8")
    playwright.expect(page.locator(".meaning")).to_contain_text("its answers go with no class more than chance")
    page.goto(page.url.split("#")[0] + "#/layer/head/unit/2")
    playwright.expect(page.locator("h1")).to_have_text("head:2")
    assert page.locator(".meaning h3").all_inner_texts() == ["Classes it speaks for"]


# What can be broken ---------------------------------------------------------------------------------------------------------------


def test_what_is_not_on_the_wall_is_said(visit: Open) -> None:
    page = visit("#/pictures?picture=3")
    assert "Picture 3 is not on this site’s wall" in page.get_by_role("alert").inner_text()
    for hash, message in {"#/pictures?layer=nope": "no layer “nope”", "#/pictures/3": "no such page"}.items():
        page.evaluate("hash => location.hash = hash", hash)
        playwright.expect(page.get_by_role("alert")).to_contain_text(message)
    page.evaluate("location.hash = '#/pictures?picture=4'")
    expect_chosen(page, 2)
    page.evaluate("location.hash = '#/pictures?picture=5'")
    playwright.expect(page.get_by_role("alert")).to_contain_text("Picture 5 is not on")


def test_missing_neighbours_and_thumbnails_are_said(visit: Open, site: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(site, tmp_path / "site"))
    (folder / "data" / "near-pixels.js").unlink()
    (folder / "sprites" / "pictures-0.jpg").unlink()
    page = visit("#/pictures", at=folder.as_uri() + "/", allow="near-pixels|pictures-0|ERR_FILE_NOT_FOUND")
    playwright.expect(page.locator(".map-message")).to_contain_text("1 sheet of pictures could not be loaded")
    page.evaluate("location.hash = '#/pictures?picture=4'")
    playwright.expect(page.locator(".map-message")).to_contain_text("near-pixels.js could not be loaded")


def test_a_site_without_a_wall_has_no_way_to_it(visit: Open, site: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(site, tmp_path / "site"))
    script = folder / "data" / "site.js"
    script.write_text(re.sub(r'"wall": \{[^}]*\}', '"wall": null', script.read_text()))
    page = visit("#/", at=folder.as_uri() + "/", **DESKTOP)
    assert page.locator("a[href^='#/pictures']").count() == 0
    page.evaluate("location.hash = '#/pictures'")
    playwright.expect(page.get_by_role("alert")).to_contain_text("no wall of pictures")
