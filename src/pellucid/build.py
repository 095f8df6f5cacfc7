"""The main job: from a network and pictures to a site, stage by stage, each part once and for all."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from pellucid.analysis.affinities import correlations, favours
from pellucid.analysis.concepts import Concepts, terrarium_concepts
from pellucid.analysis.examples import top_examples
from pellucid.analysis.histogram import histogram
from pellucid.analysis.observers import observers
from pellucid.analysis.quality import quality, reference
from pellucid.analysis.reduce import layout, trustworthiness
from pellucid.analysis.search import means
from pellucid.analysis.spectrum import Bucket, falls_below_zero, spectrum
from pellucid.arrays import to_image
from pellucid.atlas.grid import Level, whitening
from pellucid.atlas.grid import levels as make_levels
from pellucid.atlas.icons import render_icons
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.explain.icons import Icons, saved_pictures
from pellucid.files import writing
from pellucid.models import Layer, Model
from pellucid.models.spanning import spanning_layers
from pellucid.run import Run, in_parts, open_run
from pellucid.schema import ClassScore, ExplainCard, to_json
from pellucid.site.concepts import score_concepts
from pellucid.site.explaining import Settings, explain_photo
from pellucid.site.explanation import Pages, Photo
from pellucid.site.export import export
from pellucid.site.files import Folder
from pellucid.site.findings import AtlasFinding, ConceptFinding, Findings, UnitFinding
from pellucid.site.wall import Wall, make_wall
from pellucid.vis.optimise import has_bfloat16
from pellucid.vis.render import render

Progress = Callable[[str, int, int], None]  # stage, done, total

SAMPLES = 8_000  # an atlas of fewer has gaps; pictures that are fewer give several positions each
PER_CELL = 10  # samples that a cell of the finest grid has in the mean
JUDGED = 800  # pictures at most that optimised ones are compared with
BUCKET = 4  # pictures from each part of a unit's spectrum
DISSECTED = 126  # terrarium pictures, seven a class, whose parts units are compared with
HELD = 1 << 26  # bytes of pictures that one stage leaves to the next, read already
CHUNK, ICONS = 8, 32  # pictures and icons optimised together, and lost at most when the build is killed


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a build's files hold, apart from the network and the pictures."""

    layers: tuple[str, ...]
    units: int  # channels a layer
    steps: int  # of optimisation, for units
    icon_steps: int
    grids: tuple[int, ...]  # cells a side, coarse to fine
    positions: int  # sampled in each picture
    examples: int  # a channel
    seed: int
    bfloat16: bool  # noted, because it changes the bits


@dataclass(frozen=True)
class Result:
    """Where the site is and what it holds."""

    index: Path
    skipped: list[tuple[str, str]]
    numbers: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        return {"site": str(self.index), "skipped": len(self.skipped), **self.numbers}


def build_site(
    model: Model,
    stream: Stream,
    folder: Path | str,
    plan: Plan | None = None,
    *,
    concepts: Concepts | None = None,
    photos: Sequence[Photo] = (),
    progress: Progress | None = None,
) -> Result:
    """Build the site of a network and a stream of pictures into `folder/site/index.html`.

    Killed at any moment, the same call goes on where it stopped and ends with the same files.

    Args:
        model: from `pellucid.load`.
        stream: from `pellucid.open_stream`, of the model's size.
        folder: the run folder; new, or begun with the same settings.
        plan: from `make_plan`; None for its defaults.
        concepts: labelled pictures that the units are compared with; None for those of the terrarium, where the pictures come from
            it, else for none.
        photos: that get a page each on why the network says what it says of them, from `open_photo`.
        progress: called with (stage, done, total).

    Raises:
        UsageError: the folder was made with other settings, which are named.
        PellucidError: no picture could be read, an activation is not a number, the disk is full.
    """
    plan = make_plan(model, stream) if plan is None else plan
    if concepts is None and stream.source.partition(":")[0] == "terrarium":
        concepts = terrarium_concepts(DISSECTED, size=model.size, channels=model.channels)
    settings = {
        "model": model.fingerprint(),
        "images": stream.fingerprint(),
        "classes": list(model.classes),
        "concepts": None if concepts is None else [*concepts.names, concepts.stream.fingerprint()],
        **asdict(plan),
    }
    if photos:
        settings["explained"] = [[each.name, hashlib.sha256(each.image.numpy().tobytes()).hexdigest()] for each in photos]
    run = open_run(Path(folder), settings=settings, about={"model": model.spec, "images": stream.source})
    report = (lambda stage, done, total: None) if progress is None else progress
    return _Builder(model, _held(stream), plan, concepts, photos, run, report).build()


