"""The verb `sparse`, and what others do with the features that it finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Call

from pellucid.analysis.examples import top_examples
from pellucid.analysis.sparse import train_features
from pellucid.data.store import Store
from pellucid.models import load
from pellucid.models.autoencoder import SparseAutoencoder
from pellucid.models.extended import extend

UNIT = "mixed4a.sparse"


@pytest.fixture(autouse=True)
def features(folder: Path, pellucid: Call) -> Path:
    """200 features of 25 pictures, and a collection of theirs; made once, by the command line itself."""
    if not (folder / "f.safetensors").exists():
        for arguments in (
            ["collect", "terrarium", "terrarium:25", "-o", "plain", "--layers", "mixed4a", "--positions", "40"],
            ["sparse", "plain", "mixed4a", "-o", "f.safetensors", "--features", "200", "-k", "4", "--steps", "30", "--quiet"],
            ["collect", "terrarium", "terrarium:20", "-o", "run", "--layers", UNIT, "--sparse", "f.safetensors"],
        ):
            done = pellucid(*arguments)
            assert done.returncode == 0, done.stderr
    return folder / "f.safetensors"


def strongest(folder: Path) -> int:
    return int(np.nanargmax(top_examples(Store.open(folder / "run" / "store"), UNIT, 9).values[:, 5]))


def test_it_says_how_well_they_fit(folder: Path, features: Path, pellucid: Call) -> None:
    arguments = ("sparse", "plain", "mixed4a", "-o", "again.safetensors", "--features", "200", "-k", "4", "--steps", "30")
    done = pellucid(*arguments, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    trained, fit = train_features(Store.open(folder / "plain" / "store"), "mixed4a", 200, k=4, steps=30)
    said = json.loads(done.stdout)
    assert said == {
        "file": "again.safetensors",
        "layer": "mixed4a",
        "features": 200,
        "k": 4,
        "explained": pytest.approx(fit.explained),
        "aside": 80,
        "dead": fit.dead,
    }
    assert (folder / "again.safetensors").read_bytes() == features.read_bytes()
    assert SparseAutoencoder.open(features).network == trained.network == load("terrarium").fingerprint()
    lines = pellucid(*arguments, "--quiet").stdout.splitlines()
    assert lines == [
        "again.safetensors: 200 features of mixed4a, 4 at once",
        f"  give back {fit.explained:.1%} of the variance of 80 samples kept aside; {fit.dead} never answer",
    ]


def test_the_features_are_units_of_other_verbs(folder: Path, features: Path, pellucid: Call) -> None:
    extended = extend(load("terrarium"), SparseAutoencoder.open(features))
    assert Store.open(folder / "run" / "store").settings["model"] == extended.fingerprint()
    unit = f"{UNIT}:{strongest(folder)}"
    for line in (
        "layers terrarium",
        f"render terrarium {unit} -o pictures --steps 1",
        f"examples run {unit} -o sheets",
        f"spectrum run {unit} -o sheets",
        f"search run {unit} --model terrarium -k 2 -o sheets",
        f"dissect terrarium terrarium:18 --layer {UNIT}",
        f"build terrarium terrarium:20 -o site --layers {UNIT} --units 1 --steps 1 --grid 2",
    ):
        done = pellucid(*line.split(), "--sparse", "f.safetensors")
        assert done.returncode == 0, (line, done.stderr)
        assert UNIT in done.stdout or line.startswith("build")
    assert (folder / "site" / "site" / "index.html").exists()


def test_wrong_use(folder: Path, features: Path, pellucid: Call) -> None:
    for status, said, *arguments in (
        (2, "'mixed4z'", "sparse", "plain", "mixed4z", "-o", "g.safetensors"),
        (2, "k=9: 1 to 4 of 4 features", "sparse", "plain", "mixed4a", "-o", "g.safetensors", "--features", "4", "-k", "9"),
        (2, "trained on another network than", "layers", "terrarium:judge", "--sparse", "f.safetensors"),
        (1, "'tiny.png' is no sparse autoencoder", "layers", "terrarium", "--sparse", "tiny.png"),
        (2, UNIT, "render", "terrarium", f"{UNIT}:3", "-o", "pictures"),
        (2, "200", "render", "terrarium", f"{UNIT}:200", "-o", "pictures", "--sparse", "f.safetensors"),
    ):
        done = pellucid(*arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (status, 1), done
        assert said in done.stderr, done.stderr
    assert not (folder / "g.safetensors").exists()


def test_a_file_that_no_verb_would_open_is_not_written(folder: Path, pellucid: Call) -> None:
    done = pellucid("sparse", "plain", "mixed4a", "-o", "features.txt", "--steps", "1", "--quiet")
    assert done.returncode == 2 and "features.txt does not end in .safetensors; give the name of a file that does" in done.stderr
    assert not (folder / "features.txt").exists()
