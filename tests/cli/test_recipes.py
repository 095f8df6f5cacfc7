"""The verbs from photographs to pictures, end to end on the terrarium's network."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image
from tests.cli.conftest import Call

OUT = ("-o", "out", "--json", "--quiet")


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


def test_accentuate_at_two_strengths(folder: Path, pellucid: Call) -> None:
    arguments = ("accentuate", "terrarium", "wide.jpg", "mixed3a:5", "--strengths", "0.1", "1", "--steps", "8")
    weak, strong = made(pellucid(*arguments, *OUT))
    assert (weak["unit"], weak["file"]) == ("mixed3a:5", str(Path("out") / "wide-accentuate-mixed3a-5-0.1.png"))
    assert picture_size(folder, weak) == (96, 64)
    assert strong["score"] > weak["score"] > weak["photo_score"]  # type: ignore[operator]
    assert strong["similarity"] < weak["similarity"] < 1  # type: ignore[operator]


def test_accentuate_for_people_goes_through_three_strengths(pellucid: Call) -> None:
    done = pellucid("accentuate", "terrarium", "wide.jpg", "mixed3a:5", "-o", "out", "--steps", "1", "--quiet")
    assert [line.split()[0][-7:-4] for line in done.stdout.splitlines()] == ["0.1", "0.3", "5-1"]


def test_a_line_for_people(folder: Path, pellucid: Call) -> None:
    done = pellucid("invert", "terrarium", "grey.png", "-o", "out", "--layers", "conv1", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("out/grey-invert-conv1.png  conv1 recovered ")
    assert "invert" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["dream", "terrarium", "nowhere.jpg"], 2, "nowhere.jpg: no such file"),
        (["dream", "terrarium", "broken.jpg"], 1, "broken.jpg: not a picture that Pillow can read; give a picture"),
        (["dream", "terrarium", "."], 2, ".: a folder; give the paths of pictures"),
        (["dream", "terrarium", "wide.jpg", "--layer", "mixed4"], 2, "mixed4a"),
        (["dream", "terrarium", "tiny.png"], 2, "larger photo"),
        (["invert", "terrarium", "wide.jpg", "--layers", "conv9"], 2, "conv1"),
        (["caricature", "terrarium", "wide.jpg", "--picture-size", "8"], 2, "--picture-size"),
        (["dream", "terrarium", "wide.jpg", "--steps", "0"], 2, "'--steps': 0 is not in the range x>=1"),
        (["accentuate", "terrarium", "broken.jpg", "mixed3a:5"], 1, "broken.jpg: not a picture"),
        (["accentuate", "terrarium", "wide.jpg", "mixed3:5"], 2, "mixed3a"),
        (["accentuate", "terrarium", "wide.jpg", "mixed3a:5", "--strengths", "0"], 2, "strengths must be"),
        (["accentuate", "terrarium", "wide.jpg", "mixed3a:5", "--layer", "mixed9"], 2, "mixed3"),
        (["style", "terrarium", "wide.jpg", "broken.jpg"], 1, "broken.jpg: not a picture"),
        (["style", "terrarium", "wide.jpg", "grey.png", "--content-weight", "0"], 2, "content_weight"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    folder: Path, pellucid: Call, arguments: list[str], status: int, said: str
) -> None:
    done = pellucid(*arguments, "-o", "nothing", "--quiet")
    assert done.returncode == status, done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (folder / "nothing").exists()
