"""Units behind GELU and its kin, which start where these fall."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pellucid.models import load
from pellucid.vis import render
from pellucid.vis.rising import rising

FUNCTIONS = [nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish()]
LOW = torch.linspace(-2.9, 2.9, 59)


def gradient(network: nn.Module, values: torch.Tensor, sign: float) -> torch.Tensor:
    values = values.clone().requires_grad_()
    return torch.autograd.grad(sign * network(values).sum(), values)[0]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_only_the_sign_of_what_lowers_a_raised_unit_turns(function: nn.Module) -> None:
    network = nn.Sequential(function, nn.Flatten(), nn.Linear(59, 2))
    model, values = load(network, channels=1, size=(1, 59)), LOW[None, None, None]
    plain = gradient(function, values, -1.0)
    assert (plain > 0).any()  # where the function falls, descending a loss lowers what goes in
    with rising(model, "0"):
        assert torch.equal(gradient(function, values, -1.0), -plain.abs())
        assert torch.equal(gradient(function, values, 1.0), -plain)  # who wants the unit low gets the true gradient
        assert torch.equal(function(values), type(function).forward(function, values))
    assert torch.equal(gradient(function, values, -1.0), plain)


def test_functions_of_other_layers_and_other_functions_stay() -> None:
    network = nn.Sequential(nn.GELU(), nn.Tanh(), nn.GELU(), nn.Flatten(), nn.Linear(59, 2))
    model, values = load(network, channels=1, size=(1, 59)), LOW[None, None, None]
    plain = gradient(network[0], values, -1.0), gradient(network[:2], values, -1.0)
    for layer in ("1", "2", "4", "logits"):
        with rising(model, layer):
            assert torch.equal(gradient(network[0], values, -1.0), plain[0])
            assert torch.equal(gradient(network[:2], values, -1.0), plain[1])


def test_a_unit_far_below_is_raised_until_it_answers() -> None:
    network = nn.Sequential(nn.GELU(), nn.Flatten(), nn.Linear(1, 1))
    model = load(network, channels=1, size=1)
    ends = []
    for layer in ("0", "1"):
        value = torch.full((1, 1, 1, 1), -3.0, requires_grad=True)
        optimiser = torch.optim.Adam([value], lr=0.1)
        with rising(model, layer):
            for _ in range(64):
                optimiser.zero_grad()
                (-network[0](value).sum()).backward()
                optimiser.step()
        ends.append(F.gelu(value).item())
    assert ends[0] > 1
    assert -0.01 < ends[1] <= 0  # by its true gradient it goes the other way, for ever


def test_render_raises_units_that_start_far_below() -> None:
    """Channel 0 answers to light and channel 1 to darkness, and the grey of the start lies left of both minima."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.GELU())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([2.0, -2.0])[:, None, None, None].expand(2, 3, 1, 1))
        network[0].bias.copy_(torch.tensor([-4.5, 1.5]))
    light, dark = render(load(network, size=32, mean=(0, 0, 0), std=(1, 1, 1)), ["1:0", "1:1"], steps=32, autocast=False)
    assert light.score > 0.3
    assert dark.score > 0.3
    assert light.image.mean() > 0.7 > 0.3 > dark.image.mean()
