"""The page of an explained picture in a real browser: one choice drives all figures, by mouse, keyboard and finger."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.site import files

from .browsing import DESKTOP, MARKS, PHONE, Open
from .explained import EVIL_NAME, LAYERS, write_explained
from .test_explain_files import data, unpacked

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = MARKS
expect = playwright.expect


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained-site")
    write_explained(folder)
    return folder


@pytest.fixture
def explained(visit: Open, folder: Path) -> Open:
    return lambda hash="#/explain/0", **options: visit(hash, at=folder.as_uri() + "/", **options)


def frame(page: Any, place: int) -> Any:
    return page.locator(f".frame[data-place='{place}'][tabindex]")


def point(page: Any, place: int, row: int, col: int, size: int) -> tuple[float, float]:
    """Where the middle of a cell lies on the screen."""
    frame(page, place).scroll_into_view_if_needed()
    box = frame(page, place).bounding_box()
    return box["x"] + (col + 0.5) / size * box["width"], box["y"] + (row + 0.5) / size * box["height"]


def lights_up_as(page: Any, place: int, values: np.ndarray) -> bool:
    """Whether a frame's map is dark by 1 - share ** 0.7, and red where something speaks against, by the pixels of its canvas."""
    rows, cols, pixels = (
        frame(page, place)
        .locator("canvas")
        .evaluate(
            """canvas => {
            const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            return [copy.height, copy.width, [...context.getImageData(0, 0, copy.width, copy.height).data]];
        }"""
        )
    )
    picture, shares = np.array(pixels, dtype=float).reshape(rows * cols, 4), values.flatten() / np.abs(values).max()
    light = np.abs(shares) ** 0.7
    full = picture[:, 3].max() / (1 - light[picture[:, 3].argmax()] * (shares[picture[:, 3].argmax()] > 0))
    dark = np.where(shares >= 0, full * (1 - light), full)
    red = (shares < 0) & (light > 0.2)
    assert np.abs(picture[:, 3] - dark).max() < 4
    return bool((picture[red, 0] > 1.5 * picture[red, 2]).all())


def between(folder: Path, source: int, target: int) -> np.ndarray:
    [pair] = [each for each in data(folder, "explain-0")["between"] if (each["source"], each["target"]) == (source, target)]
    return unpacked(pair["values"])


# The whole page -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [DESKTOP, PHONE, {**DESKTOP, "color_scheme": "dark"}], ids=["desktop", "phone", "dark"])
def test_the_page_opens_from_disk_and_fits(explained: Open, device: dict[str, Any]) -> None:
    page = explained(**device)
    expect(page.locator("main h1")).to_have_text(EVIL_NAME)
    assert page.locator("section h2").all_text_contents() == [
        "What it says",
        "What each layer sees",
        "What single channels give",
        "Groups of neurons",
        "From group to group",
        "All classes at once",
        "By other methods",
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
    page.wait_for_load_state("networkidle")
    assert page.locator(".lost").count() == 0
    assert page.locator("main b b, main i").count() == 0
    page.evaluate("location.hash = '#/explain/1'")
    expect(page.locator("main h1")).to_have_text("plain.jpg")


def test_the_front_page_leads_to_every_picture_and_a_single_one_is_the_front_page(
    explained: Open, visit: Open, folder: Path, tmp_path: Path
) -> None:
    page = explained("#/")
    assert page.locator(".explained-list .facts").all_text_contents() == [EVIL_NAME, "plain.jpg"]
    page.locator(".explained-list a").nth(1).click()
    expect(page.locator("main h1")).to_have_text("plain.jpg")
    site = {**data(folder, "site"), "explained": data(folder, "site")["explained"][:1]}
    shutil.copytree(folder, tmp_path / "single")
    files.write_data(files.Folder(tmp_path / "single"), "site", site)
    page = visit("#/", at=(tmp_path / "single").as_uri() + "/")
    expect(page.locator("main h1")).to_have_text(EVIL_NAME)
    page.evaluate("location.hash = '#/explain/7'")
    expect(page.locator("main h1")).to_have_text("This site explains no picture “7”.")


# By mouse -------------------------------------------------------------------------------------------------------------------------


def test_a_cell_lights_up_what_it_comes_from_and_what_it_makes(explained: Open, folder: Path) -> None:
    page = explained()
    page.mouse.move(*point(page, 1, 4, 7, 12))
    expect(page.locator(".strip-choice")).to_have_text("Row 5, column 8 of mixed3b")
    assert lights_up_as(page, 0, between(folder, 0, 1)[4 * 12 + 7])
    assert lights_up_as(page, 2, between(folder, 1, 2)[:, 4 * 12 + 7])
    layer = data(folder, "explain-0")["layers"][0]
    words = page.locator(".dictionary").first.locator(".word-text span:first-child").all_text_contents()
    assert [int(each) for each in words] == layer["words"][4 * 12 + 7]
    page.mouse.move(0, 0)
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))


