"""Laplacian pyramids against interpolation by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import UsageError
from pellucid.vis.params import laplacian
from pellucid.vis.params.pyramid import DEVIATION, enlarged, gain

CPU = torch.device("cpu")
sides = st.integers(1, 9)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def slow_enlarged(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each pixel's middle is looked up between the middles of the pixels of the small image, and held at its border."""
    result = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            y = min(max((row + 0.5) * image.shape[0] / height - 0.5, 0), image.shape[0] - 1)
            x = min(max((col + 0.5) * image.shape[1] / width - 0.5, 0), image.shape[1] - 1)
            for down in range(image.shape[0]):
                for right in range(image.shape[1]):
                    result[row, col] += max(0, 1 - abs(y - down)) * max(0, 1 - abs(x - right)) * image[down, right]
    return result


@settings(deadline=None, max_examples=30)
@given(sides, sides, st.integers(0, 12), st.integers(0, 12))
def test_enlarged_by_hand(height: int, width: int, taller: int, wider: int) -> None:
    image = torch.rand(height, width, generator=torch.Generator().manual_seed(0))
    large = enlarged(image[None, None], (height + taller, width + wider))[0, 0]
    np.testing.assert_allclose(large, slow_enlarged(image.double().numpy(), height + taller, width + wider), atol=1e-5)


@pytest.mark.parametrize(("low", "size"), [((8, 8), (64, 64)), ((5, 3), (17, 20)), ((4, 6), (4, 6)), ((1, 1), (9, 9))])
def test_gain_is_the_deviation_of_enlarged_noise(low: tuple[int, int], size: tuple[int, int]) -> None:
    noise = torch.randn(4000, 1, *low, generator=torch.Generator().manual_seed(0))
    assert enlarged(noise, size).square().mean().sqrt().item() == pytest.approx(gain([low, size]), rel=0.03)


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_levels_have_their_shares_of_the_energy(decay: float) -> None:
    canvas = laplacian(sd=1, levels=4, decay=decay, colours=None)(200, 1, 32, 24, generators=generators(*range(200)), device=CPU)
    deviations = []
    for level, param in enumerate(canvas.params):
        for other in canvas.params:
            other.requires_grad_(False)
        kept = [each.clone() for each in canvas.params]
        for index, each in enumerate(canvas.params):
            each.mul_(index == level)
        deviations.append(canvas.images().logit().square().mean().sqrt().item())
        for each, old in zip(canvas.params, kept, strict=True):
            each.copy_(old)
        assert param.shape[2:] == (32 // 2**level, 24 // 2**level)
    assert math.hypot(*deviations) == pytest.approx(DEVIATION, rel=0.03)
    for fine, coarse in pairwise(deviations):
        assert coarse / fine == pytest.approx(2 ** (decay - 1), rel=0.06)


def test_one_level_is_pixels() -> None:
    canvas = laplacian(sd=0.1, levels=1, colours=None)(1, 2, 5, 6, generators=generators(3), device=CPU)
    torch.testing.assert_close(canvas.images(), (DEVIATION * canvas.params[0]).sigmoid())
    with pytest.raises(UsageError, match="at least 1"):
        laplacian(levels=0)


def test_a_pixel_is_the_last_level() -> None:
    canvas = laplacian(levels=9)(1, 3, 4, 3, generators=generators(0), device=CPU)
    assert [tuple(level.shape[2:]) for level in canvas.params] == [(4, 3), (2, 2), (1, 1)]


def test_a_photo_is_put_coarse_first() -> None:
    canvas = laplacian(levels=3, colours=None)(1, 1, 8, 8, generators=generators(0), device=CPU)
    canvas.put(torch.full((1, 1, 8, 8), 0.3))
    assert canvas.params[2].abs().min() > 0.1
    assert max(level.abs().max() for level in canvas.params[:2]) < 1e-5


def test_levels_are_added_from_coarse_to_fine() -> None:
    canvas = laplacian(sd=1, levels=3, decay=1.0, colours=None)(1, 1, 9, 7, generators=generators(0), device=CPU)
    fine, middle, coarse = (param[0, 0].detach().double().numpy() for param in canvas.params)
    sizes = [(9, 7), (5, 4), (3, 2)]
    factors = [DEVIATION / math.sqrt(3) / gain(sizes[level::-1]) for level in range(3)]
    slow = slow_enlarged(coarse * factors[2], *sizes[1]) + middle * factors[1]
    slow = slow_enlarged(slow, *sizes[0]) + fine * factors[0]
    np.testing.assert_allclose(canvas.images()[0, 0].detach().logit(), slow, atol=1e-5)
