"""Maps of pictures on a small collection of the bundled world, whose labels are known."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pellucid.analysis.embedding import class_pairs, confused_nearer, confusion_with_nearness, neighbour_accuracy
from pellucid.analysis.picture_map import map_pictures
from pellucid.analysis.reduce import layout, trustworthiness
from pellucid.analysis.search import Means, means
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.errors import NotFoundError
from pellucid.models import capture, load
from pellucid.models.model import OUTPUT

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[2] / "../shared/real"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """90 pictures, two positions of each, and what the network says of them: it never errs."""
    model, folder = load("terrarium"), tmp_path_factory.mktemp("store")
    stream = open_stream("terrarium:90", size=model.size)
    return collect(model, stream, ["mixed4b"], folder, positions=2, observers=[Means()])


class Erring(Store):
    """The store of a network that takes the first class for the second, and every second picture of the fourth for the fifth."""

    def samples(self) -> pa.Table:
        table = super().samples()
        labels, images = table["label"].to_pylist(), table["image"].to_pylist()
        said = [
            1 if label == 0 else 4 if label == 3 and image % 36 == 3 else label for label, image in zip(labels, images, strict=True)
        ]
        return table.set_column(table.schema.get_field_index("classes"), "classes", [[[each] for each in said]])


def erring(store: Store) -> Store:
    return Erring(store.folder, store.settings, store.stored, store.classes, store.label_names)


def test_the_measures_are_those_of_its_points(store: Store) -> None:
    found = map_pictures(erring(store), "mixed4b", method="pca", seed=3)
    vectors = np.asarray(means(store, "mixed4b"), np.float32)
    assert np.array_equal(found.points, layout(vectors, method="pca"))
    assert found.images.tolist() == list(range(90)) and found.names[7] == "terrarium/000007"
    labels = np.arange(90) % len(store.classes)
    assert found.labels == [store.classes[each] for each in labels]
    predicted = np.where(labels == 0, 1, np.where((labels == 3) & (np.arange(90) % 36 == 3), 4, labels))
    sphere = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert found.measures["trustworthiness"]["map"] == pytest.approx(trustworthiness(vectors, found.points))
    assert found.measures["trustworthiness"]["wall"] == pytest.approx(trustworthiness(vectors, found.tiles))
    for name, measure in {"confusion with nearness": confusion_with_nearness, "confused nearer": confused_nearer}.items():
        values = found.measures[name]
        assert values["map"] == pytest.approx(measure(found.points, labels, predicted))
        assert values["layer"] == pytest.approx(measure(sphere, labels, predicted))
    accuracy = found.measures["neighbour accuracy"]
    assert accuracy["layer"] == pytest.approx(neighbour_accuracy(sphere, labels))
    assert accuracy["layer"] > accuracy["map"] > 3 * accuracy["chance"] and accuracy["wall"] > 2 * accuracy["chance"]
    assert abs(found.measures["trustworthiness"]["chance"] - 0.5) < 0.05


def test_confused_classes_are_named_beside_their_closeness(store: Store) -> None:
    found = map_pictures(erring(store), "mixed4b", method="pca")
    first, second = found.confused
    assert {first.first, first.second} == set(store.classes[:2]) and first.share == 0.5
    assert {second.first, second.second} == set(store.classes[3:5]) and 0 < second.share < 0.5
    labels = np.arange(90) % len(store.classes)
    pairs, _, apart = class_pairs(found.points, labels, labels)
    assert first.closeness == sorted(apart).index(apart[pairs.tolist().index([0, 1])]) + 1 and first.pairs == len(pairs)


def test_of_many_pictures_some_are_on_the_wall(store: Store) -> None:
    found = map_pictures(store, "mixed4b", method="pca", most=20)
    shown = (found.tiles >= 0).all(1)
    assert shown.sum() == 20 and (found.tiles[~shown] == -1).all() and found.size == (4, 5) and len(found.points) == 90
    assert len({tuple(each) for each in found.tiles[shown].tolist()}) == 20
    assert all("wall" not in values for values in found.measures.values())
    other = map_pictures(store, "mixed4b", method="pca", most=20, seed=1)
    assert not np.array_equal(other.tiles >= 0, found.tiles >= 0)


def test_what_cannot_be_said_is_left_out(store: Store, tmp_path: Path) -> None:
    assert set(map_pictures(store, "mixed4b", method="pca").measures) == {"trustworthiness", "neighbour accuracy"}  # it never errs
    model = load("terrarium")
    two = collect(model, open_stream("terrarium:2", size=model.size), ["mixed4b"], tmp_path / "two", attributions=False)
    found = map_pictures(two, "mixed4b")
    assert found.measures == {} and not found.confused and found.size == (1, 2)
    renamed = replace(erring(store), label_names=tuple(f"{name}s" for name in store.label_names))
    assert set(map_pictures(renamed, "mixed4b", method="pca").measures) == {"trustworthiness", "neighbour accuracy"}
    with pytest.raises(NotFoundError, match="mixed9"):
        map_pictures(store, "mixed9")


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "photos.csv").exists(), reason="the real networks and photographs are not here (set PELLUCID_REAL)")
def test_what_a_real_network_confuses_lies_near_on_its_map() -> None:
    """One photograph of each of 200 classes: of few pairs that are confused, most lie nearer than most of the others."""
    model = load(f"{REAL / 'models' / 'squeezenet.py'}:load", classes=REAL / "imagenet_classes.csv")
    stream = open_stream(REAL / "photos", size=model.size, labels=REAL / "photos.csv", classes=model.classes)
    vectors, predicted, labels = [], [], []
    for samples, images in stream.batches(0, 200, batch=25):
        with torch.no_grad():
            maps = capture(model, images, ["features.12", OUTPUT])
        vectors.append(maps["features.12"].mean((2, 3)))
        predicted += maps[OUTPUT].flatten(1).argmax(1).tolist()
        labels += [sample.label for sample in samples]
    points = layout(torch.cat(vectors).numpy())
    assert confused_nearer(points, labels, predicted) > 0.65
    assert confused_nearer(np.random.default_rng(0).permutation(points), labels, predicted) < 0.6
