"""The verbs about kernels, maps and detectors, end to end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call

from pellucid.analysis.concepts import terrarium_concepts
from pellucid.analysis.dissect import dissect
from pellucid.models import load


@pytest.fixture(scope="module")
def labelled(folder: Path) -> Path:
    """Ten scenes with the masks of one part that each shows, as a folder."""
    concepts = terrarium_concepts(10, size=(96, 96))
    (folder / "masks").mkdir()
    (folder / "scenes10").mkdir()
    lines = ["number,name"] + [f"{number + 1},{name}" for number, name in enumerate(concepts.names)]
    (folder / "masks" / "concepts.csv").write_text("\n".join(lines))
    for index in range(10):
        numbers, masks = concepts.masks(index)
        values = np.zeros((96, 96), np.uint8)
        for number, mask in zip(numbers.tolist(), masks, strict=True):
            values[mask.numpy()] = number + 1
        concepts.stream.picture(index).save(folder / "scenes10" / f"{index}.png")
        Image.fromarray(values).save(folder / "masks" / f"{index}.png")
    return folder


def test_dissect_names_units(labelled: Path, pellucid: Call) -> None:
    done = pellucid("dissect", "terrarium", "terrarium:36", "--layer", "mixed4b", "-o", "units.csv", "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    facts, model = json.loads(done.stdout), load("terrarium")
    wanted = dissect(model, "mixed4b", terrarium_concepts(36, size=model.size))
    assert facts["unique"] == list(wanted.unique) and facts["detectors"] == len(wanted.detectors)
    with (labelled / "units.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["concept"] or None) for row in rows] == list(wanted.best)
    assert torch.tensor([float(row["iou"]) for row in rows]).equal(wanted.scores)


def test_dissect_a_folder_of_masks_beside_rotations(labelled: Path, pellucid: Call) -> None:
    done = pellucid("dissect", "terrarium", "scenes10", "--masks", "masks", "--layer", "mixed3a", "--compare", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["unit", "concept", "IoU", "threshold"]
    scores = [float(line.split()[-2]) for line in lines[1:] if line.strip().startswith("mixed3a:")]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= 0.04
    names = [line.partition(":")[0] for line in lines if " units are detectors " in line]
    assert names == ["channels", "rotation 0", "rotation 1", "rotation 2", "random weights"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scenes10",), "--masks: nothing says what the pictures of scenes10 show"),
        (("terrarium:9", "--masks", "masks"), "--masks: the terrarium knows its parts; leave it out"),
        (("terrarium:-1",), "'terrarium:-1': the terrarium's count is a whole number above 0"),
        (("scenes", "--masks", "masks"), "5 of 10 masks belong to no picture: 4.png, 5.png, 6.png…"),
        (("scenes10", "--masks", "empty"), "the table of concepts 'empty/concepts.csv' cannot be read"),
    ],
)
def test_dissect_says_what_is_wrong(labelled: Path, pellucid: Call, arguments: tuple[str, ...], said: str) -> None:
    done = pellucid("dissect", "terrarium", *arguments, "--layer", "mixed4b", "--quiet")
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_filters_on_a_sheet(folder: Path, pellucid: Call) -> None:
    done = pellucid("filters", "terrarium", "-o", "out/filters.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["layer"], facts["kernels"], facts["size"], len(facts["scales"])) == ("conv1.conv", 32, [5, 5], 32)
    with Image.open(folder / facts["file"]) as picture:
        assert picture.size == (6 * 47 - 2, 6 * 47 - 2)
    assert "conv1.conv: 32 kernels of 5 × 5" in pellucid("filters", "terrarium", "-o", "out/filters.png").stdout


def test_maps_on_a_sheet(folder: Path, pellucid: Call) -> None:
    done = pellucid("maps", "terrarium", "wide.jpg", "mixed4a", "-o", "maps.png", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["maps"], facts["size"]) == (160, [8, 12])
    with Image.open(folder / "maps.png") as picture:
        assert picture.size == (13 * 74 - 2, 13 * 50 - 2)
    assert json.loads(pellucid("maps", "terrarium", "wide.jpg", "mixed4a", "-o", "maps.png", "--json", "--crop").stdout)[
        "size"
    ] == [12, 12]


def test_maps_say_which_are_the_same_everywhere(folder: Path, pellucid: Call) -> None:
    done = pellucid("maps", "net.py:build", "wide.jpg", "1", "-o", "dead.png", "--json")
    assert json.loads(done.stdout)["constant"] == [1]
    assert (
        "2 maps of 16 × 24, 1 of them the same everywhere"
        in pellucid("maps", "net.py:build", "wide.jpg", "1", "-o", "d.png").stdout
    )
    dead = pellucid("maps", "net.py:build", "wide.jpg", "1", "-o", "dead.png", "--channel", "1")
    assert dead.returncode == 0 and "0.0% of the picture, it is the same everywhere" in dead.stdout


def test_a_channel_over_a_picture(folder: Path, pellucid: Call) -> None:
    arguments = ("maps", "terrarium", "wide.jpg", "conv1.conv", "-o", "mask.png", "--channel", "3")
    facts = json.loads(pellucid(*arguments, "--share", "0.25", "--json").stdout)
    assert (facts["unit"], facts["area"]) == ("conv1.conv:3", pytest.approx(0.25, abs=1e-3))
    with Image.open(folder / "mask.png") as picture:
        assert picture.size == (96, 64)
    assert "conv1.conv:3: 5.0% of the picture, from " in pellucid(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("maps", "terrarium", "wide.jpg", "mixed4a", "-o", "a.png", "--share", "0.1"),
            "--share: the maps of all channels are shown whole",
        ),
        (("maps", "terrarium", "wide.jpg", "mixed4a", "-o", "a.png", "--channel", "160"), "has the channels 0 to 159, not 160"),
        (("maps", "terrarium", "wide.jpg", "mixed9", "-o", "a.png"), "layer 'mixed9' is not there"),
        (("maps", "terrarium", "none.jpg", "mixed4a", "-o", "a.png"), "none.jpg: no such file"),
        (("dissect", "terrarium", "terrarium:9", "--layer", "mixed9"), "layer 'mixed9' is not there"),
    ],
)
def test_wrong_use_is_said_in_one_line(folder: Path, pellucid: Call, arguments: tuple[str, ...], said: str) -> None:
    done = pellucid(*arguments)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (folder / "a.png").exists()
