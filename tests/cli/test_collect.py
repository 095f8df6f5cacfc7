"""The verbs `collect` and `merge`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.conftest import Call

from pellucid.analysis.examples import top_examples
from pellucid.arrays import to_picture
from pellucid.data.store import Store
from pellucid.data.stream import open_stream


def drawings(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    names = [f"{index:03d}.png" for index in range(count)]
    for name, (_, images) in zip(names, open_stream(f"terrarium:{count}", size=(96, 96)).batches(0, count, batch=1), strict=True):
        to_picture(images[0]).save(folder / name)
    return names


def test_shares_merge_to_what_one_run_collects(folder: Path, pellucid: Call) -> None:
    for number in (1, 2):
        done = pellucid("collect", "terrarium", "terrarium:260", "-o", f"s{number}", "--layers", "conv1", "--share", f"{number}/2")
        assert done.returncode == 0, done.stderr
    assert json.loads(pellucid("merge", "s2", "s1", "-o", "both", "--json").stdout)["samples"] == 260
    assert pellucid("collect", "terrarium", "terrarium:260", "-o", "one", "--layers", "conv1").returncode == 0
    known = sorted(path.relative_to(folder / "one") for path in (folder / "one").rglob("*") if path.is_file())
    assert known == sorted(path.relative_to(folder / "both") for path in (folder / "both").rglob("*") if path.is_file())
    assert all((folder / "one" / path).read_bytes() == (folder / "both" / path).read_bytes() for path in known)
    alone = pellucid("merge", "s1", "-o", "half")
    assert (alone.returncode, "1 of 2 parts are in none" in alone.stderr, (folder / "half").exists()) == (2, True, False)
    wrong = pellucid("collect", "terrarium", "terrarium:9", "-o", "s3", "--layers", "conv1", "--share", "one")
    assert (wrong.returncode, wrong.stderr) == (2, "pellucid: --share one: write i/n, as 2/5 for the second of five\n")


def test_what_is_odd_about_the_pictures_is_said(folder: Path, pellucid: Call) -> None:
    names = drawings(folder / "drawn", 5)
    shutil.copyfile(folder / "drawn" / names[1], folder / "drawn" / "copy.png")
    (folder / "drawn" / "broken.png").write_text("no picture")
    (folder / "labels.csv").write_text("file,label\n" + "".join(f"{name},fish\n" for name in names))
    done = pellucid("collect", "terrarium", "drawn", "-o", "odd", "--layers", "conv1", "--labels", "labels.csv", "--json")
    facts = json.loads(done.stdout)
    assert facts["copies"] == [["copy.png", "001.png"]] and facts["unlabelled"] == ["copy.png"]
    assert [name for name, _ in facts["skipped"]] == ["broken.png"]
    said = [line for line in done.stderr.splitlines() if line.startswith("pellucid: ")]
    assert len(said) == 3 and said[1:] == [
        "pellucid: 1 pictures are the same as others; the first, copy.png, is 001.png",
        "pellucid: 1 pictures have no label, others have; the first is copy.png",
    ]


def test_a_picture_may_come_several_times(folder: Path, pellucid: Call) -> None:
    done = pellucid("collect", "terrarium", "terrarium:2", "-o", "few", "--layers", "conv1", "--examples", "6", "--several")
    assert done.returncode == 0, done.stderr
    assert top_examples(Store.open(folder / "few" / "store"), "conv1", 6).values.shape == (32, 6)
