"""The fused warp against bilinear interpolation by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import UsageError
from pellucid.vis.transforms import resample, warp

sides = st.integers(2, 9)
numbers = st.floats(-1.5, 1.5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def affine(numbers: list[list[float]]) -> torch.Tensor:
    return torch.tensor([*numbers, [0.0, 0, 1]])


def mirrored(index: int, side: int) -> int:
    index %= 2 * side
    return index if index < side else 2 * side - 1 - index


def slow_sample(image: torch.Tensor, row: float, col: float) -> float:
    """Bilinear in a picture that is continued by its mirror image, the outermost pixels being doubled."""
    top, left = math.floor(row), math.floor(col)
    return sum(
        (1 - abs(row - y)) * (1 - abs(col - x)) * image[mirrored(y, image.shape[0]), mirrored(x, image.shape[1])].item()
        for y in (top, top + 1)
        for x in (left, left + 1)
    )


@settings(deadline=None, max_examples=60)
@given(
    sides,
    sides,
    sides,
    sides,
    st.lists(numbers, min_size=4, max_size=4),
    st.lists(st.floats(-4, 4), min_size=2, max_size=2),
    st.lists(st.floats(-0.05, 0.05), min_size=2, max_size=2),
)
def test_resample_by_hand(
    height: int, width: int, tall: int, wide: int, turn: list[float], shift: list[float], tilt: list[float]
) -> None:
    image = torch.rand(height, width, generator=generator())
    matrix = torch.tensor([[*turn[:2], shift[0]], [*turn[2:], shift[1]], [*tilt, 1]])
    result = resample(image[None, None], matrix, (tall, wide))[0, 0]
    for row in range(tall):
        for col in range(wide):
            down, right = row - (tall - 1) / 2, col - (wide - 1) / 2
            depth = tilt[0] * down + tilt[1] * right + 1
            y = (turn[0] * down + turn[1] * right + shift[0]) / depth + (height - 1) / 2
            x = (turn[2] * down + turn[3] * right + shift[1]) / depth + (width - 1) / 2
            assert result[row, col].item() == pytest.approx(slow_sample(image, y, x), abs=1e-4)


@pytest.mark.parametrize(("count", "channels"), [(1, 1), (1, 5), (4, 3), (5, 3), (7, 2), (13, 1), (3, 4), (2, 13)])
def test_every_channel_of_every_picture_is_resampled_alike(count: int, channels: int) -> None:
    images = torch.rand(count, channels, 8, 11, generator=generator())
    matrix = affine([[0.9, -0.2, 1.3], [0.3, 1.1, -0.4]])
    result = resample(images, matrix, (6, 7))
    assert result.shape == (count, channels, 6, 7) and result.is_contiguous()
    for picture in range(count):
        for channel in range(channels):
            alone = resample(images[picture : picture + 1, channel : channel + 1], matrix, (6, 7))
            assert torch.equal(result[picture, channel], alone[0, 0])


def test_the_gradient_is_the_adjoint() -> None:
    images = torch.rand(2, 3, 8, 9, dtype=torch.float64, generator=generator(), requires_grad=True)
    matrix = affine([[0.9, -0.2, 1.3], [0.3, 1.1, -0.4]])
    assert torch.autograd.gradcheck(lambda given: resample(given, matrix, (5, 6)), images, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 12)])
def test_nothing_to_do_keeps_the_picture(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width, generator=generator())
    still = warp(jitter=0, rotate=0, scale=(1, 1))
    torch.testing.assert_close(still(images, generator()), images)


def test_crop_is_the_middle() -> None:
    images = torch.rand(1, 3, 10, 12, generator=generator())
    cropped = warp(jitter=0, rotate=0, scale=(1, 1), crop=(6, 4))(images, generator())
    torch.testing.assert_close(cropped, images[:, :, 2:8, 4:8])


def test_a_quarter_turn() -> None:
    images = torch.rand(1, 2, 7, 7, generator=generator())
    turned = resample(images, affine([[0.0, -1, 0], [1, 0, 0]]), (7, 7))
    torch.testing.assert_close(turned, torch.rot90(images, -1, (2, 3)))


def test_magnification_above_one_enlarges() -> None:
    images = torch.zeros(1, 1, 21, 21)
    images[:, :, 8:13, 8:13] = 1
    larger = warp(jitter=0, rotate=0, scale=(2, 2))(images, generator())
    assert larger.sum().item() == pytest.approx(100, rel=0.05)


def test_a_tilt_enlarges_one_border_and_not_the_other() -> None:
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::4] = 1
    tilted = resample(stripes, torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.4 * 2 / 64, 0, 1]]), (64, 64))
    near, far = ((tilted[0, 0, row] > 0.3).int().diff().abs().sum().item() for row in (60, 3))
    assert near < 0.8 * 32 < 1.2 * 32 < far


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
