"""Shared parts are shared."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.params import fourier, shared
from pellucid.vis.params.frames import between
from pellucid.vis.params.pyramid import DEVIATION

CPU = torch.device("cpu")


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize(
    ("keys", "count", "expected"),
    [
        (1, 3, [[1], [1], [1]]),
        (2, 2, [[1, 0], [0, 1]]),
        (2, 5, [[1, 0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0, 1]]),
        (3, 3, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        (1, 1, [[1]]),
    ],
)
def test_keys_are_spread_over_the_pictures(keys: int, count: int, expected: list[list[float]]) -> None:
    torch.testing.assert_close(between(keys, count), torch.tensor(expected, dtype=torch.float32))


def test_a_part_of_one_key_moves_every_picture_alike() -> None:
    canvas = shared(sd=0, parts=((1, 4), (2, 8)), colours=None)(3, 2, 16, 12, generators=generators(0, 1, 2), device=CPU)
    with torch.no_grad():
        canvas.params[1].normal_(generator=torch.Generator().manual_seed(0))
    first, *others = canvas.images()
    assert first.std() > 0.1 and all(torch.equal(first, other) for other in others)


def test_a_part_of_two_keys_goes_from_one_to_the_other() -> None:
    canvas = shared(sd=0, parts=((2, 8),), colours=None)(5, 1, 16, 16, generators=generators(*range(5)), device=CPU)
    with torch.no_grad():
        canvas.params[1].normal_(generator=torch.Generator().manual_seed(0))
    values = canvas.images().logit()
    torch.testing.assert_close(values[2], (values[0] + values[4]) / 2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(values[1], (values[0] + values[2]) / 2, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(values[0], values[4])


def test_what_one_picture_learns_all_show() -> None:
    canvas = shared(sd=0.01)(4, 3, 32, 32, generators=generators(*range(4)), device=CPU)
    own, *common = canvas.params
    canvas.images()[1].sum().backward()
    assert [bool(grad.any()) for grad in own.grad] == [False, True, False, False]
    assert all(part.grad.any() for part in common)


def test_the_own_part_is_a_fourier_picture() -> None:
    canvas = shared(sd=0.01)(2, 3, 16, 16, generators=generators(3, 4), device=CPU)
    plain = fourier(sd=0.01)(2, 3, 16, 16, generators=generators(3, 4), device=CPU)
    torch.testing.assert_close(canvas.images(), plain.images())


def test_the_parts_share_the_deviation_evenly() -> None:
    make = shared(sd=0, parts=((1, 2), (1, 4), (2, 8)), colours=None)
    shares = torch.zeros(3)
    for seed in range(60):
        for index in range(3):
            canvas = make(2, 1, 32, 32, generators=generators(0, 1), device=CPU)
            with torch.no_grad():
                canvas.params[1 + index].normal_(generator=torch.Generator().manual_seed(seed))
            shares[index] += canvas.images().logit().square().mean() / 60
    assert shares.sum().item() == pytest.approx(DEVIATION**2, rel=0.1)
    assert shares.max() < 1.3 * shares.min()


@pytest.mark.parametrize("wrong", [(), ((0, 2),), ((1, 0),)])
def test_wrong_use(wrong: tuple) -> None:
    with pytest.raises(UsageError, match="pairs"):
        shared(parts=wrong)
