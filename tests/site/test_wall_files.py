"""The wall of pictures as files, made in a folder that remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.analysis.examples import TopExamples
from pellucid.analysis.search import Means, means
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import Stream, open_stream
from pellucid.errors import PellucidError
from pellucid.models import load
from pellucid.site import wall as walls
from pellucid.site.files import Folder
from pellucid.site.wall import Wall, make_wall, write_wall

BROKEN = 7


@pytest.fixture(scope="module")
def stream() -> Stream:
    """Sixty pictures, one of which cannot be read."""
    known = open_stream("terrarium:60", size=(96, 96))

    def read(index: int) -> Image.Image:
        if index == BROKEN:
            raise PellucidError("is broken")
        return known.read(index)

    return replace(known, read=read)


@pytest.fixture(scope="module")
def store(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("wall") / "store"
    observers = [Means(), TopExamples(2)]
    return collect(load("terrarium"), stream, ["mixed3a"], folder, positions=2, part=16, attributions=False, observers=observers)


def made(folder: Path, store: Store, stream: Stream) -> Wall:
    return make_wall(folder, store, stream, {"mixed3a": "0-mixed3a"}, seed=0, stage=lambda name: lambda done, total: None)


@pytest.mark.parametrize("most", [2_000, 25])
def test_pictures_are_drawn_evenly_and_hang_where_they_belong(
    store: Store, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(walls, "MOST", most)
    monkeypatch.setattr(walls, "PART", 10)  # sheets of a row each
    wall = made(tmp_path / "wall", store, stream)
    readable = [index for index in range(60) if index != BROKEN]
    images = [each.image for each in wall.pictures]
    assert images == (readable if most == 2_000 else [readable[i * 59 // 25] for i in range(25)])
    assert [each.name for each in wall.pictures] == [f"terrarium/{image:06d}" for image in images]
    assert [each.label for each in wall.pictures] == [stream.label_names[image % 18] for image in images]
    assert [each.said for each in wall.pictures] == [None] * len(images)  # no attributions, no classes
    sprites = write_wall(Folder(tmp_path / "site"), wall)
    assert sprites.count == len(images)
    tile = (sprites.tile, sprites.tile)
    known = np.stack([np.asarray(stream.picture(image).resize(tile, Image.Resampling.LANCZOS), float) for image in images])
    for place in range(0, len(images), 6):
        sheet = Image.open(tmp_path / "site" / sprites.sheets[place // sprites.per_sheet])
        top, left = (sprites.tile * each for each in divmod(place % sprites.per_sheet, sprites.columns))
        thumb = np.asarray(sheet.crop((left, top, left + sprites.tile, top + sprites.tile)), float)
        apart = np.abs(known - thumb).mean((1, 2, 3))
        assert apart.argmin() == place and apart[place] < 8  # JPEG


def test_the_nearest_hang_near(store: Store, stream: Stream, tmp_path: Path) -> None:
    [(tiles, near)] = made(tmp_path, store, stream).layers
    vectors = np.asarray(means(store, "mixed3a"), float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = 1 - unit @ unit.T + 9 * np.eye(len(unit))
    assert near.apart == pytest.approx(np.sort(apart, 1)[:, :8], abs=1e-6)
    assert np.take_along_axis(apart, near.places.astype(int), 1) == pytest.approx(near.apart, abs=1e-6)
    places = np.stack(np.divmod(tiles, 8), 1)
    steps = np.linalg.norm(places[:, None] - places[near.places[:, :3]], axis=2).mean()
    assert steps < 0.6 * np.linalg.norm(places[:, None] - places[None], axis=2).mean()


def test_what_is_there_is_not_made_again_and_what_is_missing_is_the_same(store: Store, stream: Stream, tmp_path: Path) -> None:
    made(tmp_path, store, stream)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    times = {path: path.stat().st_mtime_ns for path in before}
    for name in ("0-mixed3a.safetensors", "pixels.safetensors"):
        (tmp_path / name).unlink()
    made(tmp_path, store, stream)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    kept = [path for path in before if path.stat().st_mtime_ns == times[path]]
    assert len(kept) == len(before) - 2


def test_distances_are_written_short(store: Store, stream: Stream, tmp_path: Path) -> None:
    write_wall(Folder(tmp_path / "site"), made(tmp_path / "wall", store, stream))
    text = (tmp_path / "site" / "data" / "near-pixels.js").read_text()
    found = json.loads(text.partition(", ")[2].removesuffix(");\n"))
    assert all(len(f"{each:g}") <= 8 for row in found["apart"] for each in row)
    assert all(row == sorted(row) for row in found["apart"])
