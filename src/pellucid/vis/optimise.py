"""The loop that makes pictures: canvas, transforms, network, score, gradient, step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.models.capture import capture
from pellucid.models.gradients import redirected_relu
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective
from pellucid.vis.params import Parameterization
from pellucid.vis.transforms import Transform, robust

MARGIN = 8 / 7  # the canvas in units of the picture (256 px for 224): its border, seldom seen by the network, stays outside

Outcome = tuple[Float[Tensor, "c h w"], float, tuple[float, ...]]  # the picture, its score, the score at every step


@dataclass(frozen=True)
class Job:
    """One picture to make: what for, from which noise, how large."""

    objective: Objective
    seed: int
    attempt: int
    size: tuple[int, int]

    def generator(self) -> torch.Generator:
        mixed = np.random.SeedSequence((self.seed, self.attempt)).generate_state(1)  # torch reads only 32 bits of a seed
        return torch.Generator().manual_seed(int(mixed[0]))


@dataclass(frozen=True)
class Plan:
    """How pictures are made, the same for all jobs of a `render`."""

    steps: int
    parameterization: Parameterization
    transforms: Sequence[Transform] | None
    learning_rate: tuple[float, float]
    autocast: bool

    def stack(self, size: tuple[int, int]) -> Sequence[Transform]:
        return (robust(size),) if self.transforms is None else self.transforms

    def rate(self, step: int) -> float:
        """Half a cosine from the first learning rate to the second."""
        first, last = self.learning_rate
        return last + (first - last) * (1 + math.cos(math.pi * step / max(1, self.steps - 1))) / 2


def has_bfloat16(model: Model) -> bool:
    """Whether the model's device multiplies bfloat16 in hardware; elsewhere it is emulated and slower than float32."""
    if model.dtype != torch.float32:
        return False
    if model.device.type == "cuda":
        return torch.cuda.get_device_capability(model.device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # not in every version of torch
    return model.device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


@torch.enable_grad()
def optimise(model: Model, jobs: Sequence[Job], plan: Plan, tick: Callable[[int], None]) -> list[Outcome]:
    """The pictures of jobs of one size, made in one batch; `tick` hears after each step how many pictures moved."""
    size, objectives = jobs[0].size, [job.objective for job in jobs]
    canvas = [max(side, round(side * MARGIN / 8) * 8) for side in size]  # in eights, which suit the Fourier transform
    generators = [job.generator() for job in jobs]
    transforms = plan.stack(size)
    params, images_of = plan.parameterization(len(jobs), model.channels, *canvas, generators=generators, device=model.device)
    # Next to a vanishing epsilon only the direction of a gradient counts: redirected ones can be as small as 1e-10.
    adam = torch.optim.Adam(params, eps=1e-16, fused=model.device.type in ("cpu", "cuda"))
    history = []
    for step in range(plan.steps):
        images = images_of()
        for transform in transforms:
            images = transform(images, generators)
        images = _middle(images, size)
        scores, gradient = _descent(model, objectives, images, autocast=plan.autocast)
        history.append(_finite(scores, objectives, f"at step {step}"))
        adam.param_groups[0]["lr"] = plan.rate(step)
        adam.zero_grad()
        images.backward(gradient)
        adam.step()
        tick(len(jobs))
    with torch.no_grad():
        final = _middle(images_of(), size)
        scores = _finite(_scores(model, objectives, final, autocast=False), objectives, "of the finished picture")
    return list(zip(final.contiguous().cpu(), scores, zip(*history, strict=True), strict=True))


def _descent(
    model: Model, objectives: Sequence[Objective], images: Float[Tensor, "n c h w"], *, autocast: bool
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c h w"]]:
    """Each picture's score, and the gradient of its negative with respect to the picture.

    A picture whose gradient is blocked wholly (a unit that is silent in the noise of the start) gets the redirected one. Unlike
    lucid, which redirects inside each layer for 16 steps, this costs nothing where no picture is silent.
    """
    leaf = images.detach().requires_grad_()
    scores = _scores(model, objectives, leaf, autocast=autocast)
    (gradient,) = torch.autograd.grad(-scores.sum(), leaf)  # of a loss, which is what `redirected_relu` is made for
    silent = [index for index, moves in enumerate(gradient.flatten(1).any(1).tolist()) if not moves]
    if silent:
        with redirected_relu():
            again = _scores(model, [objectives[index] for index in silent], leaf[silent], autocast=autocast)
        (redirected,) = torch.autograd.grad(-again.sum(), leaf)
        gradient = gradient + redirected
    return scores.detach(), gradient


def _scores(
    model: Model, objectives: Sequence[Objective], images: Float[Tensor, "n c h w"], *, autocast: bool
) -> Float[Tensor, " n"]:
    """Each picture's score under its own objective; the forward pass ends at the last layer that any of them reads."""
    layers = sorted(frozenset().union(*(objective.layers for objective in objectives)))
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
        seen = capture(model, images, layers)
    single = {name: maps.float().split(1) for name, maps in seen.items()}
    return torch.cat([objective({name: single[name][i] for name in layers}) for i, objective in enumerate(objectives)])


def _finite(scores: Float[Tensor, " n"], objectives: Sequence[Objective], when: str) -> list[float]:
    values = scores.tolist()
    for value, objective in zip(values, objectives, strict=True):
        if not math.isfinite(value):
            raise PellucidError(f"the score of {objective} {when} is {value}; check the weights, or lower the learning rate")
    return values


def _middle(images: Float[Tensor, "n c h w"], size: tuple[int, int]) -> Float[Tensor, "n c p q"]:
    top, left = (max(0, have - want) // 2 for have, want in zip(images.shape[2:], size, strict=True))
    return images[:, :, top : top + size[0], left : left + size[1]]
