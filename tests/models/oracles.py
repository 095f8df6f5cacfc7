"""Slow, obvious second ways to the same answers."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.models.network import tensor_of


class Linearised(TorchFunctionMode):
    """Activations become the identity and maxima become means, so that every value that could matter does."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "").strip("_")
        if name in ("relu", "relu6", "hardtanh"):
            return args[0]
        if name == "max_pool2d":
            given = dict(zip(("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"), args, strict=False)) | kwargs
            assert given.pop("dilation", 1) in (1, (1, 1))
            given.pop("return_indices", None)
            return F.avg_pool2d(**given)
        return func(*args, **kwargs)


def gradient_boxes(
    network: nn.Module, layers: list[str], inputs: Tensor, positions: list[tuple[int, int]]
) -> dict[tuple[str, int, int], tuple[int, ...]]:
    """The smallest box around the pixels with a gradient, by layer and position, in the network made linear and positive."""
    network = copy.deepcopy(network).double().eval()
    for parameter in network.parameters():
        parameter.data = torch.rand_like(parameter) + 0.1
        parameter.data /= max(1, parameter[0].numel())
    kept: dict[str, Tensor] = {}
    for name in layers:
        network.get_submodule(name).register_forward_hook(lambda _m, _i, output, name=name: kept.update({name: tensor_of(output)}))
    inputs = inputs.double().requires_grad_()
    boxes = {}
    with Linearised():
        network(inputs)
        for name, output in kept.items():
            for row, col in positions:
                row_, col_ = row % output.shape[2], col % output.shape[3]
                (gradient,) = torch.autograd.grad(output[0, :, row_, col_].sum(), inputs, retain_graph=True)
                rows, cols = gradient[0].abs().sum(0).nonzero().unbind(1)
                if not len(rows):
                    continue  # the position lies wholly in the padding
                boxes[name, row_, col_] = (int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1)
    return boxes


def attribution_one_class_at_a_time(network: nn.Module, inputs: Tensor, layer: str, vector: Any) -> tuple[Tensor, Tensor]:
    """Activation and activation times gradient at one place of one layer: one backward pass for each class.

    Args:
        vector: from the layer's raw output of one picture to the activations looked at.
    """
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> Tensor:
        kept[:] = [output.detach().clone().requires_grad_()]
        return kept[0].clone()

    handle = network.get_submodule(layer).register_forward_hook(keep)
    logits = network(inputs)
    handle.remove()
    activations = torch.stack([vector(each) for each in kept[0]])
    rows = []
    for index in range(logits.shape[1]):
        (gradient,) = torch.autograd.grad(logits[:, index].sum(), kept[0], retain_graph=True)
        rows.append((activations * torch.stack([vector(each) for each in gradient])).sum(1))
    return activations.detach(), torch.stack(rows, 1).detach()
