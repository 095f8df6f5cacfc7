"""What lets many objectives be evaluated at once: those that differ in a number or a vector alone share a form."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Activations = Mapping[str, Tensor]
Where = tuple[int | slice | Tensor, ...]


@dataclass(frozen=True)
class Form:
    """What objectives are that differ in their argument alone, as the channels of a layer do.

    Args:
        key: forms of one key are the same.
        score: from activations, which may be of less than full precision, and arguments (one for all pictures, or one for each) to
            scores in full precision.
    """

    key: Hashable
    score: Callable[[Activations, Sequence[Any]], Float[Tensor, " n"]] = field(compare=False)


def take(maps: Tensor, where: Where) -> Tensor:
    """Some of the activations in full precision, as `maps[where].float()`.

    Of one channel out of hundreds that costs nothing, and the gradient is laid out like the activations, which the network's
    backward pass goes on with (8 pictures of 256 × 54 × 54 in bfloat16: 2 ms, where indexing in full precision takes 24).

    Args:
        maps: of any layout and type.
        where: numbers, slices and index tensors, which name no activation twice.

    >>> take(torch.arange(8.0).reshape(2, 2, 1, 2), (torch.tensor([0, 1]), torch.tensor([1, 0])))
    tensor([[[2., 3.]],
    <BLANKLINE>
            [[4., 5.]]])
    """
    return _Take.apply(maps, where)  # pyright: ignore[reportReturnType]


def along_pictures(arguments: Sequence[int], device: torch.device) -> Where:
    """Which picture and which channel: the one for all pictures, or each picture's own.

    >>> along_pictures([7], torch.device("cpu")), along_pictures([7, 5], torch.device("cpu"))
    ((slice(None, None, None), 7), (tensor([0, 1]), tensor([7, 5])))
    """
    if len(arguments) == 1:
        return slice(None), arguments[0]
    return torch.arange(len(arguments), device=device), torch.tensor(arguments, device=device)


class _Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, where: Where) -> Tensor:
        ctx.save_for_backward(maps)
        ctx.where = where
        return maps[where].float().contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (maps,) = ctx.saved_tensors
        result = torch.zeros_like(maps)
        result[ctx.where] = gradient.to(result.dtype)
        return result, None
