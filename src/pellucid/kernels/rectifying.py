"""ReLUs of large maps in bfloat16, on their bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from pellucid.kernels.threads import compiled, spread

LARGE = 2**19  # numbers, from which on the loops save more than it takes to call them
SHARE = 2**20  # numbers for each thread, below which torch's threads, which wait for work, are quicker
RUN = 64  # neighbouring numbers, whose signs become one bit each of as many bytes


def relu(input: Float[Tensor, "n c h w"], *, inplace: bool = False) -> Float[Tensor, "n c h w"]:
    """`torch.nn.functional.relu`, bit for bit; quicker, with one bit of each number kept, and before a max pool no backward pass.

    That is so on a CPU, channels-last, in bfloat16, where a gradient is wanted, from half a million numbers on, and from two
    million where torch has several threads. The max pool does the work of the ReLU before it: it gives nothing back to where the
    largest of a window is zero.

    Args:
        input: maps.
        inplace: whether to write into the input, which is returned then.

    >>> relu(torch.tensor([-1.0, 2.0]).reshape(1, 2, 1, 1)).flatten()
    tensor([0., 2.])
    """
    least = LARGE if torch.get_num_threads() == 1 else 2 * SHARE
    if input.numel() >= least and input.requires_grad and _plain(input) and compiled():
        return marked(*_Relu.apply(input, inplace))
    return torch.relu_(input) if inplace else torch.relu(input)


def marked(maps: Tensor, before: Tensor) -> Tensor:
    """The maps, of which `before_relu` then gives the other; both are outputs of one operation, over the same numbers."""
    maps.before_relu = before  # pyright: ignore[reportAttributeAccessIssue]
    return maps


def before_relu(maps: Tensor) -> Tensor | None:
    """The same maps, whose gradient goes on to before their ReLU as it is; None where they are not just what `relu` gave.

    For what gives nothing back to where they are zero.
    """
    before = getattr(maps, "before_relu", None)
    return before if before is not None and before.grad_fn is maps.grad_fn else None


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, inplace: bool) -> tuple[Tensor, Tensor]:
        if inplace:
            ctx.mark_dirty(input)
        output = input if inplace else input.clone()
        ctx.signs = np.empty((math.ceil(output.numel() / (8 * RUN)), RUN), np.uint8)
        _in_rows(compiled().rectify, _bits(output), ctx.signs)
        ctx.set_materialize_grads(False)
        return output, output.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient, masked = gradients
        if gradient is None:
            return masked, None
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(gradient)
        _in_rows(compiled().let_through, _bits(gradient), ctx.signs, _bits(result))
        return result if masked is None else result.add_(masked), None


def _plain(maps: Tensor) -> bool:
    known = type(maps) is Tensor and maps.device.type == "cpu" and maps.dtype == torch.bfloat16 and maps.ndim == 4
    return known and not maps._is_view() and maps.is_contiguous(memory_format=torch.channels_last)


def _bits(maps: Float[Tensor, "n c h w"]) -> NDArray[Any]:
    """The same memory as one row of bfloat16's bits."""
    return maps.detach().permute(0, 2, 3, 1).view(torch.int16).view(-1).numpy()


def _in_rows(loop: Any, values: NDArray[Any], signs: NDArray[Any], *results: NDArray[Any]) -> None:
    spread(lambda first, last: loop(values, signs, *results, first, last), len(signs), SHARE // (8 * RUN))
