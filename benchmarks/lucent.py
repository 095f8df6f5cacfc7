"""torch-lucent 0.1.8 (Lucid's port to PyTorch), by its own defaults except for the pixels that its picture and the network get."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import torchvision_cpu
from benchmarks.jobs import Job
from benchmarks.networks import centre_of, channel_of, directions_of, load_model

torchvision_cpu.importable()

objectives: Any = importlib.import_module("lucent.optvis.objectives")
param: Any = importlib.import_module("lucent.optvis.param")
render_vis: Any = importlib.import_module("lucent.optvis.render").render_vis


def part(job: Job) -> Job:
    """What of a job is measured: one batch; they follow one another, so the others cost the same again."""
    return job.first(job.batch)


def prepare(job: Job, device: str) -> Callable[[int], list[Tensor]]:
    """A function that makes the job's pictures in so many steps, a batch at a time."""
    network = load_model(job, device).network.eval()
    directions, tokens = directions_of(job, network, device)

    def goal(place: int, unit: int) -> Any:
        """What picture `place` of a batch is for; its own objectives know maps, but not tokens."""
        name = "labels" if job.layer == "logits" else job.layer.replace(".", "_")
        direction = directions[job.units.index(unit)]
        if tokens:
            score = _towards(direction) if job.icons else lambda maps: channel_of(maps, unit).mean()
            return objectives.Objective(lambda seen: -score(seen(name)[place : place + 1]))
        if job.icons:
            return objectives.direction_neuron(name, direction, batch=place)
        return objectives.channel(name, unit, batch=place)

    def run(steps: int) -> list[Tensor]:
        return [
            picture
            for batch in job.batches
            for picture in _batch(network, [goal(place, unit) for place, unit in enumerate(batch)], job.size, steps)
        ]

    return run


def _towards(direction: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda maps: torch.cosine_similarity(centre_of(maps), direction[None]).mean()


def _batch(network: nn.Module, goals: list[Any], size: int, steps: int) -> list[Tensor]:
    made = render_vis(
        network,
        objectives.Objective.sum(goals),
        lambda: param.image(size, batch=len(goals)),
        thresholds=(steps,),
        fixed_image_size=size,
        progress=False,
        show_image=False,
    )
    for module in network.modules():  # it never takes its hooks off, and each further call would be slower
        module._forward_hooks.clear()
    return list(torch.from_numpy(made[-1]).permute(0, 3, 1, 2))
