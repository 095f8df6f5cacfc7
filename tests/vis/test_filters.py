"""Filters against loops over pixels."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.filters import bilateral, gaussian_blur

IMAGES = torch.rand(2, 3, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def slow(image: torch.Tensor, weight) -> torch.Tensor:
    """Every pixel as the mean of all of them, weighted by the distance in pixels and that in colour."""
    height, width = image.shape[1:]
    smooth = torch.empty_like(image)
    for i in range(height):
        for j in range(width):
            total, mass = torch.zeros_like(image[:, 0, 0]), 0.0
            for p in range(height):
                for q in range(width):
                    share = weight(math.hypot(i - p, j - q), math.dist(image[:, i, j].tolist(), image[:, p, q].tolist()))
                    total, mass = total + share * image[:, p, q], mass + share
            smooth[:, i, j] = total / mass
    return smooth


@pytest.mark.parametrize("sigma", [0.3, 1.0, 20.0])
def test_gaussian_blur_by_hand(sigma: float) -> None:
    expected = [slow(image, lambda far, _: math.exp(-(far**2) / (2 * sigma**2))) for image in IMAGES]
    torch.testing.assert_close(gaussian_blur(IMAGES, sigma), torch.stack(expected))


@pytest.mark.parametrize(("space", "colour"), [(0.4, 0.2), (1.0, 0.3), (1.6, 10.0), (9.0, 0.3)])
def test_bilateral_by_hand(space: float, colour: float) -> None:
    def weight(far: float, other: float) -> float:
        return math.exp(-(far**2) / (2 * space**2) - other**2 / (2 * colour**2)) if far <= math.ceil(2 * space) else 0.0

    expected = [slow(image, weight) for image in IMAGES]
    torch.testing.assert_close(bilateral(IMAGES, space, sigma_colour=colour), torch.stack(expected))


def test_filters_keep_what_is_even_and_the_type() -> None:
    even = torch.full((1, 4, 9, 7), 0.3, dtype=torch.float32)
    for smooth in (gaussian_blur(even, 2.0), bilateral(even, 2.0, sigma_colour=0.1)):
        torch.testing.assert_close(smooth, even)
    assert gaussian_blur(even, 0) is even


def test_filters_are_differentiable() -> None:
    leaf = IMAGES[:1, :2, :3, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda images: gaussian_blur(images, 1.0), leaf)
    assert torch.autograd.gradcheck(lambda images: bilateral(images, 1.0, sigma_colour=0.3), leaf)


def test_bilateral_keeps_the_edge_that_blur_takes() -> None:
    noise = 0.02 * torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    edge = torch.cat([torch.zeros(1, 3, 16, 8), torch.ones(1, 3, 16, 8)], 3) + noise
    kept, blurred = bilateral(edge, 2.0, sigma_colour=0.2), gaussian_blur(edge, 2.0)
    for smooth in (kept, blurred):
        assert smooth[:, :, :, :2].std() < 0.5 * edge[:, :, :, :2].std()
    assert (kept[:, :, :, 8] - kept[:, :, :, 7]).mean() > 0.95 > 0.3 > (blurred[:, :, :, 8] - blurred[:, :, :, 7]).mean()


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian_blur(IMAGES, -1.0),
        lambda: gaussian_blur(IMAGES, math.nan),
        lambda: bilateral(IMAGES, 0.0, sigma_colour=0.1),
        lambda: bilateral(IMAGES, 1.0, sigma_colour=0.0),
    ],
)
def test_wrong_sigmas(call) -> None:
    with pytest.raises(UsageError):
        call()
