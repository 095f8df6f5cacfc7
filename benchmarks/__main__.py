"""What an optimisation step costs, as a ratio to its limit: a pure forward and backward pass of the network cut at the layer.

Both run the same pictures, dtype and memory layout; rounds alternate, and medians of process time on one thread are compared,
so that other work on the machine moves both alike.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from pellucid.models import Model, capture, load, prepared
from pellucid.vis import parse_unit, render
from pellucid.vis.optimise import has_bfloat16

REAL = Path(os.environ.get("PELLUCID_REAL", "../shared/real"))  # real networks, where a developer has them
ROUNDS, STEPS, BATCH = 5, 32, 8

Job = tuple[str, str, list[str], int]  # network, what, units, pixels


def jobs() -> list[Job]:
    known: list[Job] = [
        ("terrarium", "16 channels of mixed4a", [f"mixed4a:{index}" for index in range(0, 160, 10)], 96),
        ("terrarium", "8 class logits", [f"class:{index}" for index in range(8)], 96),
    ]
    squeezenet = REAL / "models" / "squeezenet.py"
    if squeezenet.exists():
        known += [
            (f"{squeezenet}:load", "16 channels of features.7", [f"features.7:{index}" for index in range(0, 256, 16)], 224),
            (f"{squeezenet}:load", "8 class logits", [f"class:{index}" for index in range(0, 800, 100)], 224),
        ]
    return known


def limit(model: Model, units: list[str], size: int) -> None:
    """Forward and backward to the input, as often as `render` does them."""
    objectives = [parse_unit(each, model) for each in units]
    layers = sorted(frozenset().union(*(each.layers for each in objectives)))
    images = torch.rand(BATCH, model.channels, size, size).contiguous(memory_format=torch.channels_last)
    with prepared(model):
        for _ in range(STEPS * len(units) // BATCH):
            images = images.detach().requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(model)):
                score = torch.stack([maps.float().mean() for maps in capture(model, images, layers).values()]).sum()
            torch.autograd.grad(score, images)


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    table = Table("network", "work", "px", "limit, ms a step", "render, ms a step", "ratio", box=None)
    for spec, what, units, size in jobs():
        model = load(spec)
        works = [
            lambda m=model, u=units, s=size: limit(m, u, s),
            lambda m=model, u=units, s=size: render(m, u, size=s, steps=STEPS, batch=BATCH),
        ]
        rounds = [[timed(work) for work in works] for _ in range(ROUNDS + 1)][1:]  # the first one warms up
        base, ours = (statistics.median(each) for each in zip(*rounds, strict=True))
        ratio = statistics.median(ours / base for base, ours in rounds)
        table.add_row(model.name, what, str(size), f"{base / STEPS * 1e3:.0f}", f"{ours / STEPS * 1e3:.0f}", f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
