"""`python -m benchmarks.collecting`: what collecting costs beside decoding the pictures and running the network alone."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch
from torch import nn

import pellucid
from benchmarks.clock import in_turns, quotient
from benchmarks.jobs import PHOTOS, SQUEEZENET
from benchmarks.memory import alone, peak, reset_peak
from benchmarks.networks import cut
from benchmarks.table import Section, report, said
from pellucid.analysis.examples import TopExamples
from pellucid.analysis.observers import observers
from pellucid.data.stream import Sample, Stream

if TYPE_CHECKING:
    from pellucid.data.collect import Observer
    from pellucid.models import Model

LAYERS = ("features.3", "features.7", "features.12")
EXAMPLES, BATCH = 9, 16
ROUNDS, FEW = 5, 400  # pictures a round
SHORT, LONG = 8_000, 80_000  # pictures of collections whose memory is compared
COLUMNS = ("collecting", "pictures", "ms a picture", "of the limit's speed", "MB")
NOTES = (
    f"SqueezeNet at 224 px, {len(LAYERS)} layers ({', '.join(LAYERS)}); the real photographs over and over again. The limit "
    "decodes them and runs the network, channels-last, as far as the last of these layers. Processor time, the median of "
    f"{ROUNDS} rounds of {FEW} pictures in which all take turns.",
    "MB: by how much the process grows at most beyond what a collection of 512 pictures took, with a small network at 96 px.",
)


@click.command()
@click.option("--long/--short", default=True, help=f"Whether to collect {LONG:,} pictures too.")
@click.option("--write", type=click.Path(exists=True, path_type=Path), help="A document that gets the table, too.")
def main(long: bool, write: Path | None) -> None:
    """Speed beside the limit, which decodes and runs the network alone; memory for few and for many pictures."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    if not PHOTOS.exists():
        raise click.ClickException(f"the real photographs are not here: {PHOTOS}")
    lines = list(said(alone(speed)))
    lines += said(
        ["all that a site needs", f"{count:,}", "", "", f"{alone(memory, count):.0f}"] for count in (SHORT, LONG)[: 1 + long]
    )
    report([Section(COLUMNS, lines, NOTES)], write)


def speed() -> list[list[str]]:
    """A line for each contestant, from the limit on."""
    torch.set_num_threads(1)
    model = pellucid.load(SQUEEZENET.spec)
    stream = repeated(pellucid.open_stream(PHOTOS, size=model.size), FEW)
    contestants: dict[str, Callable[[], None]] = {
        "decode and forward": partial(limit, model, stream),
        "samples": partial(collected, model, stream, list),
        f"and the {EXAMPLES} best of each channel": partial(collected, model, stream, best),
        "all that a site needs": partial(collected, model, stream, partial(observers, EXAMPLES)),
    }
    times = in_turns(contestants, ROUNDS)
    limits = next(iter(times.values()))
    return [
        [name, f"{FEW:,}", f"{1000 * statistics.median(own) / FEW:.1f}", f"{quotient(limits, own):.2f}", ""]
        for name, own in times.items()
    ]


def memory(count: int) -> float:
    """MB by which the process grows at most while it collects so many pictures, beyond what the first part of them takes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.ReLU(), nn.Conv2d(16, 512, 3, 2), nn.ReLU())
    model, layers = pellucid.load(network, size=96), ["1", "3"]
    stream, watch = pellucid.open_stream(PHOTOS, size=model.size), partial(observers, EXAMPLES)
    collected(model, repeated(stream, 512), watch, layers)
    long = repeated(stream, count)
    before = reset_peak()
    collected(model, long, watch, layers)
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
