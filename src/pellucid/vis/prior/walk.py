"""From noise to pictures, in steps between what a prior sees in the noise and what somebody wants to see."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.prior.prior import Prior

LOUD, QUIET, BEND = 5.0, 0.01, 5.0  # the noise at first and at last, and how its strengths lie between
CHURN = 2.0  # how fast noise is replaced by new noise, in units of how fast it falls; 1 would be DDPM, 0 DDIM
WAY = 6.4  # how far a climb goes in all steps together where there is no prior: root mean squares of a picture's values

Climb = Callable[[Float[Tensor, "n c h w"], int], Float[Tensor, "n c h w"]]


def sample_prior(prior: Prior, seeds: Sequence[int], *, steps: int = 64) -> Float[Tensor, "n c h w"]:
    """Pictures like those that a prior learned from, at its own size.

    Args:
        prior: from `train_prior`.
        seeds: one for each picture, from 0 up.
        steps: from 1; the more, the truer to the pictures.

    Raises:
        UsageError: a negative seed, or no steps.

    >>> from pellucid.vis.prior import train_prior
    >>> sample_prior(train_prior(torch.rand(8, 3, 16, 16), size=16, steps=2), [0, 1], steps=3).shape
    torch.Size([2, 3, 16, 16])
    """
    if steps < 1 or any(seed < 0 for seed in seeds):
        raise UsageError(f"steps must be at least 1 and seeds from 0 up, not {steps} and {list(seeds)}")
    return walk(prior, [torch.Generator().manual_seed(seed) for seed in seeds], steps=steps)


def walk(
    prior: Prior, generators: Sequence[torch.Generator], *, steps: int, strength: float = 1.0, climb: Climb | None = None
) -> Float[Tensor, "n c h w"]:
    """Estimate pictures again and again, under less and less noise.

    The estimate x moves by s (D(x + noise) - x), D being the denoiser, and by 1 - s up an objective: the rule of Nguyen et
    al. 2017, "Plug & Play Generative Networks" (equation 5), with e1 = s and e2 = 1 - s. With s = 1 it is a sampler of the
    prior (Karras et al. 2022, equation 6 with beta = CHURN times the rate at which sigma falls), with s = 0 gradient ascent.

    Args:
        prior: from `train_prior`.
        generators: one for each picture; all its noise comes from there.
        steps: from 1.
        strength: s, from 0 to 1.
        climb: from estimates and the number of the step to an objective's gradient; None where s = 1.

    Returns:
        Pictures in [0, 1], at the prior's size.
    """
    levels, noise = noise_levels(steps), _noise(prior, generators)
    estimate, noisy = (prior.grey + prior.spread * noise).clamp(0, 1), prior.grey + levels[0] * noise
    for step, (now, then) in enumerate(itertools.pairwise(levels)):
        noisy.requires_grad_(climb is not None)
        with torch.set_grad_enabled(climb is not None):
            denoised = prior.denoise(noisy, now).clamp(0, 1)
        estimate = torch.lerp(estimate, denoised.detach(), strength)
        if climb is not None:
            plain = climb(estimate, step)
            (through,) = torch.autograd.grad(denoised, noisy, plain)
            # up the gradient along both ways in which the estimate depends on the one before: straight, and by the denoiser
            way = _unit((1 - strength) * _unit(plain) + strength * _unit(through))
            rate = WAY / steps * (1 + math.cos(math.pi * step / max(1, steps - 1)))
            estimate = (estimate + (1 - strength) * rate * way).clamp(0, 1)
        kept = (then / now) ** CHURN
        noise = kept * (noisy - denoised).detach() + (1 - kept**2) ** 0.5 * now * _noise(prior, generators)
        noisy = estimate + then / now * noise
    return estimate


def noise_levels(steps: int) -> list[float]:
    """Falling strengths of noise, and 0 at the end (Karras et al. 2022, equation 5).

    >>> [round(sigma, 2) for sigma in noise_levels(4)]
    [5.0, 1.29, 0.2, 0.01, 0.0]
    """
    first, last = LOUD ** (1 / BEND), QUIET ** (1 / BEND)
    return [(first + (last - first) * step / max(1, steps - 1)) ** BEND for step in range(steps)] + [0.0]


def _noise(prior: Prior, generators: Sequence[torch.Generator]) -> Float[Tensor, "n c h w"]:
    shape = (prior.channels, prior.size, prior.size)
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(prior.device)


def _unit(gradient: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Each picture's gradient at a root mean square of 1; where it is zero, zero."""
    return gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-30)
