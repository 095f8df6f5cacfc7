"""Which layers span a network."""

from __future__ import annotations

import pytest
from torch import nn

from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.models.spanning import fine_layers, spanning_layers


def net(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))


def halving(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride=2, padding=1)


def test_the_last_map_of_each_size_in_the_networks_order() -> None:
    model = load(net(halving(3, 8), nn.ReLU(), halving(8, 16), nn.ReLU(), halving(16, 16), halving(16, 16), nn.ReLU()), size=64)
    assert spanning_layers(model) == ["1", "3", "4", "6"]
    assert spanning_layers(model, 2) == ["4", "6"]
    assert fine_layers(model) == ["1", "3", "4"]  # the last one's positions are 16 pixels apart


def test_all_of_them_where_none_is_fine() -> None:
    model = load(net(nn.Conv2d(3, 16, 16, stride=16), nn.ReLU()), size=64)
    assert fine_layers(model) == spanning_layers(model) == ["1"]


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(UsageError, match="no layer with maps"):
        spanning_layers(load(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 5)), size=4))


def test_what_only_hands_on_is_passed_over() -> None:
    model = load(net(halving(3, 16), nn.ReLU(), nn.Dropout(), nn.Identity()), size=32)
    assert spanning_layers(model) == ["1"]


def test_a_trunk_is_passed_over_for_its_last_part_and_a_stage_is_not() -> None:
    stage = nn.Sequential(halving(8, 16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
    trunk = nn.Sequential(halving(3, 8), nn.ReLU(), stage)
    assert spanning_layers(load(net(trunk), size=32)) == ["0.1", "0.2"]
