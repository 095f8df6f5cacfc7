"""The verbs from photographs to pictures, end to end on the terrarium's network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image
from tests.vis.recipes.scenes import scene

from pellucid.arrays import to_picture
from pellucid.cli import main

Call = Callable[..., "CompletedProcess[str]"]
OUT = ("-o", "out", "--json", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of each kind that people have: wide, tall and grey, small, broken."""
    folder = tmp_path_factory.mktemp("photos")
    to_picture(scene("lighthouse")).resize((300, 200)).save(folder / "wide.jpg")
    to_picture(scene("cabbage")).convert("L").resize((60, 90)).save(folder / "grey.png")
    Image.new("RGB", (12, 12), "red").save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(b"not a picture")
    return folder


@pytest.fixture
def pellucid(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, as starting another takes longer than the work."""

    def call(*arguments: str) -> CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["pellucid", *arguments])
        try:
            status = main() or 0
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return CompletedProcess(arguments, int(str(status)), captured.out, captured.err)

    return call


def made(done: CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def picture_size(folder: Path, row: dict[str, object]) -> tuple[int, int]:
    with Image.open(folder / str(row["file"])) as picture:
        assert json.loads(picture.info["pellucid"])["recipe"]["name"] in str(row["file"])
        return picture.size


def test_dream_of_a_wide_photo(folder: Path, pellucid: Call) -> None:
    (row,) = made(pellucid("dream", "terrarium", "wide.jpg", "--octaves", "2", "--steps", "2", *OUT))
    assert row["file"] == str(Path("out") / "wide-dream-mixed4b.png")
    assert picture_size(folder, row) == (192, 128)  # twice the network's side
    assert [octave["size"] for octave in row["octaves"]] == [[91, 137], [128, 192]]  # type: ignore[attr-defined]


def test_dream_of_a_unit_at_a_chosen_size(folder: Path, pellucid: Call) -> None:
    (row,) = made(
        pellucid(
            "dream",
            "terrarium",
            "grey.png",
            "--layer",
            "class:fireboat",
            "--octaves",
            "1",
            "--steps",
            "1",
            "--picture-size",
            "48",
            *OUT,
        )
    )
    assert picture_size(folder, row) == (32, 48)


def test_invert_the_layers_that_span_the_network(folder: Path, pellucid: Call) -> None:
    rows = made(pellucid("invert", "terrarium", "wide.jpg", "--steps", "2", *OUT))
    assert [row["layer"] for row in rows] == ["conv1", "mixed3b", "mixed4b"]
    assert picture_size(folder, rows[0]) == (96, 64)


def test_caricature_of_a_crop_and_a_seed(folder: Path, pellucid: Call) -> None:
    arguments = ("caricature", "terrarium", "wide.jpg", "--layers", "mixed3a", "mixed3b", "--steps", "1", "--crop")
    first, second = made(pellucid(*arguments, *OUT)), made(pellucid(*arguments, *OUT, "--seed", "1"))
    assert [row["layer"] for row in first] == ["mixed3a", "mixed3b"]
    assert picture_size(folder, first[0]) == (96, 96)
    assert first[0]["cosine"] != second[0]["cosine"]


def test_style_has_the_size_of_the_content(folder: Path, pellucid: Call) -> None:
    (row,) = made(pellucid("style", "terrarium", "wide.jpg", "grey.png", "--steps", "1", "--style-layers", "conv1", "conv2", *OUT))
    assert picture_size(folder, row) == (192, 128)
    assert set(row["style"]) == {"conv1", "conv2", "mixed3b"}  # type: ignore[call-overload]


def test_a_line_for_people(folder: Path, pellucid: Call) -> None:
    done = pellucid("invert", "terrarium", "grey.png", "-o", "out", "--layers", "conv1", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out/grey-invert-conv1.png  conv1 recovered ")
    assert "invert" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["dream", "terrarium", "nowhere.jpg"], 2, "nowhere.jpg: no such file"),
        (["dream", "terrarium", "broken.jpg"], 1, "broken.jpg: not a picture"),
        (["dream", "terrarium", "."], 1, "not a regular file"),
        (["dream", "terrarium", "wide.jpg", "--layer", "mixed4"], 2, "mixed4a"),
        (["dream", "terrarium", "tiny.png"], 2, "larger photo"),
        (["invert", "terrarium", "wide.jpg", "--layers", "conv9"], 2, "conv1"),
        (["caricature", "terrarium", "wide.jpg", "--picture-size", "8"], 2, "--picture-size"),
        (["style", "terrarium", "wide.jpg", "broken.jpg"], 1, "broken.jpg: not a picture"),
        (["style", "terrarium", "wide.jpg", "grey.png", "--content-weight", "0"], 2, "content_weight"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    folder: Path, pellucid: Call, arguments: list[str], status: int, said: str
) -> None:
    done = pellucid(*arguments, "-o", "nothing", "--quiet")
    assert done.returncode == status, done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (folder / "nothing").exists()
