"""Pictures under a homography against bilinear interpolation by hand, by compiled loops and by torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pellucid.kernels import resample, warping

Way = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]
ways = pytest.mark.parametrize("way", [resample, warping._grid_sampled], ids=["loops", "torch"])
sides = st.integers(2, 9)
numbers = st.floats(-1.5, 1.5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def affine(numbers: list[list[float]]) -> Tensor:
    return torch.tensor([*numbers, [0.0, 0, 1]])


def mirrored(index: int, side: int) -> int:
    index %= 2 * side
    return index if index < side else 2 * side - 1 - index


def slow_sample(image: Tensor, row: float, col: float) -> float:
    """Bilinear in a picture that is continued by its mirror image, the outermost pixels being doubled."""
    top, left = math.floor(row), math.floor(col)
    return sum(
        (1 - abs(row - y)) * (1 - abs(col - x)) * image[mirrored(y, image.shape[0]), mirrored(x, image.shape[1])].item()
        for y in (top, top + 1)
        for x in (left, left + 1)
    )


@ways
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
def test_by_hand(
    way: Way, height: int, width: int, tall: int, wide: int, turn: list[float], shift: list[float], tilt: list[float]
) -> None:
    image = torch.rand(height, width, generator=generator())
    matrix = torch.tensor([[*turn[:2], shift[0]], [*turn[2:], shift[1]], [*tilt, 1]])
    result = way(image[None, None], matrix, (tall, wide))[0, 0]
    for row in range(tall):
        for col in range(wide):
            down, right = row - (tall - 1) / 2, col - (wide - 1) / 2
            depth = tilt[0] * down + tilt[1] * right + 1
            y = (turn[0] * down + turn[1] * right + shift[0]) / depth + (height - 1) / 2
            x = (turn[2] * down + turn[3] * right + shift[1]) / depth + (width - 1) / 2
            assert result[row, col].item() == pytest.approx(slow_sample(image, y, x), abs=1e-4)


@ways
@pytest.mark.parametrize(("count", "channels"), [(1, 1), (1, 5), (4, 3), (5, 3), (7, 2), (13, 1), (3, 4), (2, 13)])
def test_every_channel_of_every_picture_is_resampled_alike(way: Way, count: int, channels: int) -> None:
    images = torch.rand(count, channels, 8, 11, generator=generator())
    matrix = affine([[0.9, -0.2, 1.3], [0.3, 1.1, -0.4]])
    result = way(images, matrix, (6, 7))
    assert result.shape == (count, channels, 6, 7) and result.is_contiguous()
    for picture in range(count):
        for channel in range(channels):
            alone = way(images[picture : picture + 1, channel : channel + 1], matrix, (6, 7))
            assert torch.equal(result[picture, channel], alone[0, 0])


@ways
def test_the_gradient_is_the_adjoint(way: Way) -> None:
    matrix = torch.tensor([[0.9, -0.2, 1.3], [0.3, 1.1, -0.4], [0.01, 0.02, 1]])
    images = torch.rand(2, 3, 8, 9, generator=generator()).requires_grad_()
    result = way(images, matrix, (15, 6))
    along = torch.randn(result.shape, generator=generator(1))
    (gradient,) = torch.autograd.grad(result, images, along)
    one = torch.zeros(1, 1, 8, 9)
    for place in range(72):  # the transpose, column by column
        one.flatten()[place - 1], one.flatten()[place] = 0, 1
        wanted = (way(one, matrix, (15, 6)) * along).sum((2, 3))
        torch.testing.assert_close(gradient.flatten(2)[:, :, place], wanted)


@ways
def test_a_quarter_turn(way: Way) -> None:
    images = torch.rand(1, 2, 7, 7, generator=generator())
    turned = way(images, affine([[0.0, -1, 0], [1, 0, 0]]), (7, 7))
    torch.testing.assert_close(turned, torch.rot90(images, -1, (2, 3)))


@ways
def test_a_tilt_enlarges_one_border_and_not_the_other(way: Way) -> None:
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::4] = 1
    tilted = way(stripes, torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.4 * 2 / 64, 0, 1]]), (64, 64))
    near, far = ((tilted[0, 0, row] > 0.3).int().diff().abs().sum().item() for row in (60, 3))
    assert near < 0.8 * 32 < 1.2 * 32 < far


@ways
def test_what_is_infinitely_far_is_read_somewhere_inside(way: Way) -> None:
    horizon = torch.tensor([[1.0, 0, 0], [0, 1, 0], [2.0, 0, 1]])  # the depth is zero in the upper of two rows
    result = way(torch.full((1, 1, 4, 4), 0.5), horizon, (2, 2))
    torch.testing.assert_close(result[0, 0, 1], torch.full((2,), 0.5))


def test_threads_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    images, matrix = torch.rand(3, 3, 12, 13, generator=generator()).requires_grad_(), affine([[0.9, -0.2, 1.3], [0.3, 1.1, -0.4]])
    along = torch.randn(3, 3, 11, 10, generator=generator(1))
    results = []
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        result = resample(images, matrix, (11, 10))
        results.append((result.detach(), *torch.autograd.grad(result, images, along)))
    assert all(map(torch.equal, *results))


def name_of(images: Tensor) -> str:
    node = resample(images.requires_grad_(), affine([[1.0, 0, 0.5], [0, 1, 0]]), (4, 4)).grad_fn
    assert node is not None
    return node.name()


def test_torch_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_of(torch.rand(1, 1, 5, 5)) == "_ResampleBackward"
    assert name_of(torch.rand(1, 1, 5, 5, dtype=torch.float64)) != "_ResampleBackward"
    assert name_of(torch.rand(1, 1, 1, 5)) != "_ResampleBackward"
    monkeypatch.setattr(warping, "compiled", lambda: None)
    assert name_of(torch.rand(1, 1, 5, 5)) != "_ResampleBackward"
