"""Quick tangents against torch's own forward mode, and maps that lie channels last against those that do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import seeded
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F

from pellucid.models import capture, load, logit_attribution
from pellucid.models.strides import Views, view
from pellucid.models.tangents import RULES, Tangents

WEIGHT, BIAS = torch.randn(9, 2, 3, 3), torch.randn(9)
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "convolution": lambda x: F.conv2d(x, WEIGHT, BIAS, 2, 1, 1, 3),
    "of names": lambda x: F.conv2d(x, WEIGHT, bias=BIAS, padding="same", groups=3),
    "average": lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "average of names": lambda x: F.avg_pool2d(x.relu(), kernel_size=(2, 3), stride=1, padding=1),
}
RULE_OF = {"convolution": F.conv2d, "average": F.avg_pool2d}


def both(function: Callable[[Tensor], Tensor], layout: torch.memory_format) -> list[Tensor]:
    """Value and tangent, by our rules and by torch's."""
    values, tangent = (each.contiguous(memory_format=layout) for each in torch.randn(2, 3, 6, 9, 7))
    found = []
    for quick in (True, False):
        with torch.no_grad(), forward_ad.dual_level():
            dual = forward_ad.make_dual(values, tangent)
            if quick:
                with Tangents():
                    output = function(dual)
            else:
                output = function(dual)
            found += [each.clone() for each in forward_ad.unpack_dual(output)]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the first use of forward mode in a process
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_tangents_are_those_of_torch(name: str, layout: torch.memory_format) -> None:
    value, tangent, wanted, slow = both(FUNCTIONS[name], layout)
    assert value.shape == wanted.shape and tangent.abs().sum() > 0
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(tangent, slow)


def test_each_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, function in RULE_OF.items():
        with monkeypatch.context() as patched:
            patched.setitem(RULES, function, lambda *args, **named: pytest.fail("used"))
            with pytest.raises(pytest.fail.Exception, match="used"):
                both(FUNCTIONS[name], torch.channels_last)


class Viewed(nn.Module):
    """Maps that are flattened where they lie, as older networks do it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8 * 16 * 12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().view(x.size(0), -1))


def test_networks_that_view_maps_as_vectors_run_and_their_maps_can_be_viewed() -> None:
    model, images = load(seeded(Viewed), size=(32, 24)), torch.rand(2, 3, 32, 24)
    maps = capture(model, images, ["conv", "logits"])
    with torch.no_grad():
        torch.testing.assert_close(maps["conv"], model.network.conv(model.preprocess(images)))  # pyright: ignore
        torch.testing.assert_close(maps["logits"].flatten(1), model.network(model.preprocess(images)))
    assert maps["conv"].view(2, -1).shape == (2, 8 * 16 * 12)
    rows = torch.tensor([[3, 4], [0, 0]])
    vectors, attributions = logit_attribution(model, images, "conv", rows)
    assert torch.equal(vectors, maps["conv"][torch.arange(2), :, rows[:, 0], rows[:, 1]]) and attributions.shape == (2, 6)


def test_views_that_are_possible_stay_views_and_others_are_refused_as_ever() -> None:
    tensor = torch.zeros(2, 3, 4, 4)
    with Views():
        tensor.view(2, -1)[0, 0] = 1
        assert tensor[0, 0, 0, 0] == 1
        with pytest.raises(RuntimeError, match="invalid for input"):
            tensor.to(memory_format=torch.channels_last).view(5, -1)
    assert view(tensor, torch.int32).dtype == torch.int32
