"""Every method leaves networks of every habit as they were, also when these raise in the middle."""

from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import noise
from tests.models.networks import Functional, Inplace, Reused, Tokens, Tuples, seeded
from tests.models.untouched import untouched
from torch import nn

from pellucid.analysis.attribution import METHODS, attribute
from pellucid.errors import UsageError
from pellucid.models import load

IMAGES = noise(2, 16)


class Fault(Exception):
    pass


@pytest.mark.parametrize("kind", [Inplace, Functional, Reused, Tokens, Tuples])
@pytest.mark.parametrize("method", METHODS)
def test_left_as_it_was(method: str, kind: type[nn.Module]) -> None:
    """In training mode, one parameter frozen, with a hook of the user's own; also where the method refuses the network."""
    network = seeded(kind).train()
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.eval().weight.requires_grad_(False)
    first.register_forward_hook(lambda *_: None)
    before = IMAGES.clone()
    with untouched(network):
        model = load(network, size=16)
        layer = next(iter(model.layers)) if METHODS[method].at_layer else None
        refused = (kind is Tokens and method in ("guided", "deconvnet", "cam")) or (kind is not Tokens and method == "rollout")
        if refused:
            with pytest.raises(UsageError):
                attribute(model, IMAGES, "class:1", method=method, layer=layer)
        else:
            assert attribute(model, IMAGES, "class:1", method=method, layer=layer).map.isfinite().all()
    assert torch.equal(IMAGES, before) and not IMAGES.requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_left_as_it_was_when_the_network_raises(method: str) -> None:
    network = seeded(Inplace)
    model = load(network, size=16)
    assert model.layers
    last = network.get_submodule("conv2")
    last.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(Fault))
    with untouched(network), pytest.raises(Fault):
        attribute(model, IMAGES, "class:1", method=method, layer="conv1" if METHODS[method].at_layer else None)


def test_rules_are_taken_off_again() -> None:
    """After guided backpropagation the gradient is the plain one."""
    model = load(seeded(Functional), size=16)
    before = attribute(model, IMAGES, "class:1", method="saliency").map
    attribute(model, IMAGES, "class:1", method="guided")
    attribute(model, IMAGES, "class:1", method="deconvnet")
    assert torch.equal(attribute(model, IMAGES, "class:1", method="saliency").map, before)


@pytest.mark.parametrize("method", [each for each in METHODS if each != "rollout"])
def test_inference_mode_is_said_where_gradients_are_needed(method: str) -> None:
    model = load(seeded(Inplace), size=16)
    wanted = attribute(model, IMAGES, "class:1", method=method).map
    with torch.inference_mode():
        if method == "occlusion":
            torch.testing.assert_close(attribute(model, IMAGES, "class:1", method=method).map, wanted)
        else:
            with pytest.raises(UsageError, match=r"inference_mode\(\) is on, .*; call this outside, or in torch.no_grad\(\)"):
                attribute(model, IMAGES, "class:1", method=method)
    with torch.no_grad():
        torch.testing.assert_close(attribute(model, IMAGES, "class:1", method=method).map, wanted)
