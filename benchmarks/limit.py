"""The limit: forward and backward of the network cut at the layer with respect to its input, by torch's own operators.

Nothing else happens in a step: no picture is made from parameters, moved, scored or changed. Weights are frozen and lie, like the
input, channels-last in the type that is quicker on this machine: float32, or bfloat16 throughout.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.clock import now
from benchmarks.jobs import Job
from benchmarks.networks import cut, load_model


def part(job: Job) -> Job:
    """What of a job is measured: all of it."""
    return job


def prepare(job: Job, device: str) -> Callable[[int], list[Tensor]]:
    """A function that runs the job for so many steps; the pictures that come out have not changed."""
    network = load_model(job, device).network.eval().requires_grad_(False)
    quickest = min((torch.float32, torch.bfloat16), key=lambda dtype: _trial(network, job.first(job.batch), dtype, device))
    return lambda steps: _run(network, job, quickest, device, steps)


def _trial(network: nn.Module, job: Job, dtype: torch.dtype, device: str) -> float:
    """Seconds for some steps, the best of several tries."""
    tries = []
    for _ in range(4):
        start = now(device)
        _run(network, job, dtype, device, 2)
        tries.append(now(device) - start)
    return min(tries)


def _run(network: nn.Module, job: Job, dtype: torch.dtype, device: str, steps: int) -> list[Tensor]:
    typed: Any = copy.deepcopy(network)
    answer, pictures = cut(typed.to(dtype, memory_format=torch.channels_last), job.layer), []
    for batch in job.batches:
        images = torch.rand(len(batch), 3, job.size, job.size, device=device)
        images = images.to(dtype, memory_format=torch.channels_last).requires_grad_()
        for _ in range(steps):
            output = answer(images)
            torch.autograd.grad(output, images, torch.ones_like(output))
        pictures += images.detach().float().unbind()
    return pictures
