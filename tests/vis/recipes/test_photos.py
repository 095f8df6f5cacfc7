"""What the recipes measure, against slow and obvious counterparts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.vis.recipes.scenes import network, scene
from torch import nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load
from pellucid.vis.recipes.photos import checked, correlation, features, recovered, ssim


def ssim_window_by_window(first: np.ndarray, second: np.ndarray) -> float:
    """Wang et al. 2004, equations 14 to 16 and 13, one window and one pixel at a time."""
    values = []
    for a, b in zip(first, second, strict=True):
        for top in range(a.shape[0] - 10):
            for left in range(a.shape[1] - 10):
                weights = {
                    (row, col): math.exp(-((row - 5) ** 2 + (col - 5) ** 2) / (2 * 1.5**2))
                    for row in range(11)
                    for col in range(11)
                }
                total = sum(weights.values())
                pixels = [(w / total, a[top + row, left + col], b[top + row, left + col]) for (row, col), w in weights.items()]
                mean_a, mean_b = sum(w * x for w, x, _ in pixels), sum(w * y for w, _, y in pixels)
                var_a = sum(w * (x - mean_a) ** 2 for w, x, _ in pixels)
                var_b = sum(w * (y - mean_b) ** 2 for w, _, y in pixels)
                shared = sum(w * (x - mean_a) * (y - mean_b) for w, x, y in pixels)
                above = (2 * mean_a * mean_b + 0.01**2) * (2 * shared + 0.03**2)
                values.append(above / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2)))
    return float(np.mean(values))


def test_structural_similarity_is_that_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    photo = scene("lake")[:, 20:34, 30:47]
    noisy = (photo + 0.1 * torch.randn(photo.shape, generator=generator)).clamp(0, 1)
    assert ssim(photo, noisy) == pytest.approx(ssim_window_by_window(photo.numpy(), noisy.numpy()), abs=1e-6)


def test_structural_similarity_orders_damage() -> None:
    photo = scene("lighthouse")
    dimmed, flipped = photo * 0.9, photo.flip(2)
    assert ssim(photo, photo) == 1
    assert ssim(photo, dimmed) > 0.9 > 0.7 > ssim(photo, flipped) > ssim(photo, 1 - photo)


def test_structural_similarity_refuses_what_it_cannot_compare() -> None:
    for first, second in [((3, 20, 20), (3, 20, 21)), ((3, 10, 20), (3, 10, 20))]:
        with pytest.raises(UsageError, match="at least 11"):
            ssim(torch.rand(first), torch.rand(second))


def test_correlation_is_pearsons() -> None:
    first, second = scene("lake"), scene("beach")
    expected = np.corrcoef(first.numpy().ravel(), second.numpy().ravel())[0, 1]
    assert correlation(first, second) == pytest.approx(expected, abs=1e-5)
    assert correlation(first, torch.full_like(first, 0.5)) == 0


def test_recovered_is_one_for_the_same_and_falls_with_distance() -> None:
    wanted = torch.tensor([3.0, 4.0])
    assert [recovered(share * wanted, wanted) for share in (1, 0.5, 0, -1)] == [1, 0.5, 0, -1]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.rand(3, 3, 20, 20), r"\(3, 3, 20, 20\)"),
        (torch.rand(1, 20, 20), r"\(1, 20, 20\)"),
        (torch.zeros(3, 20, 20, dtype=torch.uint8), "uint8"),
        (torch.full((3, 20, 20), 255.0), "255"),
        (torch.full((3, 20, 20), torch.nan), "nan"),
        (np.zeros((3, 20, 20)), "ndarray"),
    ],
)
def test_what_is_no_picture_is_refused(image: object, said: str) -> None:
    with pytest.raises(UsageError, match=rf"photo: .*{said}"):
        checked(image, network(), "photo")  # type: ignore[arg-type]


def test_a_size_that_the_network_refuses_is_said_in_one_line() -> None:
    model = load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 5)), size=16)
    with pytest.raises(UsageError, match=r"refuses 20 × 24 px.*its own size, 16 × 16") as caught:
        features(model, torch.rand(3, 20, 24), ["2"])
    assert "\n" not in str(caught.value)


def test_an_unknown_layer_is_said_with_its_neighbours() -> None:
    with pytest.raises(NotFoundError, match="mixed3a"):
        features(network(), scene("lake"), ["mixed3"])
