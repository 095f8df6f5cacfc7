"""The fused warp against bilinear interpolation by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.vis.transforms import resample, warp

sides = st.integers(2, 9)
numbers = st.floats(-1.5, 1.5)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


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
@given(sides, sides, sides, sides, st.lists(numbers, min_size=4, max_size=4), st.lists(st.floats(-4, 4), min_size=2, max_size=2))
def test_resample_by_hand(height: int, width: int, tall: int, wide: int, turn: list[float], shift: list[float]) -> None:
    image = torch.rand(height, width, generator=torch.Generator().manual_seed(0))
    matrix = torch.tensor([[turn[0], turn[1], shift[0]], [turn[2], turn[3], shift[1]]])
    result = resample(image[None, None], matrix[None], (tall, wide))[0, 0]
    for row in range(tall):
        for col in range(wide):
            down, right = row - (tall - 1) / 2, col - (wide - 1) / 2
            y = turn[0] * down + turn[1] * right + shift[0] + (height - 1) / 2
            x = turn[2] * down + turn[3] * right + shift[1] + (width - 1) / 2
            assert result[row, col].item() == pytest.approx(slow_sample(image, y, x), abs=1e-4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 12)])
def test_nothing_to_do_keeps_the_picture(height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width)
    still = warp(jitter=0, rotate=0, scale=(1, 1))
    torch.testing.assert_close(still(images, generators(0, 1)), images)


def test_crop_is_the_middle() -> None:
    images = torch.rand(1, 3, 10, 12)
    cropped = warp(jitter=0, rotate=0, scale=(1, 1), crop=(6, 4))(images, generators(0))
    torch.testing.assert_close(cropped, images[:, :, 2:8, 4:8])


def test_a_quarter_turn() -> None:
    images = torch.rand(1, 2, 7, 7)
    torch.testing.assert_close(resample(images, torch.tensor([[[0.0, -1, 0], [1, 0, 0]]]), (7, 7)), torch.rot90(images, -1, (2, 3)))


def test_magnification_above_one_enlarges() -> None:
    images = torch.zeros(1, 1, 21, 21)
    images[:, :, 8:13, 8:13] = 1
    larger = warp(jitter=0, rotate=0, scale=(2, 2))(images, generators(0))
    assert larger.sum().item() == pytest.approx(100, rel=0.05)


def test_draws_belong_to_their_generator_and_stay_in_range() -> None:
    stack = warp(jitter=3, rotate=30, scale=(0.5, 2))
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(stack(images, generators(4, 5))[1:], stack(images[1:], generators(5)))
    matrices = torch.stack([stack.draw(generator) for generator in generators(*range(300))])
    size = 1 / matrices[:, 0, :2].norm(dim=1)
    angle = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    shift = matrices[:, :, 2]
    assert 0.5 <= size.min() < 0.55 and 1.9 < size.max() <= 2
    assert -30 <= angle.min() < -28 and 28 < angle.max() <= 30
    assert -3 <= shift.min() < -2.8 and 2.8 < shift.max() <= 3
