"""The verb `embed` on a small collection of the bundled world."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call

from pellucid.analysis.picture_map import map_pictures
from pellucid.analysis.search import Means
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.models import load


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A folder with the store of 38 pictures, and pictures of other names."""
    model = load("terrarium")
    stream = open_stream("terrarium:38", size=model.size)
    collect(model, stream, ["mixed3b", "mixed4b"], folder / "run" / "store", attributions=False, observers=[Means()])
    (folder / "others").mkdir()
    for number in range(38):
        stream.picture(number).resize((8, 8)).save(folder / "others" / f"{number}.png")
    return folder / "run"


def test_every_picture_has_a_row_and_a_tile(run: Path, pellucid: Call) -> None:
    done = pellucid("embed", "run", "-o", "maps", "--method", "pca", "--seed", "1", "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    made = map_pictures(Store.open(run / "store"), "mixed4b", method="pca", seed=1)
    assert (said["layer"], said["pictures"], said["shown"], said["measures"]) == ("mixed4b", 38, 38, made.measures)
    assert (said["table"], said["wall"]) == ("maps/mixed4b-pca.csv", "maps/mixed4b-pca.png")
    with (run.parent / said["table"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == made.names and [row["label"] for row in rows] == list(made.labels)
    np.testing.assert_allclose([[float(row["x"]), float(row["y"])] for row in rows], made.points, atol=1e-6)
    stream = open_stream("terrarium:38", size=(64, 64))
    with Image.open(run.parent / said["wall"]) as wall:
        assert wall.size == (7 * 64, 6 * 64)
        for number in (0, 17, 37):
            top, left = (64 * int(rows[number][axis]) for axis in ("row", "col"))
            assert wall.crop((left, top, left + 64, top + 64)).tobytes() == stream.picture(number).tobytes()


def test_it_says_what_the_map_is_worth(run: Path, pellucid: Call) -> None:
    done = pellucid("embed", "run/store", "-o", "maps", "--layer", "mixed3b", "--method", "pca")
    assert done.returncode == 0, done.stderr
    head, places, trust, accuracy, table, wall = done.stdout.splitlines()
    assert head == "mixed3b, pca: 38 pictures, 38 of them on a wall"
    assert places.split() == ["layer", "map", "wall", "chance"]
    measures = map_pictures(Store.open(run / "store"), "mixed3b", method="pca").measures
    assert accuracy.split() == [
        "neighbour",
        "accuracy",
        *(f"{measures['neighbour accuracy'][each]:.3f}" for each in places.split()),
    ]
    assert trust.split()[1:] == [f"{measures['trustworthiness'][each]:.3f}" for each in places.split()[1:]]
    assert (table, wall) == ("maps/mixed3b-pca.csv", "maps/mixed3b-pca.png")


def test_a_large_wall_has_small_tiles_and_only_so_many(run: Path, pellucid: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["pellucid.cli.embed"], "WIDEST", 100)
    done = pellucid("embed", "run", "-o", "small", "--method", "pca", "--most", "20")
    assert "38 pictures, 20 of them on a wall" in done.stdout, done.stderr
    with Image.open(run.parent / "small" / "mixed4b-pca.png") as wall:
        assert wall.size == (5 * 20, 4 * 20)
    rows = (run.parent / "small" / "mixed4b-pca.csv").read_text().splitlines()[1:]
    assert sum(row.endswith(",,") for row in rows) == 18


def test_confused_classes_are_said(folder: Path, pellucid: Call) -> None:
    """A network that is untrained errs."""
    (folder / "wild.py").write_text(
        "import torch\nfrom torch import nn\nfrom pellucid.terrarium.world import CLASSES\nSIZE = 8\n\n\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8, len(CLASSES)))\n"
    )
    model = load(f"{folder / 'wild.py'}:build")
    stream = open_stream("terrarium:60", size=model.size)
    collect(model, stream, ["1"], folder / "wild")
    done = pellucid("embed", "wild", "-o", "maps", "--method", "pca")
    assert "are taken for the other: number" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["empty", "-o", "none"], 2, "holds no store"),
        (["run", "-o", "none", "--layer", "mixed9"], 2, "did you mean mixed4b"),
        (["run", "-o", "none", "--method", "mds"], 2, "--method"),
        (["run", "-o", "none", "--method", "pca", "--images", "others"], 2, "--images"),
        (["run", "-o", "none", "--method", "pca", "--images", "scenes"], 2, "--images"),
        (["run"], 2, "--output"),
    ],
)
def test_wrong_use_is_one_line(run: Path, pellucid: Call, arguments: list[str], status: int, said: str) -> None:
    done = pellucid("embed", *arguments, "--quiet")
    assert said in done.stderr
    assert done.stderr.startswith("pellucid: ") and done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert not (run.parent / "none").exists()


def test_pictures_that_broke_since_are_named(run: Path, pellucid: Call) -> None:
    model, photos = load("terrarium"), run.parent / "photos"
    shutil.copytree(run.parent / "others", photos)
    collect(model, open_stream(photos, size=model.size), ["mixed4b"], run.parent / "torn", attributions=False)
    (photos / "3.png").write_bytes(b"torn")
    done = pellucid("embed", "torn", "-o", "none", "--method", "pca", "--quiet")
    assert done.returncode == 1 and done.stderr.startswith("pellucid: 3.png: "), done.stderr


@pytest.mark.parametrize(
    ("pictures", "layer", "method", "said"),
    [
        ("terrarium:14", "0", "pca", None),
        ("terrarium:10", "0", "pca", None),
        ("terrarium:10", "0", "umap", "fewer than 12: laid out by pca, not by umap"),
        ("terrarium:14", "2", "tsne", "all the same: no map says anything of them"),
        ("terrarium:1", "2", "pca", "all the same: no map says anything of them"),
    ],
)
def test_another_layout_than_the_one_asked_for_is_said(
    folder: Path, pellucid: Call, pictures: str, layer: str, method: str, said: str | None
) -> None:
    (folder / "dead.py").write_text(
        "import torch\nfrom torch import nn\nSIZE = 16\n\n\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    dead = nn.Conv2d(4, 3, 1)\n"
        "    nn.init.zeros_(dead.weight), nn.init.constant_(dead.bias, -1)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 8), dead, nn.ReLU())\n"
    )
    run = f"dead-{pictures.replace(':', '-')}"
    assert pellucid("collect", "dead.py:build", pictures, "-o", run, "--layers", "0", "2", "--quiet").returncode == 0
    done = pellucid("embed", run, "-o", run, "--layer", layer, "--method", method, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ("" if said is None else f"pellucid: the answers of {layer} to the pictures are {said}\n")
    facts = json.loads(done.stdout)
    assert (facts["method"], facts["lacking"], facts["wall"]) == ("pca", said, f"{run}/{layer}-pca.png")
    assert (folder / facts["wall"]).exists() and (folder / facts["table"]).exists()
