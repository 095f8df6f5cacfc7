"""Horama 0.3.0 (`fourier`; its `maco` has to download a spectrum), by its own defaults except for the pixels.

It knows no layers and makes one picture per call, so it is handed the network cut at the layer, once for each unit. Each of its
steps shows the network six crops.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks import torchvision_cpu
from benchmarks.jobs import Job
from benchmarks.networks import centre_of, channel_of, cut, directions_of, load_model

torchvision_cpu.importable()

horama: Any = importlib.import_module("horama")
common: Any = importlib.import_module("horama.common")
plots: Any = importlib.import_module("horama.plots")

if not torchvision_cpu.compiled():
    common.roi_align = torchvision_cpu.roi_align


def part(job: Job) -> Job:
    """What of a job is measured: one picture; they follow one another, so the others cost the same again."""
    return job.first(1)


def prepare(job: Job, device: str) -> Callable[[int], list[Tensor]]:
    """A function that makes the job's pictures in so many steps, one after the other."""
    network = load_model(job, device).network.eval()
    answer, (directions, _) = cut(network, job.layer), directions_of(job, network, device)

    def score(images: Tensor, unit: int) -> Tensor:
        maps = answer(images)
        if not job.icons:
            return channel_of(maps, unit).mean()
        centres = centre_of(maps)
        return horama.dot_cossim(centres, directions[job.units.index(unit)].expand_as(centres)).mean()

    def run(steps: int) -> list[Tensor]:
        return [
            _seen(
                *horama.fourier(
                    lambda images, unit=unit: score(images, unit),
                    total_steps=steps,
                    image_size=job.size if job.canvas is None else job.canvas,
                    model_input_size=job.size,
                    device=device,
                )
            )
            for unit in job.units
        ]

    return run


def _seen(image: Tensor, alpha: Tensor) -> Tensor:
    """The picture as its `plot_maco` shows it: without the outermost percent of values, faded where no crop cared."""
    picture = plots.normalize(plots.clip_percentile(plots.check_format(image), 1.0))
    weight = plots.check_format(alpha).mean(-1, keepdims=True)
    weight = weight.clip(None, torch.from_numpy(weight).quantile(0.8).item())
    weight = weight / weight.max()
    return torch.from_numpy(picture * weight + 1 - weight).permute(2, 0, 1)
