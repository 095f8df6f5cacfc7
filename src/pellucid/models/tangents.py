"""Forward-mode derivatives of a few linear functions, by the functions themselves; torch's own take slow ways on CPUs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Map = Callable[[Tensor], Tensor]


class Tangents(TorchFunctionMode):
    """While it is on, the tangents of convolutions and average pools are computed as quickly as their values.

    >>> weight, bias, values, tangent = torch.rand(4, 3, 3, 3), torch.rand(4), torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    >>> with forward_ad.dual_level(), Tangents():
    ...     maps = F.conv2d(forward_ad.make_dual(values, tangent), weight, bias)
    ...     torch.allclose(forward_ad.unpack_dual(maps).tangent, F.conv2d(tangent, weight), atol=1e-5)
    True
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        quick: Any = RULES.get(func, func)
        return quick(*args, **(kwargs or {}))


def _conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **named: Any) -> Tensor:
    """`torch.conv2d`; of the constant bias nothing is left in a tangent."""
    if not _carries(input) or _carries(weight):
        return torch.conv2d(input, weight, bias, *rest, **named)
    return _Affine.apply(
        input, lambda x: torch.conv2d(x, weight, bias, *rest, **named), lambda x: torch.conv2d(x, weight, None, *rest, **named)
    )


def _linear(function: Callable[..., Tensor], input: Tensor, *rest: Any, **named: Any) -> Tensor:
    if not _carries(input):
        return function(input, *rest, **named)
    same: Map = lambda x: function(x, *rest, **named)  # noqa: E731
    return _Affine.apply(input, same, same)


def _carries(input: Tensor) -> bool:
    return forward_ad.unpack_dual(input).tangent is not None


class _Affine(Function):
    """A function of one tensor, and what it does to differences."""

    @staticmethod
    def forward(input: Tensor, function: Map, difference: Map) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return function(input)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Map, Map], output: Tensor) -> None:
        ctx.difference = inputs[2]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.difference(tangent)


RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    F.conv2d: _conv2d,
    F.avg_pool2d: partial(_linear, F.avg_pool2d),
}
