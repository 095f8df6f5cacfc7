"""Memory that runs out: fewer pictures at once, none lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from tests.analysis.attribution.worlds import noise, small

from pellucid.analysis.attribution import METHODS, attribute
from pellucid.errors import PellucidError
from pellucid.models import Model

IMAGES = noise(7)
TARGETS = [f"class:{place % 6}" for place in range(7)]


@contextmanager
def room_for(model: Model, pictures: int, error: Exception) -> Iterator[list[int]]:
    """A network that only so many pictures fit into; the list has how many came."""
    came: list[int] = []

    def check(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        came.append(len(inputs[0]))
        if len(inputs[0]) > pictures:
            raise error

    handle = model.network.register_forward_pre_hook(check)
    try:
        yield came
    finally:
        handle.remove()


ERRORS = [
    torch.OutOfMemoryError("out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("method", ["saliency", "smoothgrad", "integrated-gradients", "occlusion", "grad-cam"])
@pytest.mark.parametrize("error", ERRORS, ids=["CUDA's", "the CPU's", "Python's"])
def test_batches_are_halved_and_nothing_is_lost(method: str, error: Exception) -> None:
    model = small()
    layer = "conv2" if METHODS[method].at_layer else None
    expected = attribute(model, IMAGES, TARGETS, method=method, layer=layer)
    with room_for(model, 2, error) as came:
        found = attribute(model, IMAGES, TARGETS, method=method, layer=layer)
    torch.testing.assert_close(found.map, expected.map, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-6, rtol=1e-4)
    assert max(came) > 2


def test_not_even_one() -> None:
    model = small()
    assert model.layers  # found before
    with room_for(model, 0, ERRORS[0]), pytest.raises(PellucidError, match="images: one of 16 × 16 px does not fit into memory"):
        assert attribute(model, IMAGES, TARGETS, method="saliency")


def test_other_errors_are_the_networks_own() -> None:
    model = small()
    with room_for(model, 2, RuntimeError("something else")), pytest.raises(RuntimeError, match="something else"):
        attribute(model, IMAGES, TARGETS, method="saliency")
