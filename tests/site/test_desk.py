"""What lies between a picture that is handed in and its page: how long it takes, whose network it is, what may be read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import load
from pellucid.models.spanning import spanning_layers
from pellucid.schema import VERSION
from pellucid.site import desk as desk_module
from pellucid.site.desk import open_desk
from pellucid.site.estimate import NUMBERS, Estimate, usual
from pellucid.site.explaining import Settings
from pellucid.site.explanation import FORMATS, open_photo, read_photo
from pellucid.site.export import site_card
from pellucid.site.files import Folder, Memory, read_data, write_data

from .handed import empty_site, picture, quick_desk


def same(a: Image.Image, b: Image.Image) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


# What may be read -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_what_stands_in_a_file_is_read_as_the_file_is_whatever_its_name(tmp_path: Path, kind: str) -> None:
    model, file = load("terrarium"), tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    content = picture(kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
    file.write_bytes(content)
    wanted, found = open_photo(file, model), read_photo("a.doc", content, model)
    assert found.name == "a.doc" and found.image.equal(wanted.image) and same(found.shown, wanted.shown)
    assert wanted.shown.size == (96, 96)  # 120 × 100 pixels are not twice the model's


def test_of_a_film_the_first_picture_is_read() -> None:
    model, file = load("terrarium"), io.BytesIO()
    frames = [Image.new("P", (200, 200), each) for each in range(3)]
    for each in frames:
        each.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert read_photo("film.gif", file.getvalue(), model).shown.getpixel((50, 50)) == (255, 0, 0)


# How long it takes ----------------------------------------------------------------------------------------------------------------


def told(estimate: Estimate, seconds: dict[tuple[str, int], int]) -> list[float]:
    """The shares after each second of a job whose parts take so long."""
    shares = []
    for (stage, _), length in seconds.items():
        for done in range(length):
            estimate.report(stage, done, length)
            shares.append(estimate.share)
    return shares


def test_after_one_job_the_next_one_s_end_is_known() -> None:
    seconds, now = {("a", 0): 4, ("b", 0): 10, ("a", 1): 2}, [0.0]
    estimate = Estimate({("a", 0): 1.0, ("b", 0): 1.0, ("a", 1): 2.0}, clock=lambda: now[0])
    for first in (True, False):
        estimate.begin()
        began, lefts = now[0], []
        for (stage, _), length in seconds.items():
            for done in range(length):
                estimate.report(stage, done, length)
                lefts.append((16 - (now[0] - began), estimate.left()))
                now[0] += 1
        estimate.end()
        wrong = [abs(left - true) for true, left in lefts if left is not None]
        assert len(wrong) >= 15 and (max(wrong) > 3 if first else max(wrong) < 1e-9)
    assert estimate.weights == {key: float(each) for key, each in seconds.items()}


def test_a_share_never_falls_and_what_nobody_foresaw_is_passed_over() -> None:
    estimate = Estimate({("a", 0): 1.0, ("b", 0): 3.0})
    assert estimate.left() is None
    estimate.begin()
    shares = told(estimate, {("a", 0): 2, ("surprise", 0): 2, ("b", 0): 3, ("a", 1): 2})
    assert shares == [0.0, 0.125, 0.125, 0.125, 0.25, 0.5, 0.75, 0.75, 0.75]
    estimate.begin()
    assert estimate.share == 0
    assert told(estimate, {("b", 0): 2, ("a", 0): 2}) == [0.25, 0.625, 0.625, 0.625]  # not in their order


def test_an_explanation_has_the_parts_that_are_foreseen_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, layers, seen = load("terrarium"), ["conv1", "head"], []
    empty_site(tmp_path)
    desk = quick_desk(tmp_path, layers, monkeypatch)

    def progress(stage: str, done: int, total: int) -> None:
        if not seen or seen[-1] != stage:
            seen.append(stage)

    desk.explain(Memory(), "a", read_photo("a", picture(), model), progress)
    assert sum(usual(layers).values()) == pytest.approx(1)
    assert seen == [stage for stage, _ in usual(layers)]
    assert seen[: len(NUMBERS)] == list(NUMBERS)


# Whose network --------------------------------------------------------------------------------------------------------------------


def test_the_desk_asks_for_the_site_s_layers_and_links_to_its_pages(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = load("terrarium"), []
    layers = read_data(site, "site")["layers"]
    for place, each in enumerate(layers):
        each["name"] = ("conv2", "mixed4a", "head")[place]
        write_data(Folder(tmp_path), f"layer-{each['id']}", read_data(site, f"layer-{each['id']}"))
    write_data(Folder(tmp_path), "site", {**vars(site_card(model)), "layers": layers})

    def explain_photo(shelf, id, model, photo, settings, *, icons, progress, pages):  # pyright: ignore[reportMissingParameterType]
        asked.append((settings, icons.known, {name: (each.layer, list(each.channels)[:3]) for name, each in pages.items()}))

    monkeypatch.setattr(desk_module, "explain_photo", explain_photo)
    for chosen in ([], ["mixed3a"]):
        open_desk(tmp_path, model, chosen).explain(Memory(), "a", read_photo("a", picture(), model), lambda *_: None)
    pages = {"conv2": ("conv2", [0, 2, 4]), "mixed4a": ("mixed4a", [0, 2, 4]), "head": ("head", [0, 2, 4])}
    assert asked[0] == (Settings(layers=("conv2", "mixed4a", "head")), {}, pages)
    assert asked[1] == (Settings(layers=("mixed3a",)), {}, pages)


def test_a_site_without_layers_is_asked_about_those_that_span_the_network(tmp_path: Path) -> None:
    empty_site(tmp_path)
    model = load("terrarium")
    stages = [stage for stage, _ in open_desk(tmp_path, model).estimate.weights if stage.startswith("cells")]
    assert stages == [f"cells of {each}" for each in spanning_layers(model, 3)]
    stages = [stage for stage, _ in open_desk(tmp_path, model, ["head", "conv1"]).estimate.weights if stage.startswith("cells")]
    assert stages == ["cells of conv1", "cells of head"]  # in the network's order


def test_pictures_of_units_that_the_site_has_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.vis import render

    model, seen = load("terrarium"), []
    empty_site(tmp_path)
    render(model, ["head:3"], steps=1)[0].save(tmp_path / "units" / "0" / "3.png")
    monkeypatch.setattr(desk_module, "explain_photo", lambda *_, icons, **__: seen.append(sorted(icons.known)))
    open_desk(tmp_path, model).explain(Memory(), "a", read_photo("a", picture(), model), lambda *_: None)
    assert seen == [[("head", 3)]]


def test_what_no_picture_can_be_explained_with_is_said_at_once(site: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was made of another network than 'terrarium', or with other weights"):
        open_desk(site, load("terrarium"))
    empty_site(tmp_path)
    with pytest.raises(NotFoundError, match="'mixed9' is not there"):
        open_desk(tmp_path, load("terrarium"), ["mixed9"])
    write_data(Folder(tmp_path), "site", {**read_data(tmp_path, "site"), "schema": VERSION - 1})
    with pytest.raises(PellucidError, match=f"has format {VERSION - 1}, .* beside format {VERSION}; build it again"):
        open_desk(tmp_path, load("terrarium"))
