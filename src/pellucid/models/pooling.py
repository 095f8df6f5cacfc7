"""Gradients of max pools other than autograd's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@contextmanager
def relaxed_pooling() -> Iterator[None]:
    """Let every value under the window of a max pool have its share of the gradient, and not the greatest alone.

    The gradient is that of mean(x²) / (0.01 + mean|x|) over the window: all of it goes to a value that stands alone, even parts
    to values that are alike. Forward results stay the same bits. What goes to winners alone jumps from place to place, which
    makes gradients noisy (Olah et al. 2018, "The Building Blocks of Interpretability", Distill, notebook on attribution;
    lucid's `MaxPoolSmoothGrad`).

    Covers `F.max_pool2d`, `torch.max_pool2d` and the modules that use them; pools with gaps (dilation), and those that give
    their indices too, stay plain. It sees what `capture` runs; `render` runs networks in another way.

    Example:
        >>> x = torch.tensor([[[3.0, 3.0, 0.0, 0.0]]], requires_grad=True)
        >>> with relaxed_pooling():
        ...     F.max_pool2d(x, (1, 4)).sum().backward()
        >>> x.grad.mul(100).round()
        tensor([[[50., 50.,  0.,  0.]]])
    """
    with _Relax():
        yield


POOLS = frozenset((F.max_pool2d, torch.max_pool2d))
FLOOR = 0.01  # where a window is empty


class _Relax(TorchFunctionMode):
    """Runs max pools as they are, with another gradient."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        return _relaxed(*args, **kwargs) if func in POOLS else func(*args, **kwargs)


def _relaxed(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices or dilation not in (1, (1, 1), [1, 1]):
        return F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, kernel_size, stride, padding, ceil_mode, count_include_pad=False)

    return _RelaxedPool.apply(input, lambda x: F.max_pool2d(x, kernel_size, stride, padding, ceil_mode=ceil_mode), mean)


class _RelaxedPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, pool: Callable[[Tensor], Tensor], mean: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(values)
        ctx.mean = mean
        return pool(values)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (values,), again = ctx.saved_tensors, torch.is_grad_enabled()
        with torch.enable_grad():
            smooth = ctx.mean(values.square()) / (FLOOR + ctx.mean(values.abs()))
            (gradient,) = torch.autograd.grad(smooth, values, incoming, create_graph=again)
        return gradient, None, None
