"""The wall of a run's pictures: which there are, how they lie by likeness, and the nearest of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from safetensors.numpy import load_file, save_file

from pellucid import schema
from pellucid.analysis.embedding import tiles
from pellucid.analysis.index import Metric
from pellucid.analysis.neighbours import neighbours
from pellucid.analysis.reduce import layout
from pellucid.analysis.retrieval import pixels
from pellucid.analysis.search import means
from pellucid.arrays import contact_sheet, to_image
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.files import writing
from pellucid.run import in_parts
from pellucid.schema import Sprites
from pellucid.site.files import Shelf, square, write_data, write_sprites

MOST = 2_000  # pictures: more would be too small to be told apart, and too much to send
NEAREST = 8
TILE = 80  # pixels of a thumbnail
PART, COLUMNS = 100, 10  # pictures that are read together, and thumbnails in a row of what is kept of them

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Near:
    """The nearest others of each picture, nearest first."""

    places: Int[np.ndarray, "n k"]
    apart: Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Wall:
    """What a build found of its wall of pictures.

    Attributes:
        pictures: that are on it.
        sheets: of their thumbnails, a hundred on each.
        layers: for each layer the tile of each picture, in reading order, and the nearest others.
        pixels: the nearest others without a network.
    """

    pictures: Sequence[schema.Picture]
    sheets: Sequence[Path]
    layers: Sequence[tuple[Int[np.ndarray, " n"], Near]]
    pixels: Near

    @property
    def side(self) -> int:
        """Tiles of the wall's longer side."""
        return math.isqrt(len(self.pictures) - 1) + 1


def make_wall(
    folder: Path, store: Store, stream: Stream, layers: Mapping[str, str], *, seed: int, stage: Callable[[str], Report]
) -> Wall:
    """Lay out at most 2,000 pictures of a collection, evenly drawn, by what each layer answers to them.

    Args:
        folder: where what is found is kept; a second call does only what is missing.
        store: whose pictures they are, two or more.
        stream: where they are read.
        layers: from names of layers to those of files.
        seed: of the layouts.
        stage: gives who is told how far a stage is.
    """
    maker = _Maker(folder, store, stream, seed)
    sheets = maker.thumbs(stage("the wall of pictures"))
    found = [maker.by_layer(layer, file, stage(f"wall by {layer}")) for layer, file in layers.items()]
    return Wall(maker.pictures, sheets, found, maker.by_pixels(sheets))


def write_wall(site: Shelf, wall: Wall) -> Sprites:
    """Write the data and thumbnails of a wall into a site."""
    write_data(site, "pictures", schema.PicturesPage(list(wall.pictures)))
    for index, (places, near) in enumerate(wall.layers):
        write_data(site, f"wall-{index}", schema.Wall(wall.side, places.tolist(), _neighbours(near)))
    write_data(site, "near-pixels", _neighbours(wall.pixels))
    return write_sprites(site, "pictures", list(_cut(wall.sheets, len(wall.pictures))), tile=TILE)


def _neighbours(near: Near) -> schema.Neighbours:
    return schema.Neighbours(near.places.tolist(), [[float(f"{each:.3g}") for each in row] for row in near.apart.tolist()])


def _cut(sheets: Sequence[Path], count: int) -> Iterator[Image.Image]:
    for number, sheet in enumerate(sheets):
        with Image.open(sheet) as whole:
            for place in range(min(PART, count - number * PART)):
                top, left = (TILE * each for each in divmod(place, COLUMNS))
                yield whole.crop((left, top, left + TILE, top + TILE))


@dataclass(frozen=True)
class _Maker:
    folder: Path
    store: Store
    stream: Stream
    seed: int

    @cached_property
    def rows(self) -> Int[np.ndarray, " n"]:
        """The pictures on the wall, as rows of `means`."""
        count = len(self.store) // self.store.settings["positions"]
        shown = min(count, MOST)
        return np.arange(shown) * count // shown

    @cached_property
    def pictures(self) -> list[schema.Picture]:
        samples = (
            self.store.samples().select(["image", "name", "label", "classes"]).take(self.rows * self.store.settings["positions"])
        )
        names = self.store.label_names
        return [
            schema.Picture(
                image=each["image"],
                name=each["name"],
                label=None if each["label"] is None else names[each["label"]],
                said=each["classes"][0] if each["classes"] else None,
            )
            for each in samples.to_pylist()
        ]

    def thumbs(self, report: Report) -> list[Path]:
        """Sheets of thumbnails; beside each lie the same pictures as a search without a network compares them."""

        def work(images: Sequence[int], start: int) -> list[str]:
            name = f"{start // PART:05d}"
            with ThreadPoolExecutor() as pool:
                pictures = list(pool.map(self.stream.picture, images))
            rows = pixels(torch.stack([to_image(each, self.stream.channels) for each in pictures]))
            with writing(self.folder / f"{name}.safetensors") as path:
                save_file({"pixels": rows.numpy()}, path)
            with writing(self.folder / f"{name}.png") as path:
                contact_sheet([square(each, TILE) for each in pictures], columns=COLUMNS, gap=0).save(path, format="PNG")
            return [f"{name}.png"] * len(images)

        images = [each.image for each in self.pictures]
        return [self.folder / name for name in dict.fromkeys(in_parts(self.folder, images, work, size=PART, progress=report))]

    def by_layer(self, layer: str, name: str, report: Report) -> tuple[Int[np.ndarray, " n"], Near]:
        """The tile of each picture by a layer's means, and the nearest by their cosine."""
        file = self.folder / f"{name}.safetensors"
        report(0, 1)
        if not file.exists():
            vectors = np.asarray(means(self.store, layer)[self.rows], np.float32)
            found, (_, wide) = tiles(layout(vectors, seed=self.seed))
            near = _nearest(vectors, "cosine")
            with writing(file) as path:
                save_file({"tiles": found @ np.array([wide, 1]), "places": near.places, "apart": near.apart}, path)
        report(1, 1)
        known = load_file(file)
        return known.pop("tiles"), Near(**known)

    def by_pixels(self, sheets: Sequence[Path]) -> Near:
        """The nearest by the root of the mean square between pictures of 32 x 32 pixels."""
        file = self.folder / "pixels.safetensors"
        if not file.exists():
            rows = np.concatenate([load_file(sheet.with_suffix(".safetensors"))["pixels"] for sheet in sheets])
            near = _nearest(rows, "euclidean")
            with writing(file) as path:
                save_file({"places": near.places, "apart": near.apart / np.float32(math.sqrt(rows.shape[1]))}, path)
        return Near(**load_file(file))


def _nearest(vectors: Float[np.ndarray, "n c"], metric: Metric) -> Near:
    places, apart = neighbours(vectors, min(NEAREST + 1, len(vectors)), metric=metric)
    # safetensors writes the memory behind an array, whatever its strides are
    return Near(np.ascontiguousarray(places[:, 1:], np.int32), np.ascontiguousarray(apart[:, 1:]))
