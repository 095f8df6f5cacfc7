"""Penalties on the picture against slow loops over its pixels."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis import objectives
from pellucid.vis.filters import bilateral, gaussian_blur
from pellucid.vis.objectives import (
    Objective,
    bilateral_residual,
    blur_residual,
    border,
    channel,
    high_frequency,
    l1,
    l2,
    opacity,
    total_variation,
)

IMAGES = torch.rand(2, 3, 7, 6, generator=torch.Generator().manual_seed(0))
PICTURES = [
    l1(),
    l1(around=0.25),
    l2(),
    l2(around=0),
    total_variation(),
    blur_residual(),
    blur_residual(sigma=2.5),
    bilateral_residual(),
    bilateral_residual(1.0, sigma_colour=0.25),
    border(),
    border(2, around=0.25),
    high_frequency(),
    high_frequency(above=0.4),
    opacity(),
    opacity(1),
]


def values(image: torch.Tensor) -> list[list[list[float]]]:
    return image.double().tolist()


def every(image: torch.Tensor) -> list[float]:
    return image.double().flatten().tolist()


def slow_total_variation(image: torch.Tensor) -> float:
    rows, cols, picture = image.shape[1], image.shape[2], values(image)
    down = [abs(c[i + 1][j] - c[i][j]) for c in picture for i in range(rows - 1) for j in range(cols)]
    right = [abs(c[i][j + 1] - c[i][j]) for c in picture for i in range(rows) for j in range(cols - 1)]
    return sum(down) / len(down) + sum(right) / len(right)


def slow_border(image: torch.Tensor, width: int, around: float) -> float:
    height, length, found = image.shape[1], image.shape[2], []
    for plane in values(image):
        for i in range(height):
            for j in range(length):
                if min(i, j, height - 1 - i, length - 1 - j) < width:
                    near = [plane[p][q] for p in range(height) for q in range(length) if abs(p - i) <= 2 and abs(q - j) <= 2]
                    found.append((plane[i][j] - sum(near) / len(near)) ** 2 + 0.8 * (plane[i][j] - around) ** 2)
    return sum(found) / len(found)


def slow_high_frequency(image: torch.Tensor, above: float) -> float:
    """By Parseval: the energy of all coefficients of the discrete Fourier transform above the cut."""
    height, width, energy = image.shape[1], image.shape[2], 0.0
    for plane in values(image):
        for p in range(height):
            for q in range(width):
                if math.hypot(min(p, height - p) / height, min(q, width - q) / width) > above:
                    waves = [
                        plane[i][j] * cmath.exp(-2j * math.pi * (p * i / height + q * j / width))
                        for i in range(height)
                        for j in range(width)
                    ]
                    energy += abs(sum(waves)) ** 2
    return energy / (height * width) / (len(image) * height * width)


@pytest.mark.parametrize(
    ("objective", "slow"),
    [
        (l1(), lambda image: sum(abs(x - 0.5) for x in every(image)) / image.numel()),
        (l1(0.25), lambda image: sum(abs(x - 0.25) for x in every(image)) / image.numel()),
        (l2(), lambda image: sum((x - 0.5) ** 2 for x in every(image)) / image.numel()),
        (l2(0), lambda image: sum(x**2 for x in every(image)) / image.numel()),
        (total_variation(), slow_total_variation),
        (border(1), lambda image: slow_border(image, 1, 0.5)),
        (border(2, around=0.25), lambda image: slow_border(image, 2, 0.25)),
        (border(), lambda image: slow_border(image, 20, 0.5)),
        (high_frequency(), lambda image: slow_high_frequency(image, 0.25)),
        (high_frequency(0.4), lambda image: slow_high_frequency(image, 0.4)),
        (high_frequency(0), lambda image: float(image.double().var((1, 2), unbiased=False).mean())),
        (opacity(2), lambda image: sum(every(image[2])) / image[2].numel()),
        (blur_residual(0.8), lambda image: float((image - gaussian_blur(image[None], 0.8)[0]).square().mean() / 2)),
        (
            bilateral_residual(1.5, sigma_colour=0.3),
            lambda image: float((image - bilateral(image[None], 1.5, sigma_colour=0.3)[0]).square().mean() / 2),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Objective) else "slowly",
)
def test_by_hand(objective: Objective, slow) -> None:
    torch.testing.assert_close(objective({"image": IMAGES}), torch.tensor([slow(image) for image in IMAGES]))


@pytest.mark.parametrize("objective", PICTURES, ids=str)
def test_written_as_made(objective: Objective) -> None:
    again = eval(repr(objective), {name: getattr(objectives, name) for name in objectives.__all__})
    images = IMAGES if "opacity" not in repr(objective) else torch.rand(2, 4 if repr(objective) == "opacity()" else 2, 7, 6)
    assert repr(again) == repr(objective) and torch.equal(again({"image": images}), objective({"image": images}))
    assert (objective({"image": images}) >= 0).all() and objective.layers == {"image"} and objective.pictures is None


@pytest.mark.parametrize("objective", [l1(), l2(), total_variation(), opacity(2), border(4)], ids=str)
def test_a_weight_means_the_same_at_every_size(objective: Objective) -> None:
    stripes = (torch.arange(16) // 2 % 2).float()
    small, large = stripes.expand(1, 3, 16, 16), stripes.repeat(4).expand(1, 3, 64, 64)
    torch.testing.assert_close(objective({"image": small}), objective({"image": large}), rtol=0.1, atol=0)


@pytest.mark.parametrize(
    ("residual", "smooth"),
    [
        (blur_residual(1.2), lambda images: gaussian_blur(images, 1.2)),
        (bilateral_residual(1.2, sigma_colour=0.3), lambda images: bilateral(images, 1.2, sigma_colour=0.3)),
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_descending_a_residual_is_smoothing(residual: Objective, smooth, share: float) -> None:
    """A gradient step of a share of the number of values moves the picture by that share of the way to the smooth one."""
    leaf = IMAGES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(residual({"image": leaf}).sum(), leaf)
    torch.testing.assert_close(IMAGES - share * IMAGES[0].numel() * gradient, IMAGES.lerp(smooth(IMAGES), share))


def test_bilateral_keeps_edges_and_blur_does_not() -> None:
    edge = torch.cat([torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)], 3)
    assert bilateral_residual()({"image": edge}) < 1e-6 < 0.005 < blur_residual()({"image": edge})


def test_pictures_combine_with_units() -> None:
    both = channel("a", 0) - 0.25 * total_variation()
    seen = {"a": torch.rand(2, 1, 3, 3), "image": IMAGES}
    assert both.layers == {"a", "image"}
    torch.testing.assert_close(both(seen), seen["a"].mean((1, 2, 3)) - 0.25 * total_variation()(seen))


@pytest.mark.parametrize(
    "make",
    [
        lambda: opacity(),
        lambda: opacity(3),
        lambda: blur_residual(-1),
        lambda: bilateral_residual(0),
        lambda: bilateral_residual(sigma_colour=0),
        lambda: border(0),
    ],
)
def test_wrong(make) -> None:
    with pytest.raises(UsageError):
        make()({"image": IMAGES})


def test_one_row_has_no_steps_down() -> None:
    assert total_variation()({"image": torch.tensor([[[[0.0, 1.0, 0.0]]]])}).item() == 1.0
    assert total_variation()({"image": torch.ones(1, 1, 1, 1)}).item() == 0.0
