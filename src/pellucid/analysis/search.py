"""What in a collection is nearest to a vector of a layer, by positions or by whole pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.index import Index, Metric, approximate_by_default
from pellucid.data.store import Rows, Store
from pellucid.errors import UsageError

MEANS = "means"


@dataclass
class Means:
    """Keeps the mean of each picture's map over all positions, for searches by whole pictures."""

    name: str = field(default=MEANS, init=False, repr=False)
    _seen: dict[str, list[Tensor]] = field(default_factory=dict, init=False, repr=False)

    def start(self, layers: Mapping[str, int]) -> None:
        self._seen = {name: [] for name in layers}

    def see(self, ids: Int[Tensor, " n"], maps: Mapping[str, Float[Tensor, "n c h w"]]) -> None:
        limit = torch.finfo(torch.float16).max
        for name, map in maps.items():
            self._seen[name].append(map.float().mean((2, 3)).clamp(-limit, limit).half().cpu())

    def part(self) -> dict[str, Tensor]:
        return {name: torch.cat(seen) for name, seen in self._seen.items() if seen}


@dataclass(frozen=True)
class Hit:
    """Something found.

    Attributes:
        image: the picture's id.
        name: the picture's name.
        label: the name of its label, None where it has none.
        row: of the layer's map; None where whole pictures are searched.
        col: of the layer's map; None where whole pictures are searched.
        distance: from the query.
    """

    image: int
    name: str
    label: str | None
    row: int | None
    col: int | None
    distance: float


@dataclass(frozen=True)
class Search:
    """One layer of a store, ready to be searched; made by `open_search`.

    Attributes:
        whole: whether its rows are pictures, else the store's samples.
        each: rows a picture.
    """

    store: Store
    layer: str
    index: Index
    whole: bool
    each: int

    def hits(self, vector: Any, k: int, *, once: bool = True, without: int | None = None) -> list[Hit]:
        """What is nearest to a vector, nearest first.

        Args:
            vector: one number for each channel of the layer.
            k: hits, from 1 to as many as there are rows, or pictures where each comes once.
            once: whether to give of each picture only its nearest position.
            without: id of a picture to leave out, as that which asks.

        Raises:
            UsageError: k is out of range; the vector has another length, or is all zero, which no cosine tells apart.
        """
        asked = np.asarray(vector, np.float32)
        if self.index.metric == "cosine" and not asked.any():
            raise UsageError("vector: all zero, without a direction for anything to be near to by cosine; take metric='euclidean'")
        images = self._images
        left = int((images == without).sum()) if without is not None else 0
        most = (len(images) - left) // (self.each if once else 1)
        if not 1 <= k <= most:
            raise UsageError(f"k={k}: {most} {'pictures' if once else 'positions'} can be found in {str(self.store.folder)!r}")
        # the first k pictures stand within this many rows, however their positions lie
        wanted = left + (1 + (k - 1) * self.each if once else k)
        rows, distances = (each[0] for each in self.index.query(asked[None], min(wanted, len(images))))
        kept = images[rows] != (-1 if without is None else without)
        if once:
            kept[kept] = _first(images[rows[kept]])
        return [self._hit(int(row), float(apart)) for row, apart in zip(rows[kept][:k], distances[kept][:k], strict=True)]

    def _hit(self, row: int, distance: float) -> Hit:
        sample = {name: column[0] for name, column in self._samples.slice(row * self._step, 1).to_pydict().items()}
        label = None if sample["label"] is None else self.store.label_names[sample["label"]]
        place = (None, None) if self.whole else (sample[f"row {self.layer}"], sample[f"col {self.layer}"])
        return Hit(sample["image"], sample["name"], label, place[0], place[1], distance)

    @property
    def _step(self) -> int:
        return self.store.settings["positions"] if self.whole else 1

    @cached_property
    def _samples(self) -> pa.Table:
        return self.store.samples()

    @cached_property
    def _images(self) -> Int[np.ndarray, " n"]:
        return self._samples["image"].to_numpy()[:: self._step]


def open_search(
    store: Store, layer: str, *, whole: bool, metric: Metric = "cosine", approximate: bool | None = None, seed: int = 0
) -> Search:
    """Search one layer of a store, by positions or by whole pictures.

    An exact search reads the store's own files; an approximate index is made once and kept in the store's folder.

    Args:
        store: a collection.
        layer: one of its layers.
        whole: search pictures by the mean of their maps, which `Means` kept, or of their sampled positions where it did not watch;
            else the sampled positions.
        metric: "cosine" or "euclidean".
        approximate: as of `Index.build`.
        seed: of an approximate index.

    Raises:
        NotFoundError: the layer was not collected.
        MissingExtraError: an approximate search without faiss.
    """
    folder = (
        store.folder / "indexes" / Path(store.layer(layer).folder).name / f"{'pictures' if whole else 'positions'}-{metric}-{seed}"
    )
    vectors = means(store, layer) if whole else store.vectors(layer)
    chosen = approximate_by_default(len(vectors)) if approximate is None else approximate
    if chosen and (folder / "index.json").exists():
        index = Index.open(folder)
    else:
        index = Index.build(vectors, metric=metric, approximate=chosen, seed=seed)
        if chosen:
            index.save(folder)
    return Search(store, layer, index, whole, 1 if whole else store.settings["positions"])


def means(store: Store, layer: str) -> Rows | Float[np.ndarray, "n c"]:
    """One vector a picture, in the order of the samples: the mean of its map, or of its sampled positions without `Means`.

    Raises:
        NotFoundError: the layer was not collected.
    """
    vectors, each = store.vectors(layer), store.settings["positions"]
    if MEANS in store.settings["observers"]:
        return store.observed(MEANS, layer)
    if each == 1:
        return vectors
    step = 4096 * each
    blocks = [np.asarray(vectors[start : start + step], np.float32) for start in range(0, len(vectors), step)]
    return np.concatenate([block.reshape(-1, each, block.shape[1]).mean(1).astype(np.float16) for block in blocks])


def _first(values: Int[np.ndarray, " n"]) -> Any:
    """Whether each value comes for the first time."""
    found = np.zeros(len(values), bool)
    found[np.unique(values, return_index=True)[1]] = True
    return found
