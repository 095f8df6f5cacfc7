"""Data scripts, sprite sheets and the copied viewer."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from pellucid.errors import PellucidError
from pellucid.schema import ClassValue
from pellucid.site import files


def test_a_data_script_is_one_call_with_json_that_no_name_can_break(tmp_path: Path) -> None:
    evil = "</script>'\"\u2028\\ é"
    files.write_data(files.Folder(tmp_path), "layer-a", {"name": evil, "value": ClassValue(3, 0.5)})
    text = (tmp_path / "data" / "layer-a.js").read_text("ascii")
    match = re.fullmatch(r"pellucid\.put\((\".*?\"), (.*)\);\n", text)
    assert match is not None
    assert json.loads(match[1]) == "layer-a"
    assert json.loads(match[2]) == {"name": evil, "value": {"index": 3, "value": 0.5}}


def test_a_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_data(files.Folder(tmp_path), "site", {"score": float("nan")})
    assert not list(tmp_path.iterdir())


def test_data_come_back_from_their_script(tmp_path: Path) -> None:
    value = {"name": "</script>'\"\u2028\\ é );\n", "values": [0.5, None, True]}
    files.write_data(files.Folder(tmp_path), "layer-a", value)
    assert files.read_data(tmp_path, "layer-a") == value
    (tmp_path / "data" / "layer-b.js").write_text("pellucid.put(")
    for key in ("layer-b", "layer-c"):
        with pytest.raises(PellucidError, match=rf"{key}\.js cannot be read .*; export the site again"):
            files.read_data(tmp_path, key)


def test_memory_holds_what_a_folder_holds(tmp_path: Path) -> None:
    folder, memory = files.Folder(tmp_path), files.Memory()
    for shelf in (folder, memory):
        files.write_data(shelf, "site", {"value": 3})
        files.write_picture(shelf, "photos/a.jpg", Image.effect_noise((40, 30), 80))
        files.write_sprites(shelf, "units", [Image.effect_mandelbrot((20, 20), (-2, -2, 2, 2), 20)] * 3, tile=16, lossless=True)
        files.copy_viewer(shelf)
    on_disk = {each.relative_to(tmp_path).as_posix(): each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    photo = on_disk.pop("photos/a.jpg"), memory.files.pop("photos/a.jpg")  # of noise, each time another
    assert all(each.startswith(b"\xff\xd8") for each in photo)
    assert on_disk == memory.files


def test_sprites_lie_in_reading_order_on_sheets_of_a_hundred(tmp_path: Path) -> None:
    colours = [(i, 255 - i, i // 2) for i in range(123)]
    sprites = files.write_sprites(
        files.Folder(tmp_path), "units", [Image.new("RGB", (8, 8), c) for c in colours], tile=8, lossless=True
    )
    assert (sprites.sheets, sprites.count, sprites.tile) == (["sprites/units-0.png", "sprites/units-1.png"], 123, 8)
    sheets = [Image.open(tmp_path / each) for each in sprites.sheets]
    assert [each.size for each in sheets] == [(80, 80), (80, 24)]  # the last sheet is only as high as it must be
    for i, colour in enumerate(colours):
        within = i % sprites.per_sheet
        x, y = within % sprites.columns * 8 + 4, within // sprites.columns * 8 + 4
        assert sheets[i // sprites.per_sheet].getpixel((x, y)) == colour, i


def test_a_picture_that_is_not_square_lies_fitted_in_the_middle(tmp_path: Path) -> None:
    sprites = files.write_sprites(files.Folder(tmp_path), "wide", [Image.new("RGB", (64, 32), "red")], tile=16, lossless=True)
    sheet = Image.open(tmp_path / sprites.sheets[0])
    assert [sheet.getpixel((8, y)) for y in (1, 8, 14)] == [(128, 128, 128), (255, 0, 0), (128, 128, 128)]


def test_no_pictures_make_no_sheet(tmp_path: Path) -> None:
    sprites = files.write_sprites(files.Folder(tmp_path), "none", [], tile=8)
    assert (sprites.sheets, sprites.count) == ([], 0)


def test_the_viewer_is_copied_whole(tmp_path: Path) -> None:
    files.copy_viewer(files.Folder(tmp_path))
    assert {each.name for each in tmp_path.iterdir()} == {"index.html", "viewer.js", "explain.js", "viewer.css", "licenses.txt"}
    for each in tmp_path.iterdir():
        assert each.read_bytes() == (files.VIEWER / each.name).read_bytes()


def test_a_missing_viewer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "VIEWER", tmp_path / "nowhere")
    with pytest.raises(PellucidError, match="make web"):
        files.copy_viewer(files.Folder(tmp_path / "site"))
    assert not (tmp_path / "site").exists()
