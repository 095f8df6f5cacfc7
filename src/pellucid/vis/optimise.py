"""The loop that makes pictures: canvas, transforms, network, score, gradient, step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import capture
from pellucid.models.fast import Fast, fast
from pellucid.models.model import OUTPUT, Model
from pellucid.models.relus import redirected_relu
from pellucid.vis.adam import Adam
from pellucid.vis.methods import Method
from pellucid.vis.objectives import IMAGE, Objective, scores
from pellucid.vis.packing import natural_portion, portions
from pellucid.vis.params import Canvas, Parameterization
from pellucid.vis.rising import rising
from pellucid.vis.transforms import Transform, over, over_background

Network = Callable[[Tensor, Sequence[str]], Mapping[str, Tensor]]  # like `capture`

MARGIN = 8 / 7  # the canvas in units of the picture (256 px for 224): its border, seldom seen by the network, stays outside
BACKGROUND = over_background()  # what shows through where a picture has opacity
PORTIONS = 4  # in which finished pictures are scored
DRAWS = 1  # the seed of all random transforms: with one draw for all, a picture does not depend on its batch mates


@dataclass(frozen=True)
class Job:
    """What to make: the pictures of one objective, from which noise or photo, how large."""

    objective: Objective
    seed: int
    attempt: int
    size: tuple[int, int]
    start: Float[Tensor, "c h w"] | None = None

    @property
    def pictures(self) -> int:
        return 1 if self.objective.pictures is None else self.objective.pictures

    def generators(self) -> list[torch.Generator]:
        """One for each picture."""
        seeds = (np.random.SeedSequence((self.seed, self.attempt, picture)) for picture in range(self.pictures))
        return [torch.Generator().manual_seed(int(each.generate_state(1)[0])) for each in seeds]  # torch reads 32 bits of a seed


@dataclass(frozen=True)
class Plan:
    """How the pictures of one size are made, with everything that a `Method` leaves open decided."""

    steps: int
    method: Method
    parameterization: Parameterization
    transforms: Sequence[Transform]
    learning_rate: tuple[float, float]
    autocast: bool
    snapshots: frozenset[int]

    def progress(self, step: int) -> float:
        return step / max(1, self.steps - 1)

    def rate(self, step: int) -> float:
        """Half a cosine from the first learning rate to the second."""
        first, last = self.learning_rate
        return last + (first - last) * (1 + math.cos(math.pi * self.progress(step))) / 2


@dataclass(frozen=True)
class Outcome:
    """One picture, its score, the score at every step, and how it looked after some of them."""

    image: Float[Tensor, "c h w"]
    score: float
    history: tuple[float, ...]
    snapshots: dict[int, Float[Tensor, "c h w"]]
    silent: bool  # no gradient of the network reached it at any step


class NotFinite(PellucidError):
    """A score that is no number: whose, and the last picture before it, None where there was none."""

    def __init__(self, message: str, job: Job, picture: Float[Tensor, "c h w"] | None) -> None:
        super().__init__(message)
        self.job, self.picture = job, picture


def finite(scores: Float[Tensor, " n"], jobs: Sequence[Job], when: str, good: Float[Tensor, "n c h w"] | None) -> list[float]:
    """The scores of the pictures of jobs as numbers.

    Args:
        scores: one for each picture.
        jobs: which they are of, in order.
        when: in words, for the error.
        good: the pictures before, None where there were none.

    Raises:
        NotFinite: one is no number.
    """
    values, each = scores.tolist(), [job for job in jobs for _ in range(job.pictures)]
    for index, value in enumerate(values):
        if not math.isfinite(value):
            last = None if good is None else good[index].float().contiguous().cpu()
            raise NotFinite(f"the score of {each[index].objective} {when} is {value}", each[index], last)
    return values


def has_bfloat16(model: Model) -> bool:
    """Whether the model's device multiplies bfloat16 in hardware; elsewhere it is emulated and slower than float32."""
    if model.dtype != torch.float32:
        return False
    if model.device.type == "cuda":
        return torch.cuda.get_device_capability(model.device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # not in every version of torch
    return model.device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


def optimise(model: Model, jobs: Sequence[Job], plan: Plan, tick: Callable[[int], None]) -> list[Outcome]:
    """The pictures of jobs of one size and one deepest layer, made in one batch, job by job.

    `tick` hears after each step how many pictures moved.

    Raises:
        NotFinite: a score is no number.
    """
    last = deepest(model, jobs[0])  # that of every job, so that no picture depends on its batch mates
    with torch.enable_grad(), rising(model, last), fast(model, bfloat16=plan.autocast) as network:
        studio = _Studio(model, jobs, plan, network)
        history = []
        for step in range(plan.steps):
            history.append(studio.step(step))
            tick(studio.count)
    return studio.outcomes(history)


def deepest(model: Model, job: Job) -> str:
    """The last layer that a job's objective reads; the network's output where it reads none."""
    return max(job.objective.layers - {IMAGE}, key=model.depth, default=OUTPUT)


class _Studio:
    """The canvases of one batch, and what changes them."""

    def __init__(self, model: Model, jobs: Sequence[Job], plan: Plan, network: Fast) -> None:
        self.model, self.plan, self.network, self.jobs, self.size = model, plan, network, jobs, jobs[0].size
        self.objectives = [_penalised(job.objective, plan.method.penalty) for job in jobs]
        self.counts = [job.pictures for job in jobs]
        self.count = sum(self.counts)
        self.portions = portions(self.counts, natural_portion(model, self.size))
        self.answered = torch.zeros(self.count, dtype=torch.bool)
        self.canvases = [self.canvas(block) for block in _blocks(jobs)]
        self.adam = Adam([param for canvas in self.canvases for param in canvas.params])
        self.draws = torch.Generator().manual_seed(DRAWS)
        self.good: Tensor | None = None  # the last pictures whose scores were numbers
        self.snapshots: dict[int, Tensor] = {}

    def canvas(self, jobs: Sequence[Job]) -> Canvas:
        height, width = (max(side, round(side * MARGIN / 8) * 8) for side in self.size)  # eights suit the Fourier transform
        noise = [generator for job in jobs for generator in job.generators()]
        canvas = self.plan.parameterization(
            len(noise), self.model.channels, height, width, generators=noise, device=self.model.device
        )
        starts = [job.start for job in jobs for _ in range(job.pictures)]
        if any(start is not None for start in starts):
            pictures = canvas.images().detach().clone()
            for index, start in enumerate(starts):
                if start is not None:
                    pictures[index] = 1  # the opacity, of which a start says nothing
                    pictures[index, : len(start)] = _padded(start.to(pictures), (height, width))
            self.put(canvas, pictures)
        return canvas

    def put(self, canvas: Canvas, pictures: Float[Tensor, "n c h w"]) -> None:
        if canvas.put is None:
            raise UsageError(f"{self.plan.parameterization!r} cannot be set to a picture; pixel and fourier can")
        with torch.no_grad():
            canvas.put(pictures)

    def images(self) -> Float[Tensor, "n c h w"]:
        parts = [canvas.images() for canvas in self.canvases]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def step(self, step: int) -> list[float]:
        """Move all pictures once; gives their scores before."""
        plan, progress = self.plan, self.plan.progress(step)
        images = self.images()
        if step in plan.snapshots:
            self.snapshots[step] = _middle(images.detach(), self.size).cpu()
        scores, gradient = self.descent(images.detach(), progress)
        values = finite(scores, self.jobs, f"at step {step}", self.good)
        self.good = _middle(images.detach(), self.size).half()  # without the border, and exact enough for what is to be looked at
        if plan.method.gradient_filter is not None:
            gradient = plan.method.gradient_filter(gradient, progress)
        _along(images, gradient).backward()
        self.adam.step(plan.rate(step))
        if plan.method.picture_filter is not None:
            for canvas in self.canvases:
                self.put(canvas, plan.method.picture_filter(canvas.images().detach(), progress))
        return values

    def descent(self, images: Float[Tensor, "n c h w"], progress: float) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
        """Each picture's score, and the gradient of its negative with respect to the canvas: means over the views."""
        objectives, views = [objective.at(progress) for objective in self.objectives], self.plan.method.views
        found, gradient = self.view(images.requires_grad_(), objectives)
        for _ in range(views - 1):
            more = self.view(images, objectives)
            found, gradient = found + more[0], gradient + more[1]
        return (found, gradient) if views == 1 else (found / views, gradient / views)

    def view(self, images: Tensor, objectives: Sequence[Objective]) -> tuple[Tensor, Tensor]:
        """Scores and gradient under one draw of the weights' noise and of the transforms."""
        noise = self.plan.method.weight_noise
        with self.network.perturbed(noise, self.draws) if noise else nullcontext():
            return self.drawn(images, objectives)

    def drawn(self, images: Tensor, objectives: Sequence[Objective]) -> tuple[Tensor, Tensor]:
        """Scores and gradient under one draw of the transforms."""
        seen = images
        for transform in self.plan.transforms:
            seen = transform(seen, self.draws)
        seen, picture = _middle(seen, self.size), _middle(images, self.size)
        if seen.shape[1] > self.model.channels:
            seen = BACKGROUND(seen, self.draws)
        seen = self.network.inputs(seen)
        scores, through, direct = self.gradients(seen.detach(), picture.detach(), objectives)
        pulled = _along(seen, through) if direct is None else _along(seen, through) + _along(picture, direct)
        (gradient,) = torch.autograd.grad(pulled, images)
        return scores, gradient

    def gradients(self, seen: Tensor, picture: Tensor, objectives: Sequence[Objective]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scores, and the gradients of their negatives with respect to what the network sees and to the pictures themselves."""
        found, through, direct = zip(*(self.portion(jobs, seen, picture, objectives) for jobs in self.portions), strict=True)
        if all(each is None for each in direct):
            return _joined(found), _joined(through), None
        pictures = picture.split([sum(self.counts[jobs]) for jobs in self.portions])
        direct = [torch.zeros_like(own) if each is None else each for each, own in zip(direct, pictures, strict=True)]
        return _joined(found), _joined(through), _joined(direct)

    def portion(
        self, jobs: slice, seen: Tensor, picture: Tensor, objectives: Sequence[Objective]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The same of some jobs, which go through the network together.

        A picture whose gradient is blocked wholly (a unit that is silent in the noise of the start) gets the redirected one. Unlike
        lucid, which redirects inside each layer for 16 steps, this costs nothing where no picture is silent.
        """
        first, counts, objectives = sum(self.counts[: jobs.start]), self.counts[jobs], objectives[jobs]
        own = slice(first, first + sum(counts))
        seen, picture = seen[own].requires_grad_(), picture[own].requires_grad_()
        found = score(self.network.answer, objectives, seen, picture)
        # of a loss, which is what `redirected_relu` is made for
        through, direct = torch.autograd.grad(-found.sum(), [seen, picture], allow_unused=True)
        if through is None:  # no objective reads the network
            return found.detach(), torch.zeros_like(seen), direct
        moved = _moved(through)
        self.answered[own] |= moved
        if not moved.all():
            redirected = self.redirected(objectives, [each.split(counts) for each in (seen, picture, moved)])
            through = torch.where(moved.to(through.device)[:, None, None, None], through, redirected)
        return found.detach(), through, direct

    def redirected(self, objectives: Sequence[Objective], parts: Sequence[Sequence[Tensor]]) -> Float[Tensor, "n c h w"]:
        """The redirected gradient of the jobs that hold a silent picture; zero for the others."""
        seen, picture, moved = parts
        silent = [index for index, each in enumerate(moved) if not each.all()]
        with redirected_relu():
            scores = score(
                self.network.answer,
                [objectives[index] for index in silent],
                torch.cat([seen[index] for index in silent]),
                torch.cat([picture[index].detach() for index in silent]),
            )
        gradients = torch.autograd.grad(-scores.sum(), [seen[index] for index in silent])
        found = dict(zip(silent, gradients, strict=True))
        return torch.cat([found.get(index, torch.zeros_like(each)) for index, each in enumerate(seen)])

    def outcomes(self, history: Sequence[Sequence[float]]) -> list[Outcome]:
        """What came out: the pictures as they are, scored without transforms and penalty, in full precision."""
        with torch.no_grad():
            final = _middle(self.images(), self.size).contiguous()
            if self.plan.steps in self.plan.snapshots:
                self.snapshots[self.plan.steps] = final.cpu()
            values = finite(self.scored(final), self.jobs, "of the finished picture", self.good)
        found = zip(final.cpu(), values, zip(*history, strict=True), self.answered.tolist(), strict=True)
        return [
            Outcome(image, score, curve, {step: kept[index] for step, kept in self.snapshots.items()}, silent=not answered)
            for index, (image, score, curve, answered) in enumerate(found)
        ]

    def scored(self, pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The scores of finished pictures, a few jobs at a time: full precision takes more memory than making them did."""
        flat = over(pictures, 0.5) if pictures.shape[1] > self.model.channels else pictures
        parts = zip(self.jobs, flat.split(self.counts), pictures.split(self.counts), strict=True)
        few = max(1, len(self.jobs) // PORTIONS)
        scores = []
        while some := list(islice(parts, few)):
            jobs, seen, own = zip(*some, strict=True)
            objectives = [job.objective.at(1.0) for job in jobs]
            scores.append(score(partial(capture, self.model), objectives, torch.cat(seen), torch.cat(own)))
        return torch.cat(scores)


def _blocks(jobs: Sequence[Job]) -> list[list[Job]]:
    """What shares a canvas: neighbouring single pictures for speed; a group alone, as a parameterization may share parts in it."""
    blocks: list[list[Job]] = []
    for alone, neighbours in groupby(jobs, key=lambda job: job.pictures == 1):
        run = list(neighbours)
        blocks += [run] if alone else [[job] for job in run]
    return blocks


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _penalised(objective: Objective, penalty: Objective | None) -> Objective:
    return objective if penalty is None else objective + penalty


def score(network: Network, objectives: Sequence[Objective], seen: Tensor, picture: Tensor) -> Float[Tensor, " n"]:
    """Each picture's score under its own objective; the forward pass ends at the last layer that any of them reads.

    Args:
        network: like `capture`.
        objectives: in the order of the pictures.
        seen: what the network is shown.
        picture: what objectives read under `IMAGE`.
    """
    layers = sorted(frozenset().union(*(objective.layers for objective in objectives)) - {IMAGE})
    return scores(objectives, {IMAGE: picture, **(network(seen, layers) if layers else {})})


def _along(values: Tensor, gradient: Tensor) -> Float[Tensor, ""]:
    """A number with this gradient with respect to values; torch, given gradients to start from, loads sympy first."""
    return _Along.apply(values, gradient)  # pyright: ignore[reportReturnType]


class _Along(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return values.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, one: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.gradient, None


def _moved(gradient: Float[Tensor, "n c h w"]) -> Bool[Tensor, " n"]:
    """Of which pictures the gradient is not zero everywhere. Their sums tell, at a fifth of the cost, unless one is zero."""
    sums = gradient.permute(2, 3, 0, 1).flatten(0, 1).sum(0).any(1)
    return (sums if sums.all() else gradient.flatten(1).any(1)).cpu()


def _middle(images: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    top, left = (max(0, have - want) // 2 for have, want in zip(images.shape[2:], size, strict=True))
    return images[:, :, top : top + size[0], left : left + size[1]]


def _padded(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c p q"]:
    """The picture in the middle of a larger canvas, mirrored around it."""
    rows, cols = (_mirrored(have, want, image.device) for have, want in zip(image.shape[1:], size, strict=True))
    return image[:, rows][:, :, cols]


def _mirrored(have: int, want: int, device: torch.device) -> Tensor:
    """For each of `want` places around a row of `have`, the place in the row that it mirrors.

    >>> _mirrored(3, 7, torch.device("cpu")).tolist()
    [1, 0, 0, 1, 2, 2, 1]
    """
    places = (torch.arange(want, device=device) - (want - have) // 2) % (2 * have)
    return torch.where(places < have, places, 2 * have - 1 - places)
