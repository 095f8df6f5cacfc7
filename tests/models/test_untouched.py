"""Every function that takes a network leaves it as it was, also when it raises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import Functional, Inplace, Reused, Tokens, Tuples, seeded
from tests.models.untouched import untouched
from torch import Tensor, nn

from pellucid.models import Model, capture, load, logit_attribution, prepared, redirected_relu
from pellucid.models.layer_gradients import derivatives

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MIDDLE = torch.tensor([[1, 1], [2, 1]])


def ascend(model: Model) -> None:
    images = IMAGES.clone().requires_grad_()
    with redirected_relu():
        (-capture(model, images, ["logits"])["logits"].sum()).backward()


def stay(model: Model) -> None:
    with prepared(model):
        model.network(IMAGES)


def derive(model: Model) -> None:
    first = next(iter(model.layers))
    derivatives(model, IMAGES, lambda maps, _: maps["logits"].sum((1, 2, 3)), reads=["logits"], layers=[first])


FUNCTIONS: dict[str, Callable[[Model], object]] = {
    "layers": lambda model: load(model.network, size=32).layers,
    "capture": lambda model: capture(model, IMAGES, list(model.layers)),
    "capture one": lambda model: capture(model, IMAGES, [next(iter(model.layers))]),
    "capture with gradients": ascend,
    "logit_attribution": lambda model: logit_attribution(model, IMAGES, next(iter(model.layers)), MIDDLE),
    "derivatives": derive,
    "prepared": stay,
    "fingerprint": lambda model: model.fingerprint(),
}


class Fault(Exception):
    pass


def _with_history(kind: type[nn.Module]) -> nn.Module:
    """In training mode, one part not, one parameter frozen, with a hook of the user's own."""
    network = seeded(kind).train()
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.eval()
    assert first.bias is not None
    first.bias.requires_grad_(False)
    first.register_forward_hook(lambda *_: None)
    return network


@pytest.mark.parametrize("kind", [Inplace, Functional, Reused, Tokens, Tuples])
@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_left_as_it_was(function: Callable[[Model], object], kind: type[nn.Module]) -> None:
    network = _with_history(kind)
    with untouched(network):
        model = load(network, size=32)
        function(model)


@pytest.mark.parametrize("kind", [Inplace, Functional, Tokens])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("fingerprint", "layers")])
def test_left_as_it_was_when_the_network_raises(name: str, kind: type[nn.Module]) -> None:
    network = _with_history(kind)
    model = load(network, size=32)
    _ = model.layers
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))

    def fail(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise Fault(f"for {len(inputs)} inputs")

    first.register_forward_pre_hook(fail)
    with untouched(network), pytest.raises(Fault):
        FUNCTIONS[name](model)


def test_the_helper_sees_changes() -> None:
    network = seeded(Inplace)
    changes: list[Callable[[], object]] = [
        lambda: network.conv1.weight.data.add_(1e-3),
        lambda: network.train(),
        lambda: network.conv2.weight.requires_grad_(False),
        lambda: network.head.register_forward_hook(lambda *_: None),
        lambda: setattr(network.head, "note", 1),
    ]
    for change in changes:
        with pytest.raises(AssertionError, match="changed"), untouched(network):
            change()
