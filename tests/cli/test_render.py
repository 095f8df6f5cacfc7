"""From units to pictures, end to end: every way to make them, what is said of each, and what is wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.conftest import Call

from pellucid.cli.vis import PARAMS, PRESETS
from pellucid.vis import presets

QUICK = ("--steps", "2", "--quiet")


def made(pellucid: Call, *arguments: str) -> list[dict[str, Any]]:
    done = pellucid("render", "terrarium", *arguments, "-o", "out", "--json", *QUICK)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def settings(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    with Image.open(folder / row["file"]) as picture:
        return json.loads(picture.info["pellucid"])


def test_names_are_the_librarys() -> None:
    assert (list(PRESETS), list(PARAMS)) == (list(presets.PRESETS), list(presets.PARAMETERIZATIONS))


def test_method_and_param_are_what_makes_the_picture(folder: Path, pellucid: Call) -> None:
    (plain,) = made(pellucid, "mixed3a:5", "--method", "none")
    how = settings(folder, plain)
    assert how["transforms"] == [] and how["parameterization"] == "pixel(sd=0.01, colours=None)"
    (other,) = made(pellucid, "mixed3a:5", "--method", "strong", "--param", "laplacian")
    how = settings(folder, other)
    assert how["transforms"] == ["fitted(strong)"] and how["parameterization"].startswith("laplacian(")


def test_a_transparent_picture_has_opacity(folder: Path, pellucid: Call) -> None:
    (row,) = made(pellucid, "mixed3a:5", "--param", "transparent")
    with Image.open(folder / row["file"]) as picture:
        assert picture.mode == "RGBA"


def test_maco_takes_its_amplitudes_from_the_images(folder: Path, pellucid: Call) -> None:
    (law,) = made(pellucid, "mixed3a:5", "--param", "maco")
    assert settings(folder, law)["parameterization"] == "maco(magnitude=None)"
    (learned,) = made(pellucid, "mixed3a:5", "--param", "maco", "--images", "scenes")
    assert "<Magnitude of 3 × 96 × 96" in settings(folder, learned)["parameterization"]


def test_negative_follows_each_unit(folder: Path, pellucid: Call) -> None:
    rows = made(pellucid, "mixed3a:5", "class:lake", "--negative")
    assert [row["unit"] for row in rows] == ["mixed3a:5", "-mixed3a:5", "class:lake", "-class:lake"]
    assert [row["file"] for row in rows if row["state"] == "finished"][-1] == str(Path("out") / "003-class-lake-negative.png")
    assert settings(folder, rows[3])["objective"].startswith("-")


def test_a_unit_with_a_minus_comes_behind_dashes(folder: Path, pellucid: Call) -> None:
    done = pellucid("render", "terrarium", "class:fish", "-o", "out", "--json", *QUICK, "--", "-class:lake")
    first, second = json.loads(done.stdout)
    assert (first["unit"], second["unit"]) == ("class:fish", "-class:lake")
    assert settings(folder, second)["objective"].startswith("-")


def test_diverse_pictures_of_each_unit_differ(folder: Path, pellucid: Call) -> None:
    rows = made(pellucid, "mixed3a:5", "mixed3a:2", "--diverse", "2", "--picture-size", "32")
    assert [row["unit"] for row in rows] == ["mixed3a:5"] * 2 + ["mixed3a:2"] * 2
    assert len({(folder / row["file"]).read_bytes() for row in rows}) == 4
    assert len({row["score"] for row in rows}) == 4


def test_tries_keep_the_best(pellucid: Call) -> None:
    (one,), (three,) = (made(pellucid, "mixed3a:5", "--picture-size", "32", "--tries", tries) for tries in "13")
    assert three["score"] > one["score"]


def test_quality_is_in_the_rows_and_under_the_lines(pellucid: Call) -> None:
    arguments = ("class:lighthouse", "--quality", "--images", "scenes")
    (row,) = made(pellucid, *arguments)
    assert row["quality"]["pictures"] == 4
    assert row["quality"]["worked"]["score"] == pytest.approx(row["score"], rel=1e-3)
    done = pellucid("render", "terrarium", *arguments, "-o", "out", *QUICK)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["Worked:", "Natural:", "Robust:", "Specific:"]
    assert "skipped 1 files; the first, 9.png" in done.stderr


def test_quality_of_pictures_larger_than_the_networks(pellucid: Call) -> None:
    (row,) = made(pellucid, "mixed3a:5", "--quality", "--images", "scenes", "--picture-size", "112")
    assert row["quality"]["pictures"] == 4


def test_a_prior_makes_pictures_near_to_what_it_learned(folder: Path, pellucid: Call) -> None:
    done = pellucid("prior", "scenes", "-o", "own.safetensors", "--side", "16", "--steps", "2", "--no-mirror", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    learned = json.loads(done.stdout)
    assert learned["pictures"] == 4 and learned["steps"] == 2 and learned["mirror"] is False and learned["side"] == 16
    assert "skipped 1 files" in done.stderr
    (row,) = made(pellucid, "mixed3a:5", "--prior", "own.safetensors", "--strength", "0.25")
    how = settings(folder, row)
    assert how["strength"] == 0.25 and how["prior"].startswith("<prior of 16 px")
    assert how["steps"] == 2


def test_a_prior_of_grey_pictures(folder: Path, pellucid: Call) -> None:
    from pellucid.vis.prior import load_prior

    done = pellucid("prior", "scenes", "-o", "grey.safetensors", "--grey", "--side", "16", "--steps", "1", "--quiet")
    assert done.stdout == "grey.safetensors  learned from 4 pictures of 16 × 16 px\n"
    assert load_prior(folder / "grey.safetensors").channels == 1


def test_interpolation_has_a_picture_for_each_frame(folder: Path, pellucid: Call) -> None:
    arguments = ("interpolate", "terrarium", "mixed3a:5", "mixed3a:2", "-o", "out", "--frames", "3", "--picture-size", "32")
    done = pellucid(*arguments, "--steps", "4", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["files"] == [str(Path("out") / f"mixed3a-5-to-mixed3a-2-{frame}.png") for frame in range(3)]
    assert len({(folder / file).read_bytes() for file in row["files"]}) == 3
    assert len(row["first"]) == len(row["last"]) == 3
    lines = pellucid(*arguments, "--steps", "4", "--quiet").stdout.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"{row['files'][0]}  mixed3a:5 {row['first'][0]:.2f}, mixed3a:2 ")


def test_a_unit_that_answers_nothing_gets_no_picture(folder: Path, pellucid: Call) -> None:
    done = pellucid("render", "net.py:build", "1:1", "1:0", "-o", "silent", *QUICK)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "no picture  1:1  answered nothing at any step"
    assert second.startswith(str(Path("silent") / "001-1-0.png"))
    assert [each.name for each in (folder / "silent").iterdir()] == ["001-1-0.png"]
    done = pellucid("render", "net.py:build", "1:1", "-o", "silent", "--json", *QUICK)
    assert json.loads(done.stdout) == [{"unit": "1:1", "state": "silent", "score": 0.0, "file": None}]
    done = pellucid("render", "net.py:build", "-o", "silent", *QUICK, "--", "0:1", "-0:1")
    assert done.stdout.splitlines() == [
        f"no picture  {unit}  stayed at {score}, whatever the picture" for unit, score in (("0:1", -1), ("-0:1", 1))
    ]


@pytest.mark.parametrize("tries", ["1", "2"])
def test_a_score_that_becomes_no_number_loses_nothing(folder: Path, pellucid: Call, tries: str) -> None:
    arguments = ("render", "net.py:build", "0:0", "2:0", "-o", f"lost{tries}", "--steps", "32", "--tries", tries, "--quiet")
    done = pellucid(*arguments)
    assert done.returncode == 1
    last, kept = (str(Path(f"lost{tries}") / name) for name in ("001-2-0-diverged.png", "000-0-0.png"))
    lines = done.stdout.splitlines()
    assert lines[1] == f"{last}  2:0  diverged: the last picture before that" and lines[0].startswith(f"{kept}  0:0  ")
    assert done.stderr.count("\n") == 1 and "channel('2', 0)" in done.stderr
    assert done.stderr.endswith(f"{last} is the last picture before that, and of 2 pictures 1 are done\n")
    with Image.open(folder / last) as picture:
        assert picture.size == (24, 24)
    assert [row["state"] for row in json.loads(pellucid(*arguments, "--json").stdout)] == ["finished", "diverged"]


def test_a_score_that_becomes_no_number_at_once_beside_a_prior_leaves_no_picture(folder: Path, pellucid: Call) -> None:
    arguments = ("render", "net.py:build", "2:0", "-o", "near", "--prior", "terrarium", "--strength", "0.1", "--steps", "16")
    done = pellucid(*arguments, "--quiet")
    assert (done.returncode, done.stdout) == (1, "no picture  2:0  diverged: at once\n")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("there is no picture before that, and of 1 pictures 0 are done\n")
    assert not (folder / "near").exists()


def test_a_unit_without_facets_is_silent_and_the_others_are_made(folder: Path, pellucid: Call) -> None:
    done = pellucid("render", "net.py:build", "1:0", "1:1", "1:0", "-o", "some", "--diverse", "2", "--json", *QUICK)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["state"] for row in rows] == ["finished"] * 2 + ["silent"] * 2 + ["finished"] * 2
    assert rows[2] == {"unit": "1:1", "state": "silent", "score": 0.0, "file": None}
    assert len(list((folder / "some").iterdir())) == 4


def test_a_recipe_that_diverges_keeps_its_last_picture(folder: Path, pellucid: Call) -> None:
    done = pellucid("interpolate", "net.py:build", "2:0", "1:0", "-o", "between", "--steps", "32", "--quiet", "--layer", "0")
    assert done.returncode == 1 and done.stdout == ""
    last = Path("between") / "2-0-to-1-0-diverged.png"
    assert done.stderr.endswith(f"{last} is the last picture before that\n")
    assert (folder / last).exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["mixed3a:5", "--steps", "0"], 2, "'--steps': 0 is not in the range x>=1; see pellucid render --help"),
        (["mixed3a:5", "--picture-size", "8"], 2, "'--picture-size': 8 is not in the range x>=16"),
        (["mixed3a:5", "--seed", "-1"], 2, "'--seed': -1 is not in the range x>=0"),
        (["mixed3a:96000"], 2, "layer 'mixed3a' has the channels 0 to"),
        (["mixed3:5"], 2, "layer 'mixed3' is not there (did you mean mixed3"),
        (["mixed3a"], 2, "write layer:channel"),
        (["mixed3a:5@99,0"], 2, "(99, 0) lies outside"),
        (["mixed3a:5", "--method", "best"], 2, "'--method': 'best' is not one of 'none'"),
        (["mixed3a:5", "--param", "wavelet"], 2, "'--param': 'wavelet' is not one of 'fourier'"),
        (["mixed3a:5", "--diverse", "2", "--tries", "3"], 2, "leave out --tries or --diverse"),
        (["mixed3a:5", "--prior", "terrarium", "--tries", "1"], 2, "leave out --tries or --prior"),
        (["mixed3a:5", "--prior", "nowhere.safetensors"], 2, "there is no file nowhere.safetensors"),
        (["mixed3a:5", "--prior", "broken.jpg"], 1, "broken.jpg is no safetensors file"),
        (["mixed3a:5", "-mixed3b:7"], 2, "'-mixed3b:7' begins like an option; put the units last, behind --, as in: -- -mixed3b:7"),
        (["-head:7"], 2, "put the units last, behind --, as in: -- -head:7"),
        (["mixed3a:5", "-q:1", "--stpes", "3"], 2, "put the units last, behind --, as in: -- -q:1"),
        (["mixed3a:5", "--stpes", "3", "-q:1"], 2, "--stpes"),
        (["mixed3a:5", "-q"], 2, "-q"),
        (["mixed3a:5", "--strength", "0.5"], 2, "--strength: 0.5 of no prior; give --prior too"),
        (["mixed3a:5", "--quality"], 2, "--quality: there are no pictures to compare with; give --images"),
        (["mixed3a:5", "--images", "scenes"], 2, "--images: nothing looks at scenes; add --quality"),
        (["mixed3a:5", "--images", "nowhere", "--quality"], 2, "nowhere"),
        (["mixed3a:5", "--param", "transparent", "--diverse", "2"], 2, "--param: transparent pictures cannot be compared"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    folder: Path, pellucid: Call, arguments: list[str], status: int, said: str
) -> None:
    done = pellucid("render", "terrarium", *arguments, "-o", "nothing", "--quiet")
    assert said in done.stderr, done.stderr
    assert done.stderr.startswith("pellucid: ") and done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (status, "")
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "own.pt", "--steps", "1"], "--output: own.pt does not end in .safetensors"),
        (["-o", "n.safetensors", "--side", "20", "--steps", "1"], "--side: 20 is no multiple of 8; 16 and 24 are"),
        (["-o", "n.safetensors", "--device", "abacus", "--steps", "1"], "device: 'abacus' is not there"),
        (["-o", "n.safetensors", "--steps", "0"], "'--steps': 0 is not in the range x>=1"),
    ],
)
def test_a_prior_that_cannot_be_made(folder: Path, pellucid: Call, arguments: list[str], said: str) -> None:
    done = pellucid("prior", "scenes", *arguments, "--quiet")
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert not (folder / "n.safetensors").exists()


def test_a_prior_of_broken_pictures_says_why(folder: Path, pellucid: Call) -> None:
    (folder / "bad").mkdir()
    (folder / "bad" / "1.jpg").write_bytes(b"not a picture")
    done = pellucid("prior", "bad", "-o", "bad.safetensors", "--quiet")
    assert done.returncode == 2 and "there are none" in done.stderr and "the first, 1.jpg: not a picture" in done.stderr
