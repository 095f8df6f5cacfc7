"""What the fused warp draws."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.transforms import warp


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 12)])
def test_nothing_to_do_keeps_the_picture(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width, generator=generator())
    still = warp(jitter=0, rotate=0, scale=(1, 1))
    torch.testing.assert_close(still(images, generator()), images)


def test_crop_is_the_middle() -> None:
    images = torch.rand(1, 3, 10, 12, generator=generator())
    cropped = warp(jitter=0, rotate=0, scale=(1, 1), crop=(6, 4))(images, generator())
    torch.testing.assert_close(cropped, images[:, :, 2:8, 4:8])


def test_magnification_above_one_enlarges() -> None:
    images = torch.zeros(1, 1, 21, 21)
    images[:, :, 8:13, 8:13] = 1
    larger = warp(jitter=0, rotate=0, scale=(2, 2))(images, generator())
    assert larger.sum().item() == pytest.approx(100, rel=0.05)


def test_draws_stay_in_range_and_reach_it() -> None:
    stack = warp(jitter=3, rotate=30, scale=(0.5, 2), perspective=0.2)
    matrices = torch.stack([stack.draw(generator(seed), (20, 40)) for seed in range(300)])
    size = 1 / matrices[:, 0, :2].norm(dim=1)
    angle = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    shift, tilt = matrices[:, :2, 2], matrices[:, 2, :2] * torch.tensor([10, 20])
    assert 0.5 <= size.min() < 0.55 and 1.9 < size.max() <= 2.0001
    assert -30.001 <= angle.min() < -28 and 28 < angle.max() <= 30.001
    assert -3 <= shift.min() < -2.8 and 2.8 < shift.max() <= 3
    assert -0.2 <= tilt.min() < -0.19 and 0.19 < tilt.max() <= 0.2
    assert (matrices[:, 2, 2] == 1).all()
    turns = matrices[:, :2, :2] * size[:, None, None]
    torch.testing.assert_close(turns @ turns.mT, torch.eye(2).expand(300, 2, 2))  # nothing is sheared or mirrored
    assert (torch.linalg.det(turns) > 0).all()
    draws = torch.stack([size, angle, *shift.T, *tilt.T])
    assert (torch.corrcoef(draws) - torch.eye(6)).abs().max() < 0.25


@pytest.mark.parametrize("wrong", [{"jitter": -1}, {"rotate": -1}, {"scale": (1.2, 0.8)}, {"scale": (0, 1)}, {"perspective": 0.5}])
def test_wrong_use(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        warp(**wrong)
