"""Gradients of units behind activation functions that fall before they rise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pellucid.models.model import OUTPUT, Model
from pellucid.models.network import listening

# What autograd calls the gradients of GELU, SiLU (Swish), Mish and hard Swish.
DIPPING = frozenset(("GeluBackward0", "SiluBackward0", "MishBackward0", "HardswishBackward0"))


@contextmanager
def rising(model: Model, layer: str) -> Iterator[None]:
    """While inside, raising a unit of a layer raises what goes into its GELU (or its kin), however low that is.

    These functions have a minimum (GELU's lies at -0.75) left of which they rise again, towards zero from below. A unit that
    the noise of the start puts there is driven ever further from answering by its true gradient. Here its size stays and its
    sign turns, in the layer's own function only: the layer's values, the gradients through functions before it and all
    gradients that lower it are those of torch. For losses that are minimised (`loss = -score`).

    Args:
        model: from `load`.
        layer: whose module returns what such a function gives; nothing changes for another.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.GELU(), nn.Flatten(), nn.Linear(1, 1)), channels=1, size=1)
        >>> low = torch.full((1, 1, 1, 1), -2.0, requires_grad=True)
        >>> with rising(model, "0"):
        ...     torch.autograd.grad(-model.network[0](low).sum(), low)[0] < 0, -model.network[0](low).sum() > 0
        (tensor([[[[True]]]]), tensor(True))
    """
    with listening(model.network, {} if layer == OUTPUT else {layer: _turned}):
        yield


def _turned(output: Any) -> None:
    if isinstance(output, Tensor) and output.grad_fn is not None and output.grad_fn.name() in DIPPING:
        # where a negative gradient comes in, descending is to raise the output
        output.grad_fn.register_hook(lambda plain, incoming: (torch.where(incoming[0] < 0, -plain[0].abs(), plain[0]),))
