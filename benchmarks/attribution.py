"""`python -m benchmarks.attribution`: attributions beside bare passes of the same network."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import torch

import pellucid
from benchmarks.clock import in_turns, quotient
from benchmarks.jobs import PHOTOS, SQUEEZENET, TERRARIUM, Network
from benchmarks.memory import alone, peak, reset_peak
from benchmarks.table import Section, report, said
from pellucid.analysis.attribution import cam, grad_cam, integrated_gradients, saliency
from pellucid.models import Model, logit_attribution

ROUNDS, PICTURES, TARGET = 7, 8, 3
COLUMNS = ("attribution", "network", "beside", "ratio", "ms a picture", "MB")
NOTES = (
    f"{PICTURES} pictures together, the median of {ROUNDS} rounds in which all take turns, processor time. Forward, backward: the "
    "bare network in channels-last, by torch's own operators; backward is with respect to the pictures, forward pass included.",
    "All classes at one position: `logit_attribution`, which gives what the vector there gives to every class; with one backward "
    "pass for each class it would be as many of them as there are classes.",
    "MB: by how much the process grows at most beyond what one backward pass took.",
)
PAGE_COLUMNS = ("page", "s", "processor s")
PAGE_NOTES = (
    "`pellucid explain` of one photograph from beginning to end, start of the program included, with a thread for each core. No "
    "picture of a unit is there before: each is made.",
)


@click.command()
@click.option("--write", type=click.Path(exists=True, path_type=Path), help="A document that gets the table, too.")
def main(write: Path | None) -> None:
    """Each method's time as a ratio to a forward or a backward pass."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    networks = [(network.title, network.spec, layers) for network, layers in LAYERS.items() if network.available]
    sections = [Section(COLUMNS, list(said(line for each in networks for line in alone(measured, *each))), NOTES)]
    if PHOTOS.exists() and SQUEEZENET.available:
        sections.append(Section(PAGE_COLUMNS, list(said([explained(SQUEEZENET)])), PAGE_NOTES))
    report(sections, write)


LAYERS = {SQUEEZENET: ("features.3", "features.7", "features.12"), TERRARIUM: ("mixed3a", "mixed4b")}


def measured(title: str, spec: str, layers: tuple[str, ...]) -> list[list[str]]:
    torch.set_num_threads(1)
    model = pellucid.load(spec)
    images = torch.rand(PICTURES, model.channels, *model.size, generator=torch.Generator().manual_seed(0))
    target = pellucid.logit(TARGET)
    works: dict[str, tuple[str, Callable[[], object]]] = {
        "saliency": ("backward", partial(saliency, model, images, target)),
        "Grad-CAM": ("backward", partial(grad_cam, model, images, target)),
        "CAM": ("forward", partial(cam, model, images, target)),
    }
    for layer in layers:
        place = torch.tensor([model.layer(layer).height // 2, model.layer(layer).width // 2]).expand(PICTURES, 2)
        works[f"all classes at one position of {layer}"] = "forward", partial(logit_attribution, model, images, layer, place)
    bare = {"forward": partial(forward, model, images), "backward": partial(backward, model, images)}
    times = in_turns(bare | {name: work for name, (_, work) in works.items()}, ROUNDS)
    lines = [
        [name, title, beside, f"{quotient(times[name], times[beside]):.2f}", _each(times[name]), ""]
        for name, (beside, _) in works.items()
    ]
    return [*lines, paths(title, model, images, times["backward"])]


def paths(title: str, model: Model, images: torch.Tensor, backwards: list[float]) -> list[str]:
    """Integrated gradients of all pictures, whose points on the path are many more than memory shall hold at once."""
    backward(model, images)
    before = reset_peak()
    (times,) = in_turns({"": partial(integrated_gradients, model, images, pellucid.logit(TARGET))}, 1).values()
    grown = (peak() - before) / 1e6
    ratio = statistics.median(times) / statistics.median(backwards)
    return ["integrated gradients", title, "backward", f"{ratio:.1f}", _each(times), f"{grown:.0f}"]


def explained(network: Network) -> list[str]:
    """The page of a photograph, by the command line."""
    photo = sorted(PHOTOS.iterdir())[0]
    threads = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pellucid.cli", "explain", network.spec, str(photo), "-o", folder, "--quiet"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | threads)
        spent, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [f"{network.title}, 224 px", f"{spent:.0f}", f"{processor:.0f}"]


def _each(times: list[float]) -> str:
    return f"{1000 * statistics.median(times) / PICTURES:.1f}"


@torch.no_grad()
def forward(model: Model, images: torch.Tensor) -> None:
    model.network(model.preprocess(images).contiguous(memory_format=torch.channels_last))


def backward(model: Model, images: torch.Tensor) -> None:
    inputs = model.preprocess(images).contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.autograd.grad(model.network(inputs)[:, TARGET].sum(), inputs)


if __name__ == "__main__":
    main()
