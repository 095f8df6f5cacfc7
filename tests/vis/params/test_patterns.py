"""Pattern networks against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.params import cppn
from pellucid.vis.params.patterns import EVEN, ODD, PACE, positions

CPU = torch.device("cpu")


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def stirred(network: cppn, *seeds: int, size: tuple[int, int] = (5, 7)) -> list[torch.Tensor]:
    params = network(len(seeds), 3, *size, generators=generators(*seeds), device=CPU).params
    with torch.no_grad():
        params[-2].normal_(generator=torch.Generator().manual_seed(9))
    return params


def slow_colour(params: list[np.ndarray], row: float, col: float) -> list[float]:
    """One position through one network, number by number."""
    inputs = [row, col]
    for index in range(0, len(params), 2):
        weights, bias = params[index] * PACE, params[index + 1] * PACE
        outputs = [sum(w * x for w, x in zip(line, inputs, strict=True)) + b[0] for line, b in zip(weights, bias, strict=True)]
        inputs = [math.atan(x) / ODD for x in outputs] + [math.atan(x) ** 2 / EVEN for x in outputs]
    return [1 / (1 + math.exp(-x)) for x in outputs]


def test_a_picture_by_hand() -> None:
    network = cppn(hidden=4, depth=3, colours=None)
    params = stirred(network, 1, 2)
    images = network.draw(params, 5, 7).detach()
    numbers = [param[1].detach().double().numpy() for param in params]
    unit = 2 * math.sqrt(3 / 35)
    for row in range(5):
        for col in range(7):
            expected = slow_colour(numbers, (row - 2) * unit, (col - 3) * unit)
            assert images[1, :, row, col].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_constants_normalise() -> None:
    x = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0)).double()
    assert x.atan().square().mean().sqrt().item() == pytest.approx(ODD, abs=0.01)
    assert x.atan().pow(4).mean().sqrt().item() == pytest.approx(EVEN, abs=0.01)


def test_positions_have_unit_mean_square() -> None:
    square = positions(50, 50)
    assert square.square().mean().item() == pytest.approx(1, rel=0.01)
    assert positions(3, 5)[:, 7].tolist() == [0, 0]
    assert positions(20, 5)[0].max() > positions(20, 5)[1].max()


def test_the_same_picture_at_another_size() -> None:
    network = cppn(depth=3)
    params = stirred(network, 1, size=(16, 24))
    small, large = network.draw(params, 16, 24), network.draw(params, 48, 72)
    torch.testing.assert_close(large[:, :, 1::3, 1::3], small, atol=1e-4, rtol=1e-4)


def test_it_starts_from_grey_and_every_layer_is_alive() -> None:
    network = cppn()
    made = network(2, 3, 12, 12, generators=generators(1, 2), device=CPU)
    assert (made.images() == 0.5).all()
    deep = stirred(network, 1, 2, size=(12, 12))
    assert network.draw(deep, 12, 12).std((2, 3)).min() > 0.02


def test_between_two_networks_is_a_third() -> None:
    network = cppn(depth=2)
    one, two = stirred(network, 1), stirred(network, 2)
    middle = network.draw([torch.lerp(a, b, 0.5) for a, b in zip(one, two, strict=True)], 5, 7)
    assert not torch.equal(middle, network.draw(one, 5, 7))


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"depth": 0}])
def test_wrong_use(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        cppn(**wrong)
