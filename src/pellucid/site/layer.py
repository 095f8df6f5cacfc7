"""One layer of a site: its units, their examples, and its atlas."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid import schema
from pellucid.analysis.examples import FIELDS, Examples, crop_box
from pellucid.analysis.spectrum import constants, falls_below_zero
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.models import Layer
from pellucid.schema import Sprites
from pellucid.site.files import Shelf, square, write_data, write_sprites
from pellucid.site.findings import AtlasFinding, Findings, UnitFinding

UNIT_TILE, CROP_TILE, WHOLE_TILE, ICON_TILE, PATCH_TILE = 128, 112, 160, 80, 72  # pixels
STRIP = 16  # unit pictures of a layer on the home page
BARS = 40  # of a unit's histogram
MOMENTS = 64  # points of a history that are kept
ALIKE, OPPOSITE, FAVOURS = 6, 3, 5  # units and classes that a unit's page names


@dataclass
class LayerExport:
    site: Shelf
    id: str
    stream: Stream
    store: Store
    findings: Findings
    wall: AbstractSet[int]  # the pictures that are on it
    crops: list[Image.Image] = field(default_factory=list)
    wholes: list[Image.Image] = field(default_factory=list)
    patches: list[Image.Image] = field(default_factory=list)
    patch_of: dict[int, int] = field(default_factory=dict)  # row of the store's table -> patch

    def __post_init__(self) -> None:
        self.bars = [
            schema.Bars(float(f"{low:.4g}"), float(f"{high:.4g}"), [float(f"{share:.3g}") for share in shares])
            for low, high, shares in zip(*self.findings.histogram.bars(BARS), strict=True)
        ]
        self.constants = constants(self.store, self.findings.layer.name)
        self.picture = lru_cache(maxsize=256)(self.stream.picture)  # neighbours in an atlas come from the same pictures

    def write(self) -> schema.LayerCard:
        layer, units = self.findings.layer, self.findings.units
        atlas = self.atlas(self.findings.atlas)
        pages = [self.unit(each, place) for place, each in enumerate(units)]
        pictures = [Image.open(each.file) for each in units]
        crops = self.sprites("crops", self.crops, CROP_TILE)
        wholes = self.sprites("wholes", self.wholes, WHOLE_TILE)
        write_data(self.site, f"layer-{self.id}", schema.LayerPage(self.id, pages, crops, wholes, self.concepts(), atlas))
        speaking = [index for index, page in enumerate(pages) if not page.silent]
        return schema.LayerCard(
            id=self.id,
            name=layer.name,
            kind=layer.kind,
            channels=layer.channels,
            height=layer.height,
            width=layer.width,
            field=_field(layer),
            units=len(units),
            sprites=self.sprites("units", pictures, UNIT_TILE),
            strip=speaking[:STRIP],
            icons=sum(level.cells for level in atlas.levels),
        )

    def unit(self, unit: UnitFinding, place: int) -> schema.Unit:
        every = max(1, -(-len(unit.history) // MOMENTS))
        constant = self.constants.get(unit.channel)
        return schema.Unit(
            name=unit.name,
            channel=unit.channel,
            picture=self.copied(unit.file, f"{unit.channel}"),
            negative=None if unit.negative is None else self.copied(unit.negative, f"{unit.channel}-negative"),
            score=unit.score,
            silent=unit.silent,
            history=[float(f"{each:.4g}") for each in unit.history[::every]],
            constant=None if constant is None else float(f"{constant:.5g}"),
            examples=self.examples(self.findings.examples, unit.channel) if constant is None else [],
            spectrum=self.spectrum(unit.channel) if constant is None else [],
            bars=self.bars[unit.channel],
            alike=self.kin(place, 1, ALIKE),
            opposite=self.kin(place, -1, OPPOSITE),
            favours=[schema.Favour(each.index, round(each.correlation, 3)) for each in self.findings.favours[place][:FAVOURS]],
            concepts=self.scores(place),
            quality=list(unit.quality),
            settings=unit.settings,
        )

    def kin(self, place: int, sign: int, count: int) -> list[schema.Kin]:
        """The units whose answers rise most with a unit's, or fall most."""
        row = sign * self.findings.likeness[place]
        order = [other for other in np.argsort(-row, kind="stable").tolist() if other != place and row[other] > 0]
        return [schema.Kin(other, round(float(sign * row[other]), 3)) for other in order[:count]]

    def scores(self, place: int) -> list[schema.Score]:
        known = self.findings.concepts
        return [] if known is None else [schema.Score(name, float(f"{iou:.3g}")) for name, iou in known.scores[place]]

    def concepts(self) -> schema.ConceptCard | None:
        known = self.findings.concepts
        return None if known is None else schema.ConceptCard(known.pictures, known.concepts, known.limit)

    def copied(self, file: Path, name: str) -> str:
        """A unit's picture in the site: its path there."""
        path = f"units/{self.id}/{name}.png"
        self.site.put(path, file.read_bytes())
        return path

    def spectrum(self, channel: int) -> list[schema.Bucket]:
        """The parts that hold something, but for the most, which the examples show; no minimum where nothing is below zero."""
        below = falls_below_zero(self.findings.spectrum, channel)
        buckets = []
        for bucket in self.findings.spectrum[:-1]:
            share = None if bucket.share is None else float(f"{bucket.share[channel]:.4g}")
            if below if share is None else share:
                buckets.append(schema.Bucket(bucket.name, share, self.examples(bucket.examples, channel)))
        return buckets

    def examples(self, known: Examples, channel: int) -> list[schema.Example]:
        columns = zip(*(getattr(known, name)[channel].tolist() for name in FIELDS), strict=True)
        return [self.example(value, image, row, col) for value, image, row, col in columns if image >= 0]

    def example(self, value: float, image: int, row: int, col: int) -> schema.Example:
        height, width = self.stream.size
        top, left, bottom, right = crop_box(self.findings.layer, row, col, self.stream.size)
        picture = self.picture(image)
        self.crops.append(square(picture.crop((left, top, right, bottom)), CROP_TILE))
        self.wholes.append(square(picture, WHOLE_TILE))
        name, label = self.named(image)
        box = [top / height, left / width, bottom / height, right / width]
        crop, whole = len(self.crops) - 1, len(self.wholes) - 1
        return schema.Example(image, name, label, float(f"{value:.5g}"), crop, whole, box, image in self.wall)

    def atlas(self, atlas: AtlasFinding) -> schema.AtlasCard:
        samples, positions = self.store.samples(), self.store.positions(self.findings.layer.name)
        images = samples["image"].to_numpy()
        cards = []
        for level, icons in zip(atlas.levels, atlas.icons, strict=True):
            cells = [
                schema.Cell(
                    row=cell.row,
                    col=cell.col,
                    count=cell.count,
                    cosine=round(cell.cosine or 0.0, 4),
                    classes=[schema.ClassValue(index, float(f"{value:.4g}")) for index, value in cell.classes],
                    examples=[self.patch(row, int(images[row]), positions[row]) for row in cell.examples],
                )
                for cell in level.cells
            ]
            write_data(self.site, f"atlas-{self.id}-{level.grid}", schema.AtlasLevel(level.grid, cells))
            sprites = self.sprites(f"icons-{level.grid}", [Image.open(each) for each in icons], ICON_TILE)
            cards.append(schema.LevelCard(level.grid, len(cells), sprites))
        return schema.AtlasCard(
            samples=atlas.samples,
            method=atlas.method,
            trustworthiness=atlas.trustworthiness,
            whitened=atlas.whitened,
            median_cosine=round(atlas.median_cosine, 4),
            patches=self.sprites("patches", self.patches, PATCH_TILE),
            levels=cards,
        )

    def patch(self, row: int, image: int, position: np.ndarray) -> schema.Patch:
        number = self.patch_of.setdefault(row, len(self.patches))
        if number == len(self.patches):
            top, left, bottom, right = crop_box(self.findings.layer, int(position[0]), int(position[1]), self.stream.size)
            self.patches.append(square(self.picture(image).crop((left, top, right, bottom)), PATCH_TILE))
        name, label = self.named(image)
        return schema.Patch(number, name, label)

    def named(self, image: int) -> tuple[str, str | None]:
        sample = self.stream.samples[image]
        return sample.name, None if sample.label is None else self.stream.label_names[sample.label]

    def sprites(self, kind: str, pictures: Sequence[Image.Image], tile: int) -> Sprites:
        return write_sprites(self.site, f"{kind}-{self.id}", pictures, tile=tile)


def _field(layer: Layer) -> schema.Field | None:
    field = layer.receptive_field
    return None if field is None else schema.Field(list(field.size), list(field.stride), list(field.offset))
