"""In which order the numbers of maps lie in memory: channels last where that is the quicker one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def memory_format(device: torch.device, *, bfloat16: bool = False) -> torch.memory_format:
    """How pictures had best lie when they go through a network: channels last on a CPU, and on a GPU in bfloat16.

    >>> memory_format(torch.device("cpu"))
    torch.channels_last
    """
    pays = device.type == "cpu" or (device.type == "cuda" and bfloat16)
    return torch.channels_last if pays else torch.preserve_format


def layout_of(maps: Tensor) -> torch.memory_format:
    """How maps lie: channels last, or else channels first.

    >>> layout_of(torch.rand(2, 3, 4, 4))
    torch.contiguous_format
    """
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last and not maps.is_contiguous() else torch.contiguous_format


def view(tensor: Tensor, *shape: Any, **named: Any) -> Tensor:
    """`Tensor.view`, also of maps that lie channels last, which cannot be flattened where they are.

    >>> view(torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last), 2, -1).shape
    torch.Size([2, 48])
    """
    try:
        return tensor.view(*shape, **named)
    except RuntimeError:
        return tensor.contiguous().view(*shape, **named)


class Views(TorchFunctionMode):
    """While it is on, networks that flatten maps with `Tensor.view` can do so however the maps lie.

    >>> with Views():
    ...     torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).view(2, -1).shape
    torch.Size([2, 48])
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        return (view if func is Tensor.view else func)(*args, **(kwargs or {}))
