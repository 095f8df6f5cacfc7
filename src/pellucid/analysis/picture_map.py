"""The pictures of a collection in the plane: where each lies, its tile on a wall of all, and what the map is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pellucid.analysis.embedding import class_pairs, confused_nearer, confusion_with_nearness, neighbour_accuracy, tiles
from pellucid.analysis.index import Metric
from pellucid.analysis.neighbours import unit
from pellucid.analysis.reduce import Method, layout, possible, trustworthiness
from pellucid.analysis.search import means
from pellucid.data.store import Store

TRUSTED, VOTING, NAMED = 15, 10, 5  # neighbours that are looked at, neighbours that vote, pairs of classes that are named


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that the network takes for each other.

    Attributes:
        first: the name of one.
        second: the name of the other.
        share: of the pictures of both that is taken for the other class.
        closeness: their place among all pairs of classes by how near they lie on the map, 1 for the nearest.
        pairs: how many pairs there are.
    """

    first: str
    second: str
    share: float
    closeness: int
    pairs: int


@dataclass(frozen=True)
class PictureMap:
    """A map of whole pictures; made by `map_pictures`.

    Attributes:
        images: the id of each picture.
        names: the name of each.
        labels: the name of each one's label, None where it has none.
        points: (x, y) of each in [0, 1]².
        tiles: (row, col) of each on the wall; -1 where the wall leaves it out.
        size: (rows, columns) of the wall.
        measures: by their names, each one's value among the vectors of the layer, on the map, on the wall (where that shows all
            pictures), and by chance: on the map, its points dealt out at random. "trustworthiness" of 15 neighbours needs three
            pictures; "neighbour accuracy" of 10, a label that comes twice; "confusion with nearness" and "confused nearer", labels
            that are classes of the network, three or more, and errors.
        method: that was used.
        lacking: what there is to say where the vectors are too few for the method that was asked for, or all the same; else None.
        confused: the pairs of classes that are most often taken for each other, at most five.
    """

    images: Int[np.ndarray, " n"]
    names: Sequence[str]
    labels: Sequence[str | None]
    points: Float[np.ndarray, "n 2"]
    tiles: Int[np.ndarray, "n 2"]
    size: tuple[int, int]
    measures: Mapping[str, Mapping[str, float]]
    method: Method
    lacking: str | None
    confused: Sequence[ConfusedPair]


def map_pictures(
    store: Store, layer: str, *, method: Method = "umap", metric: Metric = "cosine", seed: int = 0, most: int = 10_000
) -> PictureMap:
    """Lay out the pictures of a collection by the means of their maps in a layer, and measure what the map keeps.

    Args:
        store: a collection.
        layer: one of its layers.
        method: as of `layout`.
        metric: between vectors.
        seed: of the layout, of the wall's pictures and of chance.
        most: pictures on the wall; of more, so many are drawn from the seed.

    Raises:
        NotFoundError: the layer was not collected.
        MissingExtraError: the method's package is not installed.

    Example:
        >>> import tempfile
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> from pellucid.data.collect import collect
        >>> from pellucid.data.stream import open_stream
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=32)
        >>> stream = open_stream("terrarium:5", size=model.size)
        >>> store = collect(model, stream, ["1"], tempfile.mkdtemp(), attributions=False)
        >>> found = map_pictures(store, "1", method="pca")
        >>> found.size, found.names[4], sorted(found.measures["trustworthiness"])
        ((2, 3), 'terrarium/000004', ['chance', 'map', 'wall'])
    """
    vectors = np.asarray(means(store, layer), np.float32)
    samples = store.samples().take(np.arange(len(vectors)) * store.settings["positions"]).to_pydict()
    labels = np.array([-1 if label is None else label for label in samples["label"]])
    used, lacking = possible(vectors, method)
    points, numbers = layout(vectors, method=used, metric=metric, seed=seed), np.random.default_rng(seed)
    shown = np.sort(numbers.permutation(len(points))[:most])
    wall = np.full((len(points), 2), -1)
    wall[shown], size = tiles(points[shown])
    places = {"layer": unit(vectors).numpy() if metric == "cosine" else vectors, "map": points}
    places |= {"wall": wall} if len(shown) == len(points) else {}
    predicted = _predicted(store, samples, labels)
    confused = [] if predicted is None else _confused(store.classes, points, labels, predicted)
    return PictureMap(
        images=np.array(samples["image"]),
        names=samples["name"],
        labels=[None if label is None else store.label_names[label] for label in samples["label"]],
        points=points,
        tiles=wall,
        size=size,
        measures=_measures(places | {"chance": numbers.permutation(points)}, labels, predicted if confused else None),
        method=used,
        lacking=lacking,
        confused=confused,
    )


def _predicted(store: Store, samples: Mapping[str, list[Any]], labels: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """The class that the network says of each picture; None where that cannot be compared with the labels."""
    known = store.settings["attributions"] and store.classes == store.label_names
    return np.array([best[0] for best in samples["classes"]]) if known and len(np.unique(labels[labels >= 0])) >= 3 else None


def _confused(
    names: Sequence[str], points: Float[np.ndarray, "n 2"], labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"]
) -> list[ConfusedPair]:
    pairs, shares, apart = class_pairs(points, labels, predicted)
    found = []
    for at in np.argsort(-shares, kind="stable")[:NAMED]:
        first, second = (names[int(each)] for each in pairs[at])
        if shares[at] > 0:
            closeness = int((apart < apart[at]).sum()) + 1
            found.append(ConfusedPair(first, second, float(shares[at]), closeness, len(pairs)))
    return found


def _measures(
    places: Mapping[str, Any], labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"] | None
) -> dict[str, dict[str, float]]:
    measures, flat = {}, {name: each for name, each in places.items() if name != "layer"}
    if near := min(TRUSTED, (len(labels) - 1) // 2):
        measures["trustworthiness"] = {
            name: trustworthiness(places["layer"], each, near, metric="euclidean") for name, each in flat.items()
        }
    known = labels[labels >= 0]
    if len(np.unique(known)) < len(known):
        voting = min(VOTING, len(known) - 1)
        measures["neighbour accuracy"] = {name: neighbour_accuracy(each, labels, voting) for name, each in places.items()}
    if predicted is not None:
        for said, measure in {"confusion with nearness": confusion_with_nearness, "confused nearer": confused_nearer}.items():
            measures[said] = {name: measure(each, labels, predicted) for name, each in places.items()}
    return measures
