"""Pictures between what units want and what pictures are like."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.fast import Fast, fast
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective, parse_unit
from pellucid.vis.optimise import Job, Network, NotFinite, finite, has_bfloat16, score
from pellucid.vis.packing import first, natural_batch
from pellucid.vis.prior.prior import Prior
from pellucid.vis.prior.walk import walk
from pellucid.vis.rendering import Diverged, Rendering, common_settings


def sample(
    model: Model,
    objectives: Sequence[str | Objective],
    prior: Prior,
    *,
    strength: float = 0.8,
    steps: int = 64,
    seeds: int | Sequence[int] = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Rendering]:
    """Pictures that excite units and look like those that a prior learned from.

    Nguyen et al. 2017, "Plug & Play Generative Networks": each step goes a part of the way to what the prior makes of the
    picture under noise, and another part up the objective's gradient (`walk`). The network sees the estimate without noise,
    at its own size. On a CPU the same call gives the same bits; the more steps, the finer.

    Args:
        model: the network; left as it was, also after an exception.
        objectives: units as text (`layer:channel`, `class:name`) or objectives.
        prior: from `train_prior`, on the model's device and of its channels.
        strength: from 0, the objective alone, which finds adversarial pictures, to 1, the prior alone, which draws pictures
            without a look at the objective.
        steps: from 1.
        seeds: one from 0 up for all pictures, or one for each objective.
        progress: called with the steps of single pictures that are done, and their total.

    Returns:
        One rendering per objective, at the model's size; of an objective that speaks about several pictures, so many in a row.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range, or a prior that does not fit the model.
        Diverged: a score is no number; the pictures of the batches before are in the exception.

    >>> from torch import nn
    >>> import pellucid.models as models
    >>> from pellucid.vis.prior import train_prior
    >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=16)
    >>> prior = train_prior(torch.rand(8, 3, 16, 16), size=16, steps=2)
    >>> [tuple(rendering.image.shape) for rendering in sample(model, ["1:2", "1:3"], prior, steps=2)]
    [(3, 16, 16), (3, 16, 16)]
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength must be from 0 (the objective alone) to 1 (the prior alone), not {strength}")
    if steps < 1:
        raise UsageError(f"steps must be at least 1, not {steps}")
    check_prior(prior, model)
    units = [parse_unit(each, model) if isinstance(each, str) else each for each in objectives]
    each_seed = [seeds] * len(units) if isinstance(seeds, int) else list(seeds)
    if len(each_seed) != len(units) or any(seed < 0 for seed in each_seed):
        raise UsageError(f"seeds must be one number from 0 up, or one for each of the {len(units)} objectives, not {seeds!r}")
    jobs = [Job(unit, seed, 0, model.size) for unit, seed in zip(units, each_seed, strict=True)]
    settings = common_settings(model) | {"prior": repr(prior), "strength": strength, "steps": steps, "size": list(model.size)}
    done, total = 0, steps * sum(job.pictures for job in jobs)

    def tick(pictures: int) -> None:
        nonlocal done
        done += pictures
        if progress is not None:
            progress(done, total)

    made: list[Rendering] = []
    with fast(model, bfloat16=has_bfloat16(model)) as network:
        for chunk in _chunks(model, jobs):
            ascent = _Ascent(network, chunk, steps, tick)
            generators = [generator for job in chunk for generator in job.generators()]
            try:
                found = walk(prior, generators, steps=steps, strength=strength, climb=ascent.climb)
                made += ascent.renderings(model, found, settings)
            except NotFinite as error:
                raise _diverged(error, jobs, made) from error
    return made


def _diverged(error: NotFinite, jobs: Sequence[Job], made: Sequence[Rendering]) -> Diverged:
    before = itertools.takewhile(lambda job: job is not error.job, jobs)
    missing = sum(job.pictures for job in jobs) - len(made)
    return Diverged(str(error), [*made, *[None] * missing], sum(job.pictures for job in before), error.picture)


class _Ascent:
    """What the objectives of one batch want."""

    def __init__(self, network: Fast, jobs: Sequence[Job], steps: int, tick: Callable[[int], None]) -> None:
        self.network, self.jobs, self.steps, self.tick = network, jobs, steps, tick
        self.count = sum(job.pictures for job in jobs)
        self.answered = torch.zeros(self.count, dtype=torch.bool)
        self.history: list[list[float]] = []
        self.good: Tensor | None = None  # the last pictures whose scores were numbers

    def climb(self, estimate: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """The gradient of each picture's score."""
        with torch.enable_grad():
            leaf = estimate.detach().requires_grad_()
            images = _sized(leaf, self.jobs[0].size)
            scores = self.scores(self.network, images, step / max(1, self.steps - 1))
            values = finite(scores, self.jobs, f"at step {step}", self.good)
            (gradient,) = torch.autograd.grad(scores.sum(), leaf)
        self.answered |= gradient.flatten(1).any(1).cpu()
        self.good = images.detach().clamp(0, 1)
        self.history.append(values)
        self.tick(self.count)
        return gradient

    def scores(self, network: Network, images: Float[Tensor, "n c h w"], progress: float) -> Float[Tensor, " n"]:
        return score(network, [job.objective.at(progress) for job in self.jobs], images, images)

    def renderings(self, model: Model, estimate: Float[Tensor, "n c h w"], settings: dict[str, Any]) -> Iterator[Rendering]:
        """The finished pictures, scored in full precision."""
        with torch.no_grad():
            images = _sized(estimate, self.jobs[0].size)
            finals = finite(self.scores(partial(capture, model), images, 1.0), self.jobs, "of the finished picture", self.good)
        each = [job for job in self.jobs for _ in range(job.pictures)]
        found = zip(each, images.cpu(), finals, zip(*self.history, strict=True), self.answered.tolist(), strict=True)
        for job, image, final, history, answered in found:
            own = {"objective": job.objective.name, "seed": job.seed}
            yield Rendering(image, job.objective.name, final, history, settings | own, silent=not answered)


def check_prior(prior: Prior, model: Model) -> None:
    """Say so where a prior does not fit a model.

    Raises:
        UsageError: it knows pictures of other channels, or is on another device.
    """
    if prior.channels != model.channels:
        raise UsageError(f"the prior knows pictures of {prior.channels} channels, {model.name} takes {model.channels}")
    if prior.device != model.device:
        raise UsageError(
            f"the prior is on {prior.device}, {model.name} on {model.device}: load the prior with device={str(model.device)!r}"
        )


def _chunks(model: Model, jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """As many jobs at once as the device holds."""
    limit, rest = natural_batch(model, model.size, len(model.layers)), list(jobs)
    while rest:
        taken = len(first(range(len(rest)), [job.pictures for job in rest], limit))
        yield rest[:taken]
        rest = rest[taken:]


def _sized(images: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    if tuple(images.shape[2:]) == size:
        return images
    return F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
