"""Findings of a run become the files that the viewer reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid import schema
from pellucid.analysis.examples import FIELDS, Examples, crop_box
from pellucid.analysis.histogram import Histogram
from pellucid.analysis.spectrum import Bucket, falls_below_zero
from pellucid.atlas.grid import Level
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.files import writing
from pellucid.models import Layer, Model
from pellucid.schema import Sprites
from pellucid.site.files import copy_viewer, square, write_data, write_sprites

UNIT_TILE, CROP_TILE, WHOLE_TILE, ICON_TILE, PATCH_TILE = 128, 112, 160, 80, 72  # pixels
STRIP = 16  # unit pictures of a layer on the home page
BARS = 40  # of a unit's histogram
MOMENTS = 64  # points of a history that are kept


@dataclass(frozen=True)
class UnitFinding:
    """One unit's optimised picture and how it was made."""

    name: str
    channel: int
    file: Path
    score: float
    history: Sequence[float]
    silent: bool  # nothing moved it: there is no picture to show
    quality: Sequence[str]  # what was found about the picture, in sentences
    settings: str
    negative: Path | None = None  # the picture that it answers least, where it answers anything below zero


@dataclass(frozen=True)
class AtlasFinding:
    """A layer's map: its levels, whose cells know the cosine that their icons reach, and the icons' files, level by level."""

    samples: int
    method: str
    trustworthiness: float | None
    whitened: bool
    levels: Sequence[Level]
    icons: Sequence[Sequence[Path]]

    @property
    def median_cosine(self) -> float:
        reached = [cell.cosine for level in self.levels for cell in level.cells if cell.cosine is not None]
        return float(np.median(reached)) if reached else 0.0


@dataclass(frozen=True)
class Findings:
    """What a build knows of one layer."""

    layer: Layer
    units: Sequence[UnitFinding]
    examples: Examples
    spectrum: Sequence[Bucket]
    histogram: Histogram
    atlas: AtlasFinding


def export(
    folder: Path,
    model: Model,
    stream: Stream,
    store: Store,
    findings: Sequence[Findings],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the site of a run; its `index.html` comes last, so that a site that opens is whole.

    Args:
        folder: the site's folder; its files are written over.
        model: whose findings they are.
        stream: the pictures, for crops.
        store: where the samples of the atlas came from.
        findings: one a layer, in the order of the home page.
        progress: called with (layers done, layers).

    Returns:
        The path of `index.html`.
    """
    cards = []
    for index, each in enumerate(findings):
        cards.append(_LayerExport(folder, f"{index}", stream, store, each).write())
        if progress is not None:
            progress(index + 1, len(findings))
    write_data(folder, "site", _site(model, stream, store, cards))
    copy_viewer(folder)
    return folder / "index.html"


@dataclass
class _LayerExport:
    folder: Path
    id: str
    stream: Stream
    store: Store
    findings: Findings
    crops: list[Image.Image] = field(default_factory=list)
    wholes: list[Image.Image] = field(default_factory=list)
    patches: list[Image.Image] = field(default_factory=list)
    patch_of: dict[int, int] = field(default_factory=dict)  # row of the store's table -> patch

    def __post_init__(self) -> None:
        self.bars = [
            schema.Bars(float(f"{low:.4g}"), float(f"{high:.4g}"), [float(f"{share:.3g}") for share in shares])
            for low, high, shares in zip(*self.findings.histogram.bars(BARS), strict=True)
        ]
        self.picture = lru_cache(maxsize=256)(self.stream.picture)  # neighbours in an atlas come from the same pictures

    def write(self) -> schema.LayerCard:
        layer, units = self.findings.layer, self.findings.units
        atlas = self.atlas(self.findings.atlas)
        pages = [self.unit(each) for each in units]
        pictures = [Image.open(each.file) for each in units]
        crops = self.sprites("crops", self.crops, CROP_TILE)
        wholes = self.sprites("wholes", self.wholes, WHOLE_TILE)
        write_data(self.folder, f"layer-{self.id}", schema.LayerPage(self.id, pages, crops, wholes, atlas))
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

    def unit(self, unit: UnitFinding) -> schema.Unit:
        every = max(1, -(-len(unit.history) // MOMENTS))
        return schema.Unit(
            name=unit.name,
            channel=unit.channel,
            picture=self.copied(unit.file, f"{unit.channel}"),
            negative=None if unit.negative is None else self.copied(unit.negative, f"{unit.channel}-negative"),
            score=unit.score,
            silent=unit.silent,
            history=[float(f"{each:.4g}") for each in unit.history[::every]],
            examples=self.examples(self.findings.examples, unit.channel),
            spectrum=self.spectrum(unit.channel),
            bars=self.bars[unit.channel],
            quality=list(unit.quality),
            settings=unit.settings,
        )

    def copied(self, file: Path, name: str) -> str:
        """A unit's picture in the site's folder: its path from there."""
        target = self.folder / "units" / self.id / f"{name}.png"
        with writing(target) as path:
            shutil.copyfile(file, path)
        return target.relative_to(self.folder).as_posix()

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
        return schema.Example(image, name, label, float(f"{value:.5g}"), len(self.crops) - 1, len(self.wholes) - 1, box)

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
            write_data(self.folder, f"atlas-{self.id}-{level.grid}", schema.AtlasLevel(level.grid, cells))
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
        return write_sprites(self.folder, f"{kind}-{self.id}", pictures, tile=tile)


def _site(model: Model, stream: Stream, store: Store, cards: list[schema.LayerCard]) -> schema.Site:
    skipped = store.skipped
    return schema.Site(
        schema=schema.VERSION,
        made_by=f"pellucid {version('pellucid')}",
        title=model.name,
        model=schema.ModelCard(
            spec=model.spec,
            name=model.name,
            channels=model.channels,
            height=model.size[0],
            width=model.size[1],
            parameters=sum(each.numel() for each in model.network.parameters()),
            fingerprint=model.fingerprint(),
        ),
        dataset=schema.DatasetCard(
            source=stream.source,
            pictures=len(stream) - len(skipped),
            skipped=[schema.Skipped(name, reason) for name, reason in skipped[:100]],
            skipped_count=len(skipped),
            labelled=any(each.label is not None for each in stream.samples),
        ),
        classes=list(model.classes),
        layers=cards,
    )


def _field(layer: Layer) -> schema.Field | None:
    field = layer.receptive_field
    return None if field is None else schema.Field(list(field.size), list(field.stride), list(field.offset))