def test_a_click_keeps_a_cell_until_it_is_let_go_and_the_way_back_leads_to_it(explained: Open) -> None:
    page = explained()
    page.mouse.click(*point(page, 2, 3, 3, 12))
    page.mouse.move(0, 0)
    expect(page.locator(".strip-choice")).to_have_text("Row 4, column 4 of mixed4b, kept")
    assert page.url.endswith("?pin=cell-2-39")
    page.locator(".explain-strip button").click()
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))
    page.go_back()
    expect(page.locator(".strip-choice")).to_have_text("Row 4, column 4 of mixed4b, kept")
    page.mouse.click(*point(page, 2, 3, 3, 12))
    page.mouse.move(0, 0)
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))


def test_a_channel_shows_where_it_answers_and_who_else_has_it(explained: Open, folder: Path) -> None:
    page = explained()
    row = page.locator(".channel-list").nth(1).locator(".channel").first
    row.hover()
    layer = data(folder, "explain-0")["layers"][1]
    index = int(str(row.get_attribute("data-choice")).split("-")[-1])
    path = np.array(layer["ways"][1]["gives"][0])
    assert index == int(path.argmax())
    assert lights_up_as(page, 2, unpacked(layer["maps"])[index])
    assert lights_up_as(page, 0, unpacked(layer["maps"])[index])
    shares = np.array([each["shares"] for each in layer["groups"]])
    kin = page.locator(".group-list").nth(1).locator(".kin").evaluate_all("all => all.map(each => each.dataset.choice)")
    assert kin == [f"group-2-{g}" for g in range(4) if shares[g, index] >= 0.3 * shares[g].max()]
    gives = page.locator(".class-rows .gives").first.text_content()
    assert float(gives.replace("−", "-")) == pytest.approx(path[index], rel=0.01)


def test_a_channel_whose_page_the_site_has_leads_there(explained: Open, folder: Path) -> None:
    page = explained("#/explain/1")
    layer = data(folder, "explain-1")["layers"][1]
    rows = page.locator(".channel-list").nth(1).locator("li").all()
    for row in rows:
        index = int(str(row.locator(".channel").get_attribute("data-choice")).split("-")[-1])
        links = row.locator("a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
        assert links == ([f"#/layer/0/unit/{layer['channels'][index]}"] if layer["linked"][index] else [])
    assert 0 < page.locator(".unit-link").count() < len(rows)


def test_a_group_lights_up_its_map_and_its_bands(explained: Open, folder: Path) -> None:
    page = explained()
    page.locator(".group-list").first.locator(".group").nth(2).hover()
    layer = data(folder, "explain-0")["layers"][0]
    assert lights_up_as(page, 1, unpacked(layer["group_maps"])[2])
    lit = page.locator(".flow-gap").first.locator("path:not(.dim) title").all_text_contents()
    assert lit and all(each.startswith("group 3 gives") for each in lit)
    flow, late = data(folder, "explain-0")["flows"][0], data(folder, "explain-0")["layers"][1]
    maps = unpacked(late["group_maps"])
    weights = np.array(flow["given"][2]) / maps.reshape(len(maps), -1).sum(1)
    assert lights_up_as(page, 2, np.tensordot(weights, maps, 1))


def test_a_factor_shows_where_it_is_spoken_for_it(explained: Open, folder: Path) -> None:
    page = explained()
    page.locator(".factor").nth(1).hover()
    expect(page.locator(".strip-choice")).to_have_text("Factor 2")
    for place, maps in enumerate(data(folder, "explain-0")["factors"][1]["maps"], start=1):
        assert lights_up_as(page, place, unpacked(maps))


def test_another_class_and_the_difference_of_two_drive_all_figures(explained: Open, folder: Path) -> None:
    page = explained()
    gives = unpacked(data(folder, "explain-0")["places"][2]["gives"])
    assert lights_up_as(page, 2, gives[0])
    page.locator(".class-choose").nth(1).click()
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    expect(page.locator(".class-choose").nth(1)).to_have_attribute("aria-pressed", "true")
    assert lights_up_as(page, 2, gives[1])
    page.get_by_label("Less the class").select_option("2")
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for .* rather than "))
    assert lights_up_as(page, 2, gives[1] - gives[2])
    assert re.search(r"class=5&less=2$", page.url)
    ways = data(folder, "explain-0")["layers"][0]["ways"]
    path = np.array(ways[1]["gives"][1]) - np.array(ways[1]["gives"][2])
    first = page.locator(".channel-list").first.locator(".channel").first.get_attribute("data-choice")
    assert first == f"channel-1-{int(path.argmax())}"


def test_channels_whose_ways_disagree_are_marked_and_the_sum_s_error_is_told(explained: Open, folder: Path) -> None:
    page = explained()
    for place, layer in enumerate(data(folder, "explain-0")["layers"]):
        part = page.locator(".channel-list").nth(place)
        gives = np.array([way["gives"][0] for way in layer["ways"]])
        for row in part.locator(".channel").all():
            linear, path, stochastic = gives[:, int(str(row.get_attribute("data-choice")).split("-")[-1])]
            apart = len({np.sign(linear), np.sign(path), np.sign(stochastic)}) > 1
            apart |= abs(linear - path) > 0.5 * max(abs(linear), abs(path))
            assert row.locator("b").count() == apart
        for way in layer["ways"][:2]:
            [told] = re.findall(rf"([\d.]+) % \({way['name']}\)", part.inner_text())
            assert float(told) == pytest.approx(100 * abs(way["error"][0] / way["gained"][0]), rel=0.01, abs=0.01)


def test_a_random_way_that_points_elsewhere_disagrees_too(visit: Open, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "turned")
    page_data = data(folder, "explain-0")
    for layer in page_data["layers"]:
        linear, path, stochastic = layer["ways"]
        linear["gives"], stochastic["gives"] = path["gives"], [[-each for each in row] for row in path["gives"]]
    files.write_data(files.Folder(tmp_path / "turned"), "explain-0", page_data)
    page = visit("#/explain/0", at=(tmp_path / "turned").as_uri() + "/")
    assert page.locator(".channel").count() == page.locator(".channel b").count() > 0


def test_methods_stand_with_their_numbers_and_warnings(explained: Open, folder: Path) -> None:
    page = explained()
    for method in data(folder, "explain-0")["methods"]:
        card = page.locator(f"[data-method='{method['name']}']")
        assert card.locator("dt").all_text_contents() == ["Deletion", "Insertion", "Half random", "Under noise"]
        assert card.locator(".warning").count() == method["trust"]["fails"]
    page = explained("#/explain/1")
    assert page.locator("[data-method='guided'] .warning").count() == 1
    assert page.locator(".trust").count() == 0


# By keyboard and by finger --------------------------------------------------------------------------------------------------------


def test_by_keyboard_alone(explained: Open, folder: Path) -> None:
    page = explained()
    for _ in range(40):
        if page.evaluate("document.activeElement.dataset.place") == "1":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.place") == "1"
    page.keyboard.press("ArrowDown")  # begins where the layer answers most
    values = np.array(data(folder, "explain-0")["layers"][0]["values"]).sum(1)
    row, col = divmod(int(values.argmax()), 12)
    expect(page.locator(".strip-choice")).to_have_text(f"Row {row + 1}, column {col + 1} of mixed3b")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    row, col = max(row - 1, 0), max(col - 1, 0)
    expect(page.locator("[aria-live]")).to_have_text(f"Row {row + 1}, column {col + 1} of mixed3b")
    page.keyboard.press("Enter")
    expect(page.locator(".strip-choice")).to_have_text(f"Row {row + 1}, column {col + 1} of mixed3b, kept")
    page.keyboard.press("Tab")  # to the words of the cell
    word = page.evaluate("document.activeElement.dataset.choice")
    assert word.startswith("channel-1-")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.choice") != word
    page.keyboard.press("Enter")
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^Channel .* of mixed3b, kept$"))
    page.keyboard.press("Escape")
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))
    assert "pin" not in page.url


