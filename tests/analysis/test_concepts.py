"""Labelled pictures: the bundled world's parts, and folders of masks as people have them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.analysis.concepts import Concepts, folder_concepts, terrarium_concepts
from pellucid.errors import PellucidError, UsageError
from pellucid.terrarium.world import PARTS, draw

TABLE = "number,name\n1,left\n2,right\n2,bright\n"


def save(path: Path, values: np.ndarray, **settings: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path, **settings)  # type: ignore[arg-type]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two pictures whose halves are labelled 1 and 2, and a tall one that its file says lies on its side."""
    halves = np.zeros((20, 30))
    halves[:, :15], halves[:, 15:] = 1, 2
    for name in ("a/1", "a/2"):
        save(tmp_path / "photos" / f"{name}.jpg", halves * 90)
        save(tmp_path / "masks" / f"{name}.png", halves)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "photos" / "turned.jpg", np.zeros((30, 20)), exif=exif)
    save(tmp_path / "masks" / "turned.png", halves)
    (tmp_path / "masks" / "concepts.csv").write_text(TABLE)
    return tmp_path / "photos", tmp_path / "masks"


def shown(concepts: Concepts, index: int) -> dict[str, np.ndarray]:
    numbers, masks = concepts.masks(index)
    return {concepts.names[number]: mask.numpy() for number, mask in zip(numbers.tolist(), masks, strict=True)}


def test_the_worlds_parts_are_those_of_the_pictures_that_the_stream_gives() -> None:
    concepts = terrarium_concepts(5, size=(96, 96), seed=9)
    assert concepts.names == PARTS
    for index in range(5):
        scene = draw(index, seed=9)
        assert concepts.stream.picture(index).tobytes() == scene.picture.tobytes()
        found = shown(concepts, index)
        assert sorted(found) == sorted(scene.masks)
        assert all(np.array_equal(found[name], scene.masks[name]) for name in found)


def test_the_worlds_parts_at_another_size_keep_what_they_cover_by_half() -> None:
    small, large = (shown(terrarium_concepts(2, size=(side, side)), 1) for side in (48, 96))
    for name, mask in small.items():
        share = large[name].reshape(48, 2, 48, 2).mean((1, 3))
        assert mask[share > 0.8].all() and not mask[share < 0.2].any()


@pytest.mark.parametrize(("seed", "whose"), [(0, "the bundled network"), (1, "its judge")])
def test_what_a_network_learned_from_is_refused(seed: int, whose: str) -> None:
    with pytest.raises(UsageError, match=rf"seed={seed}: {whose} learned from .* give a seed of 2 or more"):
        terrarium_concepts(4, size=(96, 96), seed=seed)
    with pytest.raises(UsageError, match="count=0: at least 1"):
        terrarium_concepts(0, size=(96, 96))


def test_masks_are_cut_as_the_pictures_are(folders: tuple[Path, Path]) -> None:
    concepts = folder_concepts(*folders, size=(10, 10))
    assert concepts.names == ("left", "right", "bright")
    for index in range(3):  # of 20 x 30 pixels the middle 20 x 20 are kept, halved in size
        found = shown(concepts, index)
        assert list(found) == ["left", "right", "bright"]
        assert found["left"][:, :5].all() and not found["left"][:, 5:].any()
        assert np.array_equal(found["right"], ~found["left"]) and np.array_equal(found["right"], found["bright"])
        assert concepts.stream.picture(index).size == (10, 10)


def test_several_numbers_may_have_one_name(folders: tuple[Path, Path]) -> None:
    (folders[1] / "concepts.csv").write_text("number,name\n1,all\n2,all\n2,right\n")
    found = shown(folder_concepts(*folders, size=(8, 8)), 0)
    assert found["all"].all() and found["right"].mean() == 0.5


@pytest.mark.parametrize("mode", ["P", "1"])
def test_indexed_masks_hold_numbers_not_colours(folders: tuple[Path, Path], mode: str) -> None:
    values = np.zeros((20, 30), np.uint8)
    values[:5] = 1
    picture = Image.fromarray(values)
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 99, 7])
    else:
        picture = Image.fromarray(values.astype(bool))
    picture.save(folders[1] / "a" / "1.png")
    numbers, masks = folder_concepts(*folders, size=(20, 30)).masks(0)
    assert numbers.tolist() == [0] and torch.equal(masks[0], torch.from_numpy(values > 0))


def test_a_picture_without_labels_shows_nothing(folders: tuple[Path, Path]) -> None:
    save(folders[1] / "a" / "1.png", np.zeros((20, 30)))
    numbers, masks = folder_concepts(*folders, size=(8, 8)).masks(0)
    assert numbers.shape == (0,) and masks.shape == (0, 8, 8)


def test_what_does_not_fit_is_said_with_how_many(folders: tuple[Path, Path]) -> None:
    photos, masks = folders
    save(masks / "a" / "1.png", np.zeros((21, 30)))
    with pytest.raises(
        UsageError, match=re.escape("1 of 3 masks are of another size than their pictures: a/1.png (30 × 21 for 30 × 20)")
    ):
        folder_concepts(photos, masks, size=(8, 8))
    (masks / "a" / "1.png").unlink()
    with pytest.raises(UsageError, match=re.escape("1 of 3 pictures have no mask: a/1.jpg")):
        folder_concepts(photos, masks, size=(8, 8))
    for number in range(4):
        save(masks / f"{number}.png", np.zeros((20, 30)))
    save(masks / "a" / "1.png", np.zeros((20, 30)))
    with pytest.raises(UsageError, match=re.escape("4 of 7 masks belong to no picture: 0.png, 1.png, 2.png…")):
        folder_concepts(photos, masks, size=(8, 8))


def test_masks_that_cannot_be_understood_are_named(folders: tuple[Path, Path]) -> None:
    photos, masks = folders
    concepts = folder_concepts(photos, masks, size=(8, 8))
    save(masks / "a" / "1.png", np.full((20, 30), 7))
    with pytest.raises(UsageError, match=r"a/1.png' holds 1 numbers that concepts.csv does not name: 7"):
        concepts.masks(0)
    save(masks / "a" / "1.png", np.zeros((20, 30, 3)))
    with pytest.raises(UsageError, match=r"a/1.png' has the colours RGB; give an indexed or grey PNG"):
        concepts.masks(0)
    (masks / "a" / "1.png").write_bytes(b"nothing")
    with pytest.raises(PellucidError, match=r"a/1.png' cannot be read"):
        concepts.masks(0)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "No such file"),
        ("number,title\n1,left\n", "no column 'name'"),
        ("number,name\none,left\n", "invalid literal"),
        ("number,name\n", "names no concept"),
        ("number,name\n1,\n", "has a row without a name"),
    ],
)
def test_tables_that_say_nothing(folders: tuple[Path, Path], table: str | None, said: str) -> None:
    path = folders[1] / "concepts.csv"
    path.unlink() if table is None else path.write_text(table)
    with pytest.raises(UsageError, match=said):
        folder_concepts(*folders, size=(8, 8))
