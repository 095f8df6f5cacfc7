"""`python -m benchmarks.collecting`: what collecting costs beside decoding the pictures and running the network alone."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import pellucid
from benchmarks.jobs import REAL, SQUEEZENET
from benchmarks.memory import alone, peak, reset_peak
from benchmarks.networks import cut
from pellucid.analysis.examples import TopExamples
from pellucid.analysis.observers import observers
from pellucid.data.stream import Sample, Stream

if TYPE_CHECKING:
    from pellucid.data.collect import Observer
    from pellucid.models import Model

PHOTOS = REAL.parent / "photos"
LAYERS = ("features.3", "features.7", "features.12")
EXAMPLES, BATCH = 9, 16
ROUNDS, FEW = 5, 400  # pictures a round
LENGTHS = (8_000, 80_000)  # pictures of collections whose memory is compared
COLUMNS = ("what", "ms a picture", "speed, of the limit's")


@click.command()
@click.option("--long/--short", default=True, help=f"Whether to collect {LENGTHS[1]:,} pictures too.")
def main(long: bool) -> None:
    """Speed beside the limit, which decodes and runs the network alone; memory for few and for many pictures."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    if not PHOTOS.exists():
        raise click.ClickException(f"the real photographs are not here: {PHOTOS}")
    table = Table(*COLUMNS, title=f"SqueezeNet at 224 px, {', '.join(LAYERS)}, {FEW} photographs a round, one thread")
    for row in alone(speed):
        table.add_row(*row)
    out = Console(width=140, highlight=False)
    out.print(table)
    for count in LENGTHS if long else LENGTHS[:1]:
        out.print(f"{count:,} pictures, 96 px, small network: the process grows by {alone(memory, count):.0f} MB")


def speed() -> list[list[str]]:
    """A line for each contestant, from the limit on."""
    torch.set_num_threads(1)
    model = pellucid.load(SQUEEZENET.spec)
    stream = repeated(pellucid.open_stream(PHOTOS, size=model.size), FEW)
    contestants: dict[str, Callable[[], None]] = {
        "decode and forward": partial(limit, model, stream),
        "collect": partial(collected, model, stream, list),
        f"collect with the {EXAMPLES} best of each channel": partial(collected, model, stream, best),
        "collect with all that a site needs": partial(collected, model, stream, partial(observers, EXAMPLES)),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if turn > 0:  # the first one warms up
                times[name].append(time.process_time() - start)
    limits = times["decode and forward"]
    return [
        [name, f"{1000 * statistics.median(own) / FEW:.1f}", f"{statistics.median(map(_quotient, limits, own)):.2f}"]
        for name, own in times.items()
    ]


def _quotient(limit: float, own: float) -> float:
    return limit / own


def memory(count: int) -> float:
    """MB by which the process grows at most while it collects so many pictures, beyond what the first part of them takes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.ReLU(), nn.Conv2d(16, 512, 3, 2), nn.ReLU())
    model = pellucid.load(network, size=96)
    stream = pellucid.open_stream(PHOTOS, size=model.size)
    layers = ["1", "3"]
    collected(model, repeated(stream, 512), partial(observers, EXAMPLES), layers)
    long = repeated(stream, count)
    before = reset_peak()
    collected(model, long, partial(observers, EXAMPLES), layers)
    return (peak() - before) / 1e6


def repeated(stream: Stream, count: int) -> Stream:
    """The pictures of a stream over and over again, each time under other names."""
    known = len(stream)
    samples = [
        Sample(index, f"{index // known}/{stream.samples[index % known].name}", stream.samples[index % known].label)
        for index in range(count)
    ]
    return replace(stream, samples=samples, read=lambda index: stream.read(index % known))


def limit(model: Model, stream: Stream) -> None:
    answer = cut(model.network, LAYERS[-1])
    with torch.inference_mode():
        for _, images in stream.batches(0, len(stream), batch=BATCH):
            answer(model.preprocess(images).contiguous(memory_format=torch.channels_last))


def best() -> list[Observer]:
    return [TopExamples(EXAMPLES)]


def collected(model: Model, stream: Stream, watch: Callable[[], Sequence[Observer]], layers: Sequence[str] = LAYERS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pellucid.collect(model, stream, layers, folder, batch=BATCH, attributions=False, observers=watch())


if __name__ == "__main__":
    main()
