"""Batches whose pictures go through the network a few at a time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.models import Model, load
from pellucid.vis import Method, optimise, render
from pellucid.vis.objectives import channel, diversity, total_variation
from pellucid.vis.packing import natural_portion


@pytest.fixture(scope="module")
def model() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
    with torch.no_grad():
        (bias,) = [each for name, each in second.named_parameters() if name == "bias"]
        bias[5] = -3.0  # silent in the noise of the start
    return load(nn.Sequential(first, nn.ReLU(), second, nn.ReLU()), size=24)


def test_portions_change_nothing(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of silent units, of pictures that are judged together and of some that are judged by themselves, too."""
    units = ["0:1", "2:5", "2:2", "2:3", diversity("2") + channel("2", 1), "2:0", channel("2", 4) - 0.1 * total_variation()]
    seen: list[int] = []

    def made() -> list[torch.Tensor]:
        return [each.image for each in render(model, units, steps=4, size=24, method=Method(views=2), autocast=False)]

    def few(*_: object) -> int:
        seen.append(2)
        return 2

    whole = made()
    monkeypatch.setattr(optimise, "natural_portion", few)
    for one, other in zip(made(), whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert seen


def test_networks_with_large_layers_take_fewer_pictures_at_once(model: Model) -> None:
    large = load(nn.Sequential(nn.Conv2d(3, 400, 3), nn.ReLU(), nn.Conv2d(400, 64, 3)), size=16)
    assert natural_portion(model, (224, 224)) is None
    assert [natural_portion(large, (side, side)) for side in (64, 160, 224)] == [16, 7, 4]
