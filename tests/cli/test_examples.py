"""The verbs `examples`, `spectrum` and `groups` on a small collection of the bundled world."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call

from pellucid.analysis.examples import crop_box, top_examples
from pellucid.analysis.groups import groups
from pellucid.analysis.spectrum import spectrum
from pellucid.cli.sheets import LINE
from pellucid.data.store import Store
from pellucid.models import load


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return folder / "run"


@pytest.fixture(autouse=True)
def collected(run: Path, pellucid: Call) -> None:
    """36 pictures, collected once by the command line itself; for each test afresh only where it was not done."""
    if not run.exists():
        done = pellucid("collect", "terrarium", "terrarium:36", "-o", "run", "--layers", "mixed3b", "mixed4b", "--examples", "4")
        assert done.returncode == 0, done.stderr


def test_examples_are_the_stores_cut_to_what_the_unit_sees(run: Path, pellucid: Call) -> None:
    done = pellucid("examples", "run", "mixed3b:5", "mixed3b:9", "-o", "sheets", "-k", "4", "--json")
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)
    assert (facts["sheet"], [each["unit"] for each in facts["units"]]) == (
        "sheets/mixed3b-examples.png",
        ["mixed3b:5", "mixed3b:9"],
    )
    best = top_examples(Store.open(run / "store"), "mixed3b", 4)
    for each, channel in zip(facts["units"], (5, 9), strict=True):
        (part,) = each["parts"]
        assert [shown["value"] for shown in part["examples"]] == pytest.approx(best.values[channel].tolist())
        assert [shown["name"] for shown in part["examples"]] == [f"terrarium/{image:06d}" for image in best.images[channel]]
        assert all(shown["label"] for shown in part["examples"])
    top, left, bottom, right = crop_box(
        load("terrarium").layer("mixed3b"), *(int(getattr(best, side)[5, 0]) for side in ("rows", "cols")), (96, 96)
    )
    from pellucid.data.stream import open_stream

    picture = open_stream("terrarium:36", size=(96, 96)).picture(int(best.images[5, 0])).crop((left, top, right, bottom))
    with Image.open(run.parent / "sheets" / "mixed3b-examples.png") as sheet:
        shown = np.asarray(sheet.crop((0, LINE, 96, LINE + 96)), np.float64)
    scale = 96 / max(picture.size)
    fitted = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    left, top = (96 - fitted.width) // 2, (96 - fitted.height) // 2
    assert np.abs(shown[top : top + fitted.height, left : left + fitted.width] - np.asarray(fitted, np.float64)).mean() < 2


def test_a_layer_stands_for_some_of_its_units_and_least_for_the_other_end(run: Path, pellucid: Call) -> None:
    done = pellucid("examples", "run", "mixed3b", "--least", "-k", "1", "-o", "sheets", "--json")
    (facts,) = json.loads(done.stdout)
    assert [each["unit"] for each in facts["units"]] == [f"mixed3b:{channel}" for channel in range(0, 128, 4)]
    least = top_examples(Store.open(run / "store"), "mixed3b", 1, least=True).values[::4, 0]
    assert [each["parts"][0]["examples"][0]["value"] for each in facts["units"]] == pytest.approx(least.tolist())


def test_a_spectrum_has_its_parts_in_order(run: Path, pellucid: Call) -> None:
    done = pellucid("spectrum", "run", "mixed4b:3", "-o", "sheets", "-k", "2", "--json")
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)
    parts = facts["units"][0]["parts"]
    wanted = spectrum(Store.open(run / "store"), "mixed4b", 2)
    assert [each["part"] for each in parts] == ["minimum", "negative", "zero", "positive", "maximum"]
    for part, bucket in zip(parts, wanted, strict=True):
        values = bucket.examples.values[3]
        assert [each["value"] for each in part["examples"]] == pytest.approx(values[bucket.examples.images[3] >= 0].tolist())
        assert part["share"] == (None if bucket.share is None else pytest.approx(float(bucket.share[3])))
    assert "mixed4b:3  minimum" in pellucid("spectrum", "run", "mixed4b:3", "-o", "sheets", "-k", "2").stdout


def test_groups_are_those_of_the_vectors_each_with_its_picture(run: Path, pellucid: Call) -> None:
    pytest.importorskip("sklearn")
    arguments = ("groups", "run", "mixed4b", "-o", "sheets", "--count", "3", "--steps", "2", "-k", "2", "--json", "--quiet")
    done = pellucid(*arguments)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    found = groups(Store.open(run / "store").vectors("mixed4b"), 3)
    assert facts["explained"] == pytest.approx(found.explained)
    np.testing.assert_allclose(np.load(run.parent / "sheets" / "mixed4b-groups.npy"), found.directions, atol=1e-6)
    assert [each["channels"][0]["channel"] for each in facts["groups"]] == found.directions.argmax(1).tolist()
    assert sum(each["share"] for each in facts["groups"]) == pytest.approx(1)
    with Image.open(run.parent / "sheets" / "mixed4b-groups.png") as sheet:
        assert sheet.height == 3 * (LINE + 96 + 4)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["examples", "run", "mixed3a:1", "-o", "none"], 2, "the layer 'mixed3a' is not there"),
        (["examples", "run", "mixed3b:128", "-o", "none"], 2, "mixed3b has the channels 0 to 127"),
        (["examples", "run", "mixed3b:1", "-k", "5", "-o", "none"], 2, "k=5"),
        (["examples", "run", "mixed3b:1", "-k", "2", "--images", "scenes", "-o", "none"], 2, "--images"),
        (["examples", "empty", "mixed3b:1", "-o", "none"], 2, "holds no store"),
        (["spectrum", "run", "mixed3b:1", "--model", "net.py:build", "-o", "none"], 2, "another network"),
        (["groups", "run", "mixed3b", "--count", "99", "-o", "none"], 2, "count=99"),
        (["groups", "run", "mixed9", "-o", "none"], 2, "mixed9"),
    ],
)
def test_wrong_use_is_one_line(run: Path, pellucid: Call, arguments: list[str], status: int, said: str) -> None:
    done = pellucid(*arguments)
    assert said in done.stderr
    assert done.stderr.startswith("pellucid: ") and done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert not (run.parent / "none").exists()


@pytest.mark.parametrize(("verb", "parts"), [("examples", 1), ("spectrum", 5)])
def test_units_that_answer_the_same_everywhere_have_no_pictures(folder: Path, pellucid: Call, verb: str, parts: int) -> None:
    if not (folder / "same").exists():
        (folder / "still.py").write_text(
            "import torch\nfrom torch import nn\nSIZE = 24\n\n\n"
            "def build():\n"
            "    first = nn.Conv2d(3, 2, 1)\n"
            "    with torch.no_grad():\n"
            "        first.weight[0], first.bias[0], first.weight[1], first.bias[1] = 1, 0, 0, -1\n"
            "    return nn.Sequential(first, nn.ReLU())\n"
        )
        done = pellucid("collect", "still.py:build", "terrarium:6", "-o", "same", "--layers", "0", "1", "--examples", "2")
        assert done.returncode == 0, done.stderr
    arguments = (verb, "same", "1:1", "1:0", "0:1", "-k", "2", "-o", "sheets", "--quiet")
    lines = pellucid(*arguments).stdout.splitlines()
    assert (lines[0], lines[3]) == ("1:1  silent: 0 everywhere", "0:1  constant: -1 everywhere") and "everywhere" not in lines[1]
    units = [unit for each in json.loads(pellucid(*arguments, "--json").stdout) for unit in each["units"]]
    assert [(unit["constant"], len(unit["parts"])) for unit in units] == [(0.0, 0), (None, parts), (-1.0, 0)]
    with Image.open(folder / "sheets" / f"1-{verb}.png") as sheet:
        assert sheet.crop((0, LINE, sheet.width, LINE + 96)).convert("L").getextrema() == (255, 255)
    pellucid(verb, "same", "1:1", "-k", "2", "-o", "alone")
    with Image.open(folder / "alone" / f"1-{verb}.png") as sheet:  # the text is not cut off
        dark = np.asarray(sheet.convert("L")).min(0) < 128
        assert dark[100:].any() and not dark[-1:].any()


def test_more_patches_than_pictures_are_said(run: Path, pellucid: Call) -> None:
    pytest.importorskip("sklearn")
    done = pellucid("groups", "run", "mixed4b", "-o", "sheets", "--count", "1", "--steps", "1", "-k", "37", "--quiet")
    assert done.returncode == 0
    assert done.stderr == "pellucid: -k 37: a patch from each picture at most is shown, and 36 were collected\n"


def test_labels_that_are_numbers_of_classes_are_named(folder: Path, pellucid: Call) -> None:
    if not (folder / "table.csv").exists():
        (folder / "table.csv").write_text("file,class_index\n0.png,2\n1.png,0\n2.png,2\n3.png,1\n")
        (folder / "named.txt").write_text("house\nlake\nfish\n")
        (folder / "three.py").write_text(
            "import torch\nfrom torch import nn\nSIZE = 16\n\n\n"
            "def build():\n"
            "    torch.manual_seed(0)\n"
            "    return nn.Sequential(nn.Conv2d(3, 4, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
        )
        done = pellucid("collect", "three.py:build", "scenes", "--labels", "table.csv", "-o", "three", "--layers", "0", "1")
        assert done.returncode == 0, done.stderr
    wanted = {"0.png": "fish", "1.png": "house", "2.png": "fish", "3.png": "lake"}
    for classes in ([], ["--classes", "named.txt"]):
        (facts,) = json.loads(pellucid("examples", "three", "0:1", "-k", "4", "-o", "sheets", *classes, "--json").stdout)
        (found,) = json.loads(pellucid("search", "three", "scenes/0.png", "-k", "4", *classes, "--json").stdout)
        for hits in (facts["units"][0]["parts"][0]["examples"], found["hits"]):
            named = {each["name"]: each["label"] for each in hits}
            assert named == (wanted if classes else {"0.png": "2", "1.png": "0", "2.png": "2", "3.png": "1"})
