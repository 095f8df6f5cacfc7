"""Priors of which the truth is known, and a small one that has learned something."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.vis.prior import Prior, train_prior
from pellucid.vis.prior.denoiser import Denoiser


def gaussian(spread: float = 0.05, *, mean: tuple[float, ...] = (0.5, 0.5, 0.5)) -> Prior:
    """Of 8 px pictures whose values are independent and normal: an untrained network denoises them as well as can be."""
    return Prior(Denoiser(len(mean)).requires_grad_(False), 8, mean, spread, {})


@cache
def learned() -> Prior:
    """Of plain colours, in a few steps: what it answers depends on the picture and on the noise."""
    return train_prior(colours(256, 0), size=8, steps=20, autocast=False)


def colours(count: int, seed: int) -> Float[Tensor, "n 3 8 8"]:
    """Pictures of one random colour each."""
    return torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(seed)).expand(-1, -1, 8, 8)
