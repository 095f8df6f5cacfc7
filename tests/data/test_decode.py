from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pellucid.data.decode import ORIENTATION, decode, fit
from pellucid.errors import PellucidError


def gradient(width: int = 40, height: int = 24) -> Image.Image:
    rows, cols = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([rows * 255 // height, cols * 255 // width, np.full_like(rows, 80)], 2).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = gradient(64, 32)
    inverse = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }
    stored = upright.transpose(Image.Transpose[inverse[orientation]]) if orientation in inverse else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(decode(tmp_path / "a.png", (32, 64))), np.asarray(upright))
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95)
    small = decode(tmp_path / "a.jpg", (8, 16))  # read at a quarter of its size
    assert small.size == (16, 8)
    assert np.abs(np.asarray(small).astype(int) - np.asarray(upright.resize((16, 8), Image.Resampling.BOX))).max() < 12


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I", "F", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_colour_mode_becomes_rgb_or_grey(tmp_path: Path, mode: str, channels: int) -> None:
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(gradient().convert("L")).astype(np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(np.asarray(gradient().convert("L")).astype(np.int32) * 257)
    else:
        picture = gradient().convert(mode)
    path = tmp_path / ("a.png" if mode in {"1", "L", "P", "RGB", "RGBA", "LA", "I;16"} else "a.tif")
    picture.save(path)
    found = decode(path, (24, 40), channels)
    assert (found.mode, found.size) == ("L" if channels == 1 else "RGB", (40, 24))
    wanted = (
        gradient().convert("1" if mode == "1" else "RGB" if mode in {"RGB", "RGBA", "YCbCr", "CMYK"} else "L").convert(found.mode)
    )
    if mode != "P":
        assert np.abs(np.asarray(found).astype(int) - np.asarray(wanted)).max() <= 3


def test_float_pictures_in_the_unit_range_keep_it(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "a.tif")
    assert np.asarray(decode(tmp_path / "a.tif", (8, 8), 1)).flatten().tolist() == np.linspace(0, 255, 64).round().tolist()


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", (8, 8)).getpixel((3, 3)) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "b.png", transparency=1)
    assert decode(tmp_path / "b.png", (8, 8)).getpixel((3, 3)) == (255, 255, 255)


def test_draft_is_never_smaller_than_needed(tmp_path: Path) -> None:
    gradient(1000, 600).save(tmp_path / "a.jpg")
    found = decode(tmp_path / "a.jpg", (60, 90))
    assert found.width >= 100 and found.height >= 60 and found.width < 300


def broken(folder: Path) -> dict[str, str]:
    """Files that are no pictures, and the reason wanted for each."""
    gradient().save(folder / "whole.png")
    gradient(300, 300).save(folder / "whole.jpg")
    png, jpeg = (folder / "whole.png").read_bytes(), (folder / "whole.jpg").read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "cut.png").write_bytes(png[: len(png) // 2])
    (folder / "flipped.png").write_bytes(png[:60] + bytes(255 - byte for byte in png[60:120]) + png[120:])
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    return {
        "empty.jpg": "not a picture that Pillow can read",
        "text.jpg": "not a picture that Pillow can read",
        "cut.jpg": "broken: image file is truncated.*",
        "cut.png": "broken: .*",
        "flipped.png": "broken: .*",
        "pipe.png": "not a regular file",
        "gone.png": "No such file or directory",
    }


def test_broken_files_say_why_in_the_same_words_every_time(tmp_path: Path) -> None:
    for name, reason in broken(tmp_path).items():
        said = set()
        for _ in range(2):
            with pytest.raises(PellucidError) as caught:
                decode(tmp_path / name, (8, 8))
            said.add(str(caught.value))
        assert len(said) == 1 and re.fullmatch(reason, said.pop()), name


@pytest.mark.parametrize("factor", [1.5, 3.0])  # Pillow warns above its limit and refuses above twice of it
def test_decompression_bombs_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    Image.new("1", (100, int(10 * factor))).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PellucidError, match="more than 1000 pixels"):
        decode(tmp_path / "bomb.png", (8, 8))


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
def test_a_bomb_that_pillow_only_warns_of_is_left_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (100, 15)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(PellucidError, match="more than 1000 pixels"):
        decode(tmp_path / "bomb.png", (8, 8))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_fit_keeps_the_centre_and_the_shape(width: int, height: int, to_height: int, to_width: int) -> None:
    picture = Image.new("L", (width, height), 100)
    found = fit(picture, (to_height, to_width))
    assert found.size == (to_width, to_height) and set(np.asarray(found).flatten().tolist()) == {100}


def test_fit_crops_the_middle() -> None:
    values = np.zeros((10, 30), np.uint8)
    values[:, 10:20] = 255
    assert np.asarray(fit(Image.fromarray(values), (10, 10))).min() == 255
