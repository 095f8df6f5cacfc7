"""Copies with other weights."""

from __future__ import annotations

import pytest
import torch
from tests.models.untouched import untouched
from torch import Tensor, nn

from pellucid.models import capture, load
from pellucid.models.untrained import untrained


def test_an_untrained_network_is_the_same_with_other_weights() -> None:
    model = load("terrarium")
    with untouched(model.network):
        blank, again, other = untrained(model), untrained(model), untrained(model, seed=1)
    assert blank.fingerprint() == again.fingerprint() != other.fingerprint()
    assert {name: each.channels for name, each in blank.layers.items()} == {
        name: each.channels for name, each in model.layers.items()
    }
    for (name, before), after in zip(model.network.named_parameters(), blank.network.parameters(), strict=True):
        assert not torch.equal(before, after), name
        if before.ndim > 1:
            assert abs(float(torch.corrcoef(torch.stack([before.detach().flatten(), after.detach().flatten()]))[0, 1])) < 0.2, name


def test_weights_keep_the_variance_of_rectified_activations() -> None:
    """Deep maps are neither dead nor vanishing: with what torch draws by itself a third of these channels are dead."""
    blank = untrained(load("terrarium"))
    for module in blank.network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None and not module.bias.any()
            fan = module.weight[0].numel()
            assert float(module.weight.detach().std()) == pytest.approx((2 / fan) ** 0.5, rel=0.1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        maps = capture(blank, torch.rand(8, 3, 96, 96, generator=generator), ["mixed4b"])["mixed4b"]
    assert (maps.amax((0, 2, 3)) > 0).float().mean() > 0.9


def test_parameters_without_a_way_to_draw_them_keep_mean_and_deviation() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(5 + 2 * torch.randn(3, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.token

    token = next(untrained(load(nn.Sequential(Own()), size=16), seed=3).network.parameters()).detach()
    assert float(token.mean()) == pytest.approx(5, abs=0.3) and float(token.std()) == pytest.approx(2, abs=0.3)
