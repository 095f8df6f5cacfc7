"""What every transform promises."""

from __future__ import annotations

import pytest
import torch

from pellucid.vis.transforms import (
    Transform,
    article,
    blur,
    boxes,
    chain,
    colour,
    crop,
    flip,
    jitter,
    lucid,
    noise,
    over_background,
    pad,
    robust,
    strong,
    warp,
)

SIZE = (20, 28)
ALL: list[Transform] = [
    warp(),
    warp(perspective=0.3, crop=(12, 9)),
    jitter(5),
    pad(3),
    pad(3, value=None),
    crop(size=(8, 11), scale=(0.3, 1)),
    flip(),
    noise(0.1),
    colour(),
    blur(),
    over_background(),
    over_background(decay=None),
    chain(jitter(3), flip(), noise(0.1)),
    robust(SIZE),
    strong(SIZE),
    boxes(SIZE),
    lucid(SIZE),
    article(SIZE),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("transform", ALL, ids=repr)
@pytest.mark.parametrize("channels", [2, 3, 4, 5])
def test_a_picture_does_not_depend_on_its_batch_mates(transform: Transform, channels: int) -> None:
    images = torch.rand(3, channels, *SIZE, generator=generator())
    one, many = generator(5), generator(5)
    for _ in range(4):  # later draws too
        together, alone = transform(images, many), transform(images[1:2], one)
        torch.testing.assert_close(together[1:2], alone, atol=1e-6, rtol=0)
    assert torch.equal(one.get_state(), many.get_state())
    assert together.dtype == torch.float32


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_all_pictures_share_a_draw_and_the_next_step_has_another(transform: Transform) -> None:
    picture = torch.rand(1, 4, *SIZE, generator=generator())
    draws = generator(1)
    seen = [transform(picture.expand(2, -1, -1, -1), draws) for _ in range(8)]
    assert all(torch.equal(one, two) for one, two in seen)
    if not isinstance(transform, pad):
        assert any(not torch.equal(seen[0], later) for later in seen[1:])


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_the_draws_do_not_depend_on_the_pictures(transform: Transform) -> None:
    black, white = generator(2), generator(2)
    transform(torch.zeros(1, 3, *SIZE), black)
    transform(torch.ones(1, 3, *SIZE), white)
    assert torch.equal(black.get_state(), white.get_state())


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_gradients_go_back(transform: Transform) -> None:
    images = torch.rand(2, 4, *SIZE, generator=generator(), requires_grad=True)
    transform(images, generator(1)).square().sum().backward()
    assert images.grad.isfinite().all() and images.grad.any()


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_it_is_written_shortly(transform: Transform) -> None:
    assert " at 0x" not in repr(transform) and len(repr(transform)) < 400


@pytest.mark.parametrize("stack", [robust, strong, boxes, lucid, article])
@pytest.mark.parametrize("size", [(24, 40), (33, 31)])
def test_stacks_give_their_size(stack, size: tuple[int, int]) -> None:
    canvas = torch.rand(1, 3, size[0] + 4, size[1] + 4)
    assert stack(size)(canvas, generator()).shape == (1, 3, *size)


def test_a_chain_is_one_after_the_other() -> None:
    images = torch.rand(1, 3, *SIZE, generator=generator())
    both = chain(noise(0.1), jitter(4))(images, generator(3))
    draws = generator(3)
    assert torch.equal(both, jitter(4)(noise(0.1)(images, draws), draws))
    assert repr(chain(noise(0.1), generator)) == "chain(noise(sd=0.1), generator)"
    assert chain(noise(0.1)) == chain(noise(0.1)) != chain(noise(0.2))
