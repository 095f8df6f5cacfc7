"""`python -m benchmarks.sheets -o DIR`: the same units by pellucid, Lucent and Horama, one above the other, for looking."""

from __future__ import annotations

import csv
import os
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console

from benchmarks.jobs import REAL, SQUEEZENET, TERRARIUM, Job
from benchmarks.measure import CONTESTANTS, PEERS
from benchmarks.worker import Unable, Worker
from pellucid.terrarium.world import CLASSES as WORLD

CLASSES = ("ostrich", "flamingo", "lion", "zebra", "balloon", "volcano")
CELL, HEAD, GAP = 224, 18, 6  # pixels of a picture, of the line above it and between pictures


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the sheets.")
@click.option("--network", type=click.Choice(["squeezenet", "terrarium"]), default="squeezenet", show_default=True)
@click.option("--layer", "layers", multiple=True, help="Only these layers; `logits` has the classes.")
@click.option("--tool", "tools", type=click.Choice(PEERS), multiple=True, default=PEERS, help="Only these tools.")
@click.option("--units", type=click.IntRange(1, 24), default=6, show_default=True, help="Of each layer.")
@click.option("--ours-steps", type=click.IntRange(1), default=128, show_default=True)
@click.option("--lucent-steps", type=click.IntRange(1), default=512, show_default=True)
@click.option("--horama-steps", type=click.IntRange(1), default=128, show_default=True, help="By its own default 1000.")
@click.option("--horama-pixels", type=click.IntRange(64), default=512, show_default=True, help="By its own default 1280.")
def main(
    output: Path,
    network: str,
    layers: tuple[str, ...],
    tools: tuple[str, ...],
    units: int,
    ours_steps: int,
    lucent_steps: int,
    horama_steps: int,
    horama_pixels: int,
) -> None:
    """A sheet for each layer and one for the classes: a row for each tool, a column for each unit."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    log, steps = Console(stderr=True, markup=False), {"ours": ours_steps, "lucent": lucent_steps, "horama": horama_steps}
    output.mkdir(parents=True, exist_ok=True)
    for job, labels in _sheets(network, units):
        if layers and job.layer not in layers:
            continue
        rows = {}
        for tool in tools:
            start = time.monotonic()
            with Worker(tool, "cpu") as worker:
                try:
                    pictures = worker.ask("pictures", replace(job, canvas=horama_pixels), steps[tool])
                except Unable as error:
                    log.print(f"{CONTESTANTS[tool]} cannot: {error}")
                    continue
            rows[f"{CONTESTANTS[tool]}, {steps[tool]} steps, {pictures[0].shape[-1]} px"] = pictures
            log.print(f"{job.what}: {CONTESTANTS[tool]}, {time.monotonic() - start:.0f} s")
        sheet(rows, labels).save(output / f"{network}-{job.layer}.png")


def sheet(rows: dict[str, list[np.ndarray]], labels: list[str]) -> Image.Image:
    """Pictures c h w in [0, 1] with a title above each row and a label above each column."""
    side = CELL + GAP
    page = Image.new("RGB", (side * len(labels) + GAP, HEAD + len(rows) * (side + HEAD)), "white")
    draw = ImageDraw.Draw(page)
    for col, label in enumerate(labels):
        draw.text((GAP + col * side, 3), label, "black")
    for row, (title, pictures) in enumerate(rows.items()):
        top = HEAD + row * (side + HEAD)
        draw.text((GAP, top + 3), title, "black")
        for col, picture in enumerate(pictures):
            pixels = (picture.clip(0, 1).transpose(1, 2, 0) * 255).round().astype(np.uint8)
            page.paste(Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.LANCZOS), (GAP + col * side, top + HEAD))
    return page


def _sheets(network: str, units: int) -> list[tuple[Job, list[str]]]:
    """The jobs, and the labels of their pictures."""
    if network == "terrarium":
        jobs = [Job(TERRARIUM, layer, tuple(range(3, 3 + 5 * units, 5)), 96) for layer in ("mixed3b", "mixed4a", "mixed4b")]
        classes = dict(enumerate(WORLD[:units]))
    else:
        jobs = [Job(SQUEEZENET, f"features.{index}", tuple(range(3, 3 + 5 * units, 5)), 224) for index in (3, 7, 12)]
        classes = _named_classes(units)
    channels = [(job, [f"channel {unit}" for unit in job.units]) for job in jobs]
    return [*channels, (replace(jobs[0], layer="logits", units=tuple(classes)), list(classes.values()))]


def _named_classes(units: int) -> dict[int, str]:
    with (REAL.parent / "imagenet_classes.csv").open(encoding="utf-8") as file:
        names = {row["name"].split(",")[0]: int(row["class_index"]) for row in csv.DictReader(file)}
    return {names[name]: name for name in CLASSES[:units]}


if __name__ == "__main__":
    main()
