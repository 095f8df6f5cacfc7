"""pellucid, by its own defaults."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from benchmarks.jobs import Job
from benchmarks.networks import load_model
from pellucid.atlas.icons import render_icons
from pellucid.models import Model
from pellucid.vis import render


def part(job: Job) -> Job:
    """What of a job is measured: all of it."""
    return job


def prepare(job: Job, device: str) -> Callable[[int], list[Tensor]]:
    """A function that makes the job's pictures in so many steps."""
    model = load_model(job, device)
    return (lambda steps: _icons(model, job, steps)) if job.icons else (lambda steps: _units(model, job, steps))


def _units(model: Model, job: Job, steps: int) -> list[Tensor]:
    kind = "class" if job.layer == "logits" else job.layer
    units = [f"{kind}:{unit}" for unit in job.units]
    return [each.image for each in render(model, units, size=job.size, steps=steps, batch=job.batch)]


def _icons(model: Model, job: Job, steps: int) -> list[Tensor]:
    means = job.directions(model.layer(job.layer).channels)
    icons = render_icons(model, job.layer, means, size=(job.size, job.size), steps=steps, batch=job.batch)
    return [each.rendering.image for each in icons]
