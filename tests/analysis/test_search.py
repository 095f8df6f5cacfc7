"""Searches in a store, against all of its rows looked through by hand, and the bundled world's labels."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.analysis.queries import centres, check_network, picture_vector, unit_vector
from pellucid.analysis.retrieval import agreement, pixels
from pellucid.analysis.search import Means, means, open_search
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import Model, capture, load

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[2] / "../shared/real"))
EACH, COUNT = 3, 36


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return load(nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.ReLU(), nn.Conv2d(8, 6, 3)), size=32, mean=(0.5,) * 3, std=(0.2,) * 3)


def collected(model: Model, folder: Path, **options: object) -> Store:
    stream = open_stream(f"terrarium:{COUNT}", size=model.size)
    return collect(model, stream, ["0", "2"], folder, positions=EACH, part=10, attributions=False, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return collected(model, tmp_path_factory.mktemp("store") / "s", observers=[Means()])


@pytest.fixture(scope="module")
def images(model: Model) -> torch.Tensor:
    ((_, images),) = open_stream(f"terrarium:{COUNT}", size=model.size).batches(0, COUNT, batch=COUNT)
    return images


def cosines(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    return 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


def test_a_picture_finds_itself_then_what_its_mean_is_near(store: Store, model: Model, images: torch.Tensor) -> None:
    with torch.no_grad():
        maps = capture(model, images, ["2"])["2"]
    wanted = cosines(maps.mean((2, 3)).numpy(), maps[7].mean((1, 2)).numpy())
    hits = open_search(store, "2", whole=True).hits(picture_vector(model, "2", images[7]), 6)
    assert [hit.image for hit in hits] == np.argsort(wanted)[:6].tolist() and hits[0].image == 7
    np.testing.assert_allclose([hit.distance for hit in hits], np.sort(wanted)[:6], atol=1e-4)
    table = store.samples().to_pydict()
    for hit in hits:
        at = table["image"].index(hit.image)
        assert (hit.name, hit.label) == (table["name"][at], store.label_names[table["label"][at]])
        assert (hit.row, hit.col) == (None, None)


def test_another_row_finds_positions(store: Store) -> None:
    rows, table = np.asarray(store.vectors("0")), store.samples().to_pydict()
    wanted = np.argsort(cosines(rows, rows[20]), kind="stable")[:9]
    hits = open_search(store, "0", whole=False).hits(rows[20], 9, once=False)
    assert [(hit.image, hit.row, hit.col) for hit in hits] == [
        (table["image"][row], table["row 0"][row], table["col 0"][row]) for row in wanted
    ]


def test_of_each_picture_one_position(store: Store) -> None:
    rows, pictures = np.asarray(store.vectors("0")), store.samples()["image"].to_numpy()
    apart = cosines(rows, rows[20])
    best = sorted((apart[pictures == picture].min(), picture) for picture in range(COUNT))
    searched = open_search(store, "0", whole=False)
    assert [hit.image for hit in searched.hits(rows[20], COUNT)] == [picture for _, picture in best]
    left = [picture for _, picture in best if picture != best[0][1]]
    assert [hit.image for hit in searched.hits(rows[20], 5, without=best[0][1])] == left[:5]
    for k, options, most in ((COUNT + 1, {}, COUNT), (COUNT, {"without": 3}, COUNT - 1), (EACH * COUNT + 1, {"once": False}, 108)):
        with pytest.raises(UsageError, match=f"k={k}: {most} "):
            searched.hits(rows[20], k, **options)  # type: ignore[arg-type]


def test_no_direction_is_near_to_nothing_by_cosine(store: Store) -> None:
    nothing = np.zeros(store.layer("0").channels)
    with pytest.raises(UsageError, match=r"vector: all zero, .*; take metric='euclidean'"):
        open_search(store, "0", whole=False).hits(nothing, 3)
    shortest = np.linalg.norm(np.asarray(store.vectors("0"), np.float32), axis=1).min()
    assert open_search(store, "0", whole=False, metric="euclidean").hits(nothing, 3)[0].distance == pytest.approx(
        shortest, rel=1e-3
    )


def test_a_part_of_a_picture_is_the_mean_of_the_positions_in_it(model: Model, images: torch.Tensor) -> None:
    with torch.no_grad():
        map = capture(model, images[:1], ["0"])["0"][0]
    # a kernel of 5 every 4 pixels: centres at 2.5, 6.5, 10.5, ...
    found = picture_vector(model, "0", images[0], (2, 6, 11, 8))
    torch.testing.assert_close(found, map[:, 0:3, 1:2].mean((1, 2)))
    between = picture_vector(model, "0", images[0], (3, 3, 6, 6))
    torch.testing.assert_close(between, map[:, 0, 0])
    for box in ((0, 0, 33, 8), (4, 4, 4, 8), (-1, 0, 4, 4)):
        with pytest.raises(UsageError, match="32 x 32 pixels"):
            picture_vector(model, "0", images[0], box)


def test_centres_are_those_of_the_boxes_of_receptive_fields(model: Model) -> None:
    layer = model.layer("2")
    assert layer.receptive_field is not None
    rows, cols = centres(layer, model.size, (layer.height, layer.width))
    for row in range(layer.height):
        top, left, bottom, right = layer.receptive_field.box(row, 1)
        assert (float(rows[row]), float(cols[1])) == ((top + bottom) / 2, (left + right) / 2)
    spread, _ = centres(dataclasses.replace(layer, receptive_field=None), (32, 32), (4, 4))
    assert spread.tolist() == [4, 12, 20, 28]


def test_a_unit_is_what_excites_it_most(store: Store) -> None:
    rows = np.asarray(store.vectors("0"), np.float32)
    strongest = sorted(range(len(rows)), key=lambda row: (-rows[row, 4], row))[:16]
    np.testing.assert_allclose(unit_vector(store, "0", 4), rows[strongest].mean(0), rtol=1e-5)
    with pytest.raises(UsageError, match="0 to 7, not 8"):
        unit_vector(store, "0", 8)


def test_a_dead_unit_is_said(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    nn.init.constant_(network[0].bias[1:], -100)  # type: ignore[index]
    store = collect(load(network, size=16), open_stream("terrarium:4", size=(16, 16)), ["1"], tmp_path / "s", attributions=False)
    with pytest.raises(UsageError, match="1:1 answers 0 to every sample"):
        unit_vector(store, "1", 1)


def test_without_means_the_samples_stand_for_the_picture(model: Model, store: Store, tmp_path: Path) -> None:
    bare = collected(model, tmp_path / "s")
    rows = np.asarray(bare.vectors("2"), np.float32)
    np.testing.assert_allclose(means(bare, "2"), [rows[at : at + EACH].mean(0) for at in range(0, len(rows), EACH)], atol=2e-3)
    assert means(store, "2").shape == (COUNT, 6)


def test_an_approximate_index_is_made_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    first = open_search(store, "2", whole=False, approximate=True)
    monkeypatch.setattr("pellucid.analysis.search.Index.build", lambda *_, **__: pytest.fail("built again"))
    again = open_search(store, "2", whole=False, approximate=True)
    assert not again.index.exact and again.index.recall == first.index.recall
    monkeypatch.undo()
    assert open_search(store, "2", whole=False).index.exact


def test_another_network_is_refused(store: Store, model: Model) -> None:
    check_network(store, model)
    with pytest.raises(UsageError, match="another network"):
        check_network(store, load(nn.Conv2d(3, 8, 5), size=32))
    with pytest.raises(NotFoundError, match="layer '1'"):
        open_search(store, "1", whole=True)


def test_chance_and_shares_are_what_is_counted(store: Store, model: Model, images: torch.Tensor) -> None:
    stream = open_stream(f"terrarium:{COUNT}", size=model.size)
    stream.samples = [dataclasses.replace(each, label=None if each.index % 5 == 0 else each.index % 3) for each in stream.samples]
    found = agreement(store, "2", model, stream, k=4)["same"]
    labels = [each.label for each in stream.samples]
    asked = [picture for picture in range(COUNT) if labels[picture] is not None]
    by_chance = [sum(labels[other] == labels[one] for other in range(COUNT) if other != one) / (COUNT - 1) for one in asked]
    assert found.chance == pytest.approx(np.mean(by_chance))
    small = pixels(images).double()
    hits = []
    for one in asked:
        near = sorted((float((small[one] - small[other]).norm()), other) for other in range(COUNT) if other != one)[:4]
        hits += [labels[other] == labels[one] for _, other in near]
    assert found.pixels == pytest.approx(np.mean(hits))
    with pytest.raises(UsageError, match="36 pictures, the stream 12"):
        agreement(store, "2", model, open_stream("terrarium:12", size=model.size))
    stream.samples = [dataclasses.replace(each, label=0) for each in stream.samples]
    with pytest.raises(UsageError, match="two labels"):
        agreement(store, "2", model, stream)


def test_a_deep_layer_beats_pixels_also_shifted_and_mirrored(tmp_path: Path) -> None:
    """180 pictures of 18 classes, 5 neighbours: features 0.99 each time, pixels 0.68, 0.49 and 0.68, chance 0.05."""
    model = load("terrarium")
    stream = open_stream("terrarium:180", size=model.size)
    store = collect(model, stream, ["mixed4b"], tmp_path / "s", attributions=False, observers=[Means()])
    found = agreement(store, "mixed4b", model, stream)
    assert set(found) == {"same", "shifted", "mirrored"}
    for each in found.values():
        assert each.features > 0.95 and each.features > each.pixels + 0.2 > each.chance + 0.4
    assert found["shifted"].pixels < found["same"].pixels - 0.1


BRANCHES = {  # of the animals, by the order of ImageNet's classes, which follows WordNet
    "fish": [(0, 7), (389, 398)],
    "bird": [(7, 25), (80, 101), (127, 147)],
    "amphibian": [(25, 33)],
    "reptile": [(33, 69)],
    "invertebrate": [(69, 80), (107, 127), (300, 327)],
    "dog": [(151, 281)],
    "cat": [(281, 294)],
    "hoofed": [(339, 356)],
    "primate": [(365, 385)],
}


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "photos.csv").exists(), reason="the real networks and photographs are not here (set PELLUCID_REAL)")
def test_photographs_of_one_kind_are_found_by_features_and_not_by_pixels(tmp_path: Path) -> None:
    """150 photographs, fish to lizards and birds; labels are branches of the tree of animals."""
    kinds = {index: kind for kind, spans in enumerate(BRANCHES.values()) for span in spans for index in range(*span)}
    model = load(f"{REAL / 'models' / 'squeezenet.py'}:load", classes=REAL / "imagenet_classes.csv")
    stream = open_stream(REAL / "photos", size=model.size, labels=REAL / "photos.csv", classes=model.classes)
    stream.samples = [
        dataclasses.replace(each, label=kinds.get(-1 if each.label is None else each.label)) for each in stream.samples[:150]
    ]
    store = collect(model, stream, ["features.12"], tmp_path / "s", attributions=False, observers=[Means()])
    for each in agreement(store, "features.12", model, stream).values():
        assert each.features > 2 * each.pixels and each.pixels < 2 * each.chance, each
