"""The verb `search` on a small collection of the bundled world."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call

from pellucid.analysis.queries import picture_vector
from pellucid.analysis.search import Means, open_search
from pellucid.arrays import to_image
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.models import load


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """The store of 36 pictures, one that does not name its network, and one more picture as a file."""
    model = load("terrarium")
    stream = open_stream("terrarium:36", size=model.size)
    collect(model, stream, ["mixed3b", "mixed4b"], folder / "run" / "store", positions=3, attributions=False, observers=[Means()])
    picture = open_stream("terrarium:40", size=model.size).picture(39)  # a fireboat
    picture.save(folder / "boat.png")
    picture.resize((288, 192)).save(folder / "broad.png")
    (folder / "others").mkdir()
    for number in range(40):
        picture.resize((8, 8)).save(folder / "others" / f"{number}.png")
    shutil.copytree(folder / "run" / "store", folder / "bare")
    about = json.loads((folder / "bare" / "store.json").read_text())
    (folder / "bare" / "store.json").write_text(json.dumps({**about, "model": "python:Terrarium"}))
    return folder / "run"


def test_a_picture_is_compared_with_pictures(run: Path, pellucid: Call) -> None:
    done = pellucid("search", "run", "boat.png", "-k", "4", "--json", "-o", "found")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["layer"], row["among"], row["exact"], row["recall"], row["sheet"]) == (
        "mixed4b",
        "pictures",
        True,
        1.0,
        "found/boat-hits.png",
    )
    with Image.open(run.parent / "boat.png") as picture:
        vector = picture_vector(load("terrarium"), "mixed4b", to_image(picture))
    hits = open_search(Store.open(run / "store"), "mixed4b", whole=True).hits(vector, 4)
    assert [each["image"] for each in row["hits"]] == [hit.image for hit in hits]
    assert row["hits"][0]["label"] == "fireboat"
    with Image.open(run.parent / "found" / "boat-hits.png") as sheet, Image.open(run.parent / "boat.png") as picture:
        assert sheet.size == (5 * 96 + 4 * 4, 96)
        assert sheet.crop((0, 0, 96, 96)).tobytes() == picture.convert("RGB").tobytes()


def test_units_and_boxes_are_compared_with_positions(run: Path, pellucid: Call) -> None:
    done = pellucid("search", "bare", "mixed3b:5", "-k", "3", "-o", "found")
    assert done.returncode == 0, done.stderr
    head, *hits, sheet = done.stdout.splitlines()
    assert head == "mixed3b:5: nearest positions in mixed3b, cosine, exact"
    assert (
        len(hits) == 3
        and all("terrarium/0000" in line and "," in line for line in hits)
        and sheet.strip() == "found/mixed3b-5-hits.png"
    )
    boxed = pellucid("search", "run", "boat.png", "--box", "0", "0", "48", "96", "-k", "3", "--metric", "euclidean", "--json")
    (row,) = json.loads(boxed.stdout)
    assert (row["among"], row["metric"]) == ("positions", "euclidean") and row["hits"][0]["row"] is not None


def test_a_box_is_in_the_pixels_of_the_file(run: Path, pellucid: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """288 x 192 pixels go into 96 x 96 at half their size, 48 of each side cut off."""
    seen = []

    def vector(model: object, layer: str, image: object, box: object) -> torch.Tensor:
        seen.append(box)
        return torch.ones(load("terrarium").layer(layer).channels)

    monkeypatch.setattr("pellucid.analysis.queries.picture_vector", vector)
    done = pellucid("search", "run", "broad.png", "--box", "20", "68", "100", "288", "-k", "1")
    assert done.returncode == 0, done.stderr
    assert seen == [(10, 10, 50, 96)]
    outside = pellucid("search", "run", "broad.png", "--box", "0", "0", "20", "48")
    assert outside.returncode == 2 and "all that the network sees" in outside.stderr


def test_approximate_search_says_its_recall(run: Path, pellucid: Call) -> None:
    pytest.importorskip("faiss")
    done = pellucid("search", "run", "mixed4b:3", "--approximate", "-k", "2")
    assert "approximate, recall@10 " in done.stdout.splitlines()[0], done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["run", "broken.jpg"], 1, "broken.jpg"),
        (["run", "broken.jpg", "--box", "0", "0", "4", "4"], 1, "broken.jpg"),
        (["run", "nothing.jpg"], 2, "no such file"),
        (
            ["run", "mixed3b"],
            2,
            "'mixed3b': no such file, and no unit; give the path of a picture, or layer:channel, such as mixed3b:0",
        ),
        (["run", "class:x"], 2, "or layer:channel, such as mixed4b:0"),
        (["run", "@"], 2, "or layer:channel"),
        (["run", "--", "-1"], 2, "or layer:channel"),
        (["run", ""], 2, "'': no such file, and no unit"),
        (["run", "http://here.org/a.jpg"], 2, "'http://here.org/a.jpg': no such file"),
        (["run", "scenes"], 2, "scenes: a folder; give the paths of pictures, such as scenes/*.jpg"),
        (["run", "boat.png", "--layer", "mixed9"], 2, "did you mean mixed4b"),
        (["run", "mixed3a:1"], 2, "the layer 'mixed3a' is not there"),
        (["run", "mixed3b:9999"], 2, "not 9999"),
        (["run", "boat.png", "-k", "37"], 2, "k=37: 36 pictures"),
        (["run", "boat.png", "--size", "64"], 2, "another network"),
        (["run", "boat.png", "--model", "net.py:build"], 2, "another network"),
        (["run", "boat.png", "--box", "0", "0", "97", "4"], 2, "96 x 96 pixels"),
        (["run", "mixed3b:1", "--box", "0", "0", "4", "4"], 2, "is a unit"),
        (["bare", "boat.png"], 2, "give --model"),
        (["empty", "boat.png"], 2, "holds no store"),
        (["run", "boat.png", "--images", "scenes", "-o", "none"], 2, "--images"),
        (["run", "boat.png", "--images", "others", "-o", "none"], 2, "--images"),
    ],
)
def test_wrong_use_is_one_line(run: Path, pellucid: Call, arguments: list[str], status: int, said: str) -> None:
    done = pellucid("search", *arguments)
    assert said in done.stderr
    assert done.stderr.startswith("pellucid: ") and done.stderr.count("\n") == 1
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert not (run.parent / "none").exists()
