"""From noise to pictures."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from tests.vis.prior.known import gaussian, learned
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.prior import Prior, sample_prior
from pellucid.vis.prior.walk import CHURN, noise_levels, walk


def seeded(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def drawn(generators: list[torch.Generator]) -> Tensor:
    return torch.stack([torch.randn(3, 8, 8, generator=generator) for generator in generators])


def test_noise_falls_as_published() -> None:
    levels = noise_levels(9)
    assert levels[0] == pytest.approx(5) and levels[-2] == pytest.approx(0.01) and levels[-1] == 0
    roots = [level**0.2 for level in levels[:-1]]
    assert [b - a for a, b in itertools.pairwise(roots)] == pytest.approx([(0.01**0.2 - 5**0.2) / 8] * 8)


def test_samples_of_a_prior_are_spread_like_its_pictures_the_better_the_more_steps() -> None:
    def gap(steps: int) -> float:
        values = sample_prior(gaussian(), range(16), steps=steps)
        assert values.mean().item() == pytest.approx(0.5, abs=3e-3)
        assert torch.corrcoef(values.flatten(1)).fill_diagonal_(0).abs().max() < 0.4
        return abs(values.std().item() / 0.05 - 1)

    few, many = gap(64), gap(512)
    assert many < 0.05 and many < few / 2


def test_without_new_noise_sampling_is_the_probability_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Euler integration of dx/dsigma = (x - D(x)) / sigma (Karras et al. 2022, equation 3) gives the same pictures."""
    monkeypatch.setattr("pellucid.vis.prior.walk.CHURN", 0.0)
    prior, x = gaussian(), 0.5 + 5.0 * drawn(seeded(2))
    for now, then in itertools.pairwise(noise_levels(7)):
        x = x + (then - now) * (x - prior.denoise(x, now)) / now
    torch.testing.assert_close(walk(prior, seeded(2), steps=7), x)


def test_a_step_of_sampling_is_a_step_of_the_flow_and_one_of_langevin(monkeypatch: pytest.MonkeyPatch) -> None:
    """For small steps: Karras et al. 2022, equation 6, with the score (D(x) - x) / sigma² and beta = CHURN / sigma."""
    monkeypatch.setattr("pellucid.vis.prior.walk.noise_levels", lambda steps: [1.0, 0.999, 0.0])
    prior, seen = gaussian(), []
    denoise = Prior.denoise

    def listen(self: Prior, images: Tensor, sigma: float) -> Tensor:
        seen.append(images)
        return denoise(self, images, sigma)

    monkeypatch.setattr(Prior, "denoise", listen)
    walk(prior, seeded(2), steps=2)
    generators = seeded(2)
    x, fresh = 0.5 + drawn(generators), drawn(generators)
    score = denoise(prior, x, 1.0) - x
    langevin = 0.001 * CHURN * score + math.sqrt(2 * 0.001 * CHURN) * fresh
    torch.testing.assert_close(seen[1] - seen[0], 0.001 * score + langevin, atol=3e-4, rtol=1e-2)


def test_without_the_prior_it_is_gradient_ascent() -> None:
    prior, length = gaussian(), [6.4 / 5 * (1 + math.cos(math.pi * step / 4)) for step in range(5)]
    x = (0.5 + 0.05 * drawn(seeded(2))).clamp(0, 1)
    for step in range(5):
        gradient = (step + 1) * (0.7 - x)
        x = (x + length[step] * gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt()).clamp(0, 1)
    walked = walk(prior, seeded(2), steps=5, strength=0.0, climb=lambda x, step: (step + 1) * (0.7 - x))
    torch.testing.assert_close(walked, x)


def test_between_the_two_the_objective_also_climbs_through_the_denoiser() -> None:
    """One step, with the gradient of f(lerp(x, D(noisy), s)) taken by finite differences along each way."""
    wanted = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(7)).double()
    prior = learned()
    exact = Prior(copy.deepcopy(prior.network).double(), 8, prior.mean, prior.spread, {})
    noise, grey = drawn(seeded(1)).double(), exact.grey.double()
    start, noisy = (grey + prior.spread * noise).clamp(0, 1), grey + 5.0 * noise

    def moved(start: Tensor, noisy: Tensor) -> Tensor:
        return torch.lerp(start, exact.denoise(noisy, 5.0).clamp(0, 1), 0.4)

    def score(start: Tensor, noisy: Tensor) -> float:
        return -(moved(start, noisy) - wanted).square().sum().item() / 2

    ways = []
    for index in range(2):
        slopes = []
        for place in range(start.numel()):
            step = torch.zeros_like(start).flatten()
            step[place] = 1e-4
            both = [[start, noisy], [start, noisy]]
            for sign, pair in zip((1, -1), both, strict=True):
                pair[index] = pair[index] + sign * step.view_as(start)
            slopes.append(score(*both[0]) - score(*both[1]))
        way = torch.tensor(slopes, dtype=torch.float64).view_as(start)
        ways.append(way / way.square().mean().sqrt())
    way = 0.6 * ways[0] + 0.4 * ways[1]
    found = (moved(start, noisy) + 0.6 * 6.4 * 2 * way / way.square().mean().sqrt()).clamp(0, 1)
    walked = walk(prior, seeded(1), steps=1, strength=0.4, climb=lambda x, step: wanted.float() - x)
    torch.testing.assert_close(walked, found.float(), atol=0.02, rtol=0)


def test_wrong_samples_are_refused() -> None:
    for seeds, steps in (([-1], 1), ([0], 0)):
        with pytest.raises(UsageError, match="steps must be at least 1 and seeds from 0 up"):
            sample_prior(gaussian(), seeds, steps=steps)