def make_plan(
    model: Model,
    stream: Stream,
    *,
    layers: Sequence[str] | None = None,
    units: int | None = None,
    steps: int | None = None,
    grids: Sequence[int] | None = None,
    positions: int | None = None,
    seed: int = 0,
) -> Plan:
    """What a build shall do; what is not said suits the machine and the number of pictures.

    Args:
        model: from `pellucid.load`.
        stream: from `pellucid.open_stream`.
        layers: names of layers; None for three that span the network.
        units: channels of each layer that get a picture, evenly spread.
        steps: optimisation steps of each picture.
        grids: cells a side of the atlas's zoom levels; None for two that suit the number of samples.
        positions: sampled in each picture; None for as many as an atlas needs.
        seed: of everything that is drawn.

    Raises:
        NotFoundError: no such layer.
    """
    accelerated = model.device.type != "cpu"
    known = [model.layer(name) for name in (spanning_layers(model, 3) if layers is None else dict.fromkeys(layers))]
    room = max((layer.height * layer.width for layer in known), default=1)
    places = max(1, min(12, room, math.ceil(SAMPLES / len(stream)))) if positions is None else positions
    finest = max(4, min(40, round(math.sqrt(len(stream) * places / PER_CELL))))
    chosen = tuple(sorted({finest // 2, finest})) if grids is None else tuple(sorted(set(grids)))
    return Plan(
        layers=tuple(layer.name for layer in known),
        units=(128 if accelerated else 32) if units is None else units,
        steps=(256 if accelerated else 128) if steps is None else steps,
        icon_steps=(256 if accelerated else 96) if steps is None else steps,
        grids=chosen,
        positions=places,
        examples=9,
        seed=seed,
        bfloat16=has_bfloat16(model),
    )


def spread(channels: int, count: int) -> list[int]:
    """At most `count` channels, evenly spread.

    >>> spread(512, 4), spread(3, 8)
    ([0, 128, 256, 384], [0, 1, 2])
    """
    count = min(count, channels)
    return [index * channels // count for index in range(count)]


@dataclass
class _Builder:
    model: Model
    stream: Stream
    plan: Plan
    concepts: Concepts | None
    photos: Sequence[Photo]
    run: Run
    report: Progress

    def build(self) -> Result:
        store = self.collect()
        findings = [self.findings(self.model.layers[name], store) for name in self.plan.layers]
        wall = self.wall(store)
        site = self.run.folder / "site"
        if not self.run.finished("site"):
            explained = [self.explanation(site, number) for number in range(len(self.photos))]
            export(site, self.model, self.stream, store, findings, wall, explained, progress=self.stage("site"))
            self.run.note(skipped=[{"name": name, "reason": reason} for name, reason in store.skipped])
            self.run.finish("site")
        return Result(site / "index.html", store.skipped, self.numbers(findings))

    def stage(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self.report(name, done, total)

    def collect(self) -> Store:
        plan = self.plan
        return collect(
            self.model,
            self.stream,
            plan.layers,
            self.run.folder / "store",
            positions=plan.positions,
            seed=plan.seed,
            observers=observers(plan.examples),
            progress=self.stage("activations"),
        )

    def findings(self, layer: Layer, store: Store) -> Findings:
        parts = spectrum(store, layer.name, BUCKET, seed=self.plan.seed)
        answers, channels = means(store, layer.name), spread(layer.channels, self.plan.units)
        pictures = len(store) // self.plan.positions
        return Findings(
            layer=layer,
            units=self.units(layer, parts),
            examples=top_examples(store, layer.name, self.plan.examples),
            spectrum=parts,
            histogram=histogram(store, layer.name),
            likeness=correlations(answers, channels),
            favours=favours(store.vectors(layer.name), store.attributions(layer.name), channels, pictures=pictures),
            concepts=self.dissected(layer, channels),
            atlas=self.atlas(layer, store),
        )

    def units(self, layer: Layer, parts: Sequence[Bucket]) -> list[UnitFinding]:
        folder = self.run.folder / "units" / folder_name(self.plan.layers, layer.name)
        channels = spread(layer.channels, self.plan.units)
        names = [f"{layer.name}:{channel}" for channel in channels]
        records = self.pictures(folder, names, self.stage(f"pictures of {layer.name}"))
        files = dict(zip(names, (folder / each["file"] for each in records), strict=True))
        negatives = self.negatives(folder / "negative", layer, [each for each in channels if falls_below_zero(parts, each)])
        found = self.quality(folder / "quality.json", layer, files)
        return [
            UnitFinding(
                name=name,
                channel=channel,
                file=files[name],
                score=each["score"],
                history=each["history"],
                silent=each["silent"],
                quality=[] if each["silent"] else found[name],
                settings=_line(each),
                negative=negatives.get(channel),
            )
            for name, channel, each in zip(names, channels, records, strict=True)
        ]

    def negatives(self, folder: Path, layer: Layer, channels: Sequence[int]) -> dict[int, Path]:
        """For channels that answer below zero the pictures that they answer least."""
        names = [f"-{layer.name}:{channel}" for channel in channels]
        records = self.pictures(folder, names, self.stage(f"least of {layer.name}"))
        return {channel: folder / each["file"] for channel, each in zip(channels, records, strict=True) if not each["silent"]}

    def pictures(self, folder: Path, names: Sequence[str], report: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """What became of each unit's picture, and its file in the folder."""

        def work(some: Sequence[str], start: int) -> list[dict[str, Any]]:
            plan = self.plan
            made = render(self.model, some, steps=plan.steps, seeds=plan.seed, batch=CHUNK, autocast=plan.bfloat16)
            files = [f"{name.rsplit(':', 1)[1]}.png" for name in some]
            for file, each in zip(files, made, strict=True):
                each.save(folder / file)
            facts = ("score", "history", "silent", "settings")
            return [{"file": file} | {name: getattr(each, name) for name in facts} for file, each in zip(files, made, strict=True)]

        return in_parts(folder, names, work, size=CHUNK, progress=report)

    def quality(self, file: Path, layer: Layer, units: Mapping[str, Path]) -> dict[str, list[str]]:
        """What the panel says of each unit's picture, in sentences."""
        report, seen = self.stage(f"quality of {layer.name}"), min(len(self.stream), JUDGED)
        if not file.exists():
            done = 0

            def photos() -> Iterator[Float[Tensor, "n c h w"]]:
                nonlocal done
                for samples, images in self.stream.batches(0, seen, batch=CHUNK * 4):
                    yield images
                    done += len(samples)
                    report(min(done, seen - 1), seen)

            known = reference(self.model, photos(), objectives=list(units))
            found: dict[str, list[str]] = {}
            for name, path in units.items():
                with Image.open(path) as picture:
                    found[name] = quality(to_image(picture, self.model.channels), name, reference=known).lines()
            with writing(file) as path:
                path.write_text(to_json(found), encoding="utf-8")
        report(seen, seen)
        return json.loads(file.read_text(encoding="utf-8"))

    def dissected(self, layer: Layer, channels: Sequence[int]) -> ConceptFinding | None:
        if self.concepts is None:
            return None
        file = self.run.folder / "concepts" / f"{folder_name(self.plan.layers, layer.name)}.json"
        report = self.stage(f"concepts of {layer.name}")
        return score_concepts(file, self.model, layer.name, self.concepts, channels, progress=report)

    def explanation(self, site: Path, number: int) -> ExplainCard:
        """The page of a photo, with the pictures of units that there are."""
        file, plan = self.run.folder / "explained" / f"{number}.json", self.plan
        if not file.exists():
            pages = {
                name: Pages(f"{place}", spread(self.model.layers[name].channels, plan.units))
                for place, name in enumerate(plan.layers)
            }
            icons = Icons(self.model, saved_pictures(self.model, self.run.folder / "units"), seed=plan.seed)
            settings, photo = Settings(layers=plan.layers, seed=plan.seed), self.photos[number]
            card = explain_photo(
                Folder(site), f"{number}", self.model, photo, settings, icons=icons, progress=self.report, pages=pages
            )
            with writing(file) as path:
                path.write_text(to_json(card), encoding="ascii")
        known = json.loads(file.read_text(encoding="ascii"))
        return ExplainCard(**{**known, "classes": [ClassScore(**each) for each in known["classes"]]})

    def wall(self, store: Store) -> Wall | None:
        if len(store) == self.plan.positions:
            return None
        files = {name: folder_name(self.plan.layers, name) for name in self.plan.layers}
        return make_wall(self.run.folder / "wall", store, self.stream, files, seed=self.plan.seed, stage=self.stage)

    def atlas(self, layer: Layer, store: Store) -> AtlasFinding:
        folder = self.run.folder / "atlas" / folder_name(self.plan.layers, layer.name)
        vectors = store.vectors(layer.name)
        points, trust = self.chart(folder / "layout.safetensors", layer, np.asarray(vectors, np.float32))
        images = store.samples(["image"])["image"].to_numpy()
        levels = make_levels(points, vectors, store.attributions(layer.name), grids=self.plan.grids, images=images)
        whiten = whitening(vectors)
        drawn = [self.icons(folder / str(level.grid), layer, level, whiten) for level in levels]
        return AtlasFinding(
            samples=len(vectors),
            method="UMAP",
            trustworthiness=trust,
            whitened=True,
            levels=[_with_cosines(level, [each["cosine"] for each in made]) for level, made in zip(levels, drawn, strict=True)],
            icons=[[folder / str(level.grid) / each["file"] for each in made] for level, made in zip(levels, drawn, strict=True)],
        )

    def chart(self, file: Path, layer: Layer, vectors: Float[np.ndarray, "n c"]) -> tuple[Float[np.ndarray, "n 2"], float | None]:
        """Where each sample lies, and how far neighbours there are neighbours in the layer."""
        report = self.stage(f"layout of {layer.name}")
        report(0, 1)
        if not file.exists():
            points = layout(vectors, seed=self.plan.seed)
            judged = min(15, (len(points) - 1) // 2)
            trust = trustworthiness(vectors, points, judged) if judged else None
            with writing(file) as path:
                save_file({"points": np.ascontiguousarray(points)}, path, {"trustworthiness": to_json(trust)})
        report(1, 1)
        with safe_open(file, "numpy") as stored:
            return stored.get_tensor("points"), json.loads(stored.metadata()["trustworthiness"])

    def icons(self, folder: Path, layer: Layer, level: Level, whiten: Float[Tensor, "c c"]) -> list[dict[str, Any]]:
        def work(means: Sequence[np.ndarray], start: int) -> list[dict[str, Any]]:
            plan = self.plan
            made = render_icons(
                self.model, layer.name, np.stack(means), steps=plan.icon_steps, whiten=whiten, seed=plan.seed, batch=ICONS
            )
            files = [f"{start + index:05d}.png" for index in range(len(made))]
            for file, icon in zip(files, made, strict=True):
                icon.rendering.save(folder / file)
            return [{"file": file, "cosine": icon.cosine} for file, icon in zip(files, made, strict=True)]

        stage = self.stage(f"icons of {layer.name}, {level.grid} × {level.grid}")
        return in_parts(folder, list(level.means), work, size=ICONS, progress=stage)

    def numbers(self, findings: Sequence[Findings]) -> dict[str, Any]:
        return {
            each.layer.name: {
                "units": len(each.units),
                "icons": sum(len(level.cells) for level in each.atlas.levels),
                "median_cosine": each.atlas.median_cosine,
                "trustworthiness": each.atlas.trustworthiness,
            }
            for each in findings
        }


def folder_name(layers: Sequence[str], name: str) -> str:
    """A folder for a layer, the same on every file system: its place among the layers, and what its name has in letters.

    >>> folder_name(["a", "features/7"], "features/7")
    '1-features-7'
    """
    return f"{layers.index(name)}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"


def _held(stream: Stream) -> Stream:
    """The same pictures, of which those read last need not be read again."""
    return replace(stream, read=lru_cache(max(1, HELD // (stream.channels * math.prod(stream.size))))(stream.picture))


def _with_cosines(level: Level, cosines: Sequence[float]) -> Level:
    return replace(level, cells=tuple(replace(cell, cosine=each) for cell, each in zip(level.cells, cosines, strict=True)))


def _line(record: dict[str, Any]) -> str:
    """A picture's settings for people."""
    settings = record["settings"]
    height, width = settings["size"]
    return f"{settings['steps']} steps, {height} × {width} px, seed {settings['seed']}, {settings['parameterization']}"