def test_one_stop_of_the_tab_key_in_each_list(explained: Open) -> None:
    page = explained()
    lists = page.locator(".words, .class-rows, .channel-rows, .group-rows, .factor-rows")
    stops = lists.evaluate_all("all => all.map(each => each.querySelectorAll('button[tabindex=\"0\"]').length)")
    assert stops == [1] * (1 + 3 * len(LAYERS) + 1)


def test_by_finger(explained: Open) -> None:
    page = explained(**PHONE)
    page.touchscreen.tap(*point(page, 2, 6, 6, 12))
    expect(page.locator(".strip-choice")).to_have_text("Row 7, column 7 of mixed4b, kept")
    group = page.locator(".group-list").first.locator(".group").first
    group.tap()
    expect(page.locator(".strip-choice")).to_have_text("Group 1 of mixed3b, kept")
    group.tap()
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))


def test_an_address_opens_what_it_says_and_nonsense_is_passed_over(explained: Open, folder: Path) -> None:
    channel = data(folder, "explain-0")["layers"][0]["channels"][2]
    page = explained(f"#/explain/0?class=2&pin=channel-1-{channel}")
    expect(page.locator(".strip-choice")).to_have_text(f"Channel {channel} of mixed3b, kept")
    expect(page.locator(".class-choose").nth(2)).to_have_attribute("aria-pressed", "true")
    page = explained("#/explain/0?class=99&less=3&pin=cell-2-144")
    expect(page.locator(".strip-choice")).to_have_text(re.compile("^What speaks for"))


def test_the_page_s_script_asks_no_one_and_makes_no_markup() -> None:
    script = (files.VIEWER / "explain.js").read_text("ascii")
    assert len(script) < 60_000
    for forbidden in (r"\bfetch\(", r"XMLHttpRequest", r"\bimport\(", r"\beval\(", r"new Worker", r"innerHTML", r"getImageData"):
        assert not re.search(forbidden, script), forbidden
