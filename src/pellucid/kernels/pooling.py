"""Pooling whose gradients are added up in float32; that of max pooling remembers each window's winner in a byte."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pellucid.kernels.rectifying import before_relu
from pellucid.kernels.threads import compiled, spread

Two = tuple[int, int]
PLACES = 255  # of a window, at most; the byte beyond stands for none


def max_pool2d(
    input: Float[Tensor, "n c h w"], kernel: Two, stride: Two, padding: Two, *, ceil_mode: bool
) -> Float[Tensor, "n c p q"]:
    """`torch.nn.functional.max_pool2d`, bit for bit; forward and backward in half of torch's time or less.

    That is so on a CPU, channels-last, in bfloat16 or float32, where a gradient is wanted: there the gradient is added up in
    float32. In an eighth of the memory, too: torch keeps the winners as 64-bit indices.

    Args:
        input: maps.
        kernel, stride, padding: (along height, along width) in pixels.
        ceil_mode: whether windows may hang over the far border.

    >>> max_pool2d(torch.arange(4.0).reshape(1, 1, 2, 2), (2, 2), (2, 2), (0, 0), ceil_mode=False)
    tensor([[[[3.]]]])
    """
    plain = type(input) is Tensor and input.device.type == "cpu" and input.dtype in (torch.float32, torch.bfloat16)
    if plain and input.requires_grad and input.ndim == 4 and prod(kernel) <= PLACES and _last(input) and compiled():
        masked = before_relu(input)
        return _MaxPool.apply(input if masked is None else masked, kernel, stride, padding, ceil_mode, masked is not None)
    return F.max_pool2d(input, kernel, stride, padding, ceil_mode=ceil_mode)


def avg_pool2d(
    input: Float[Tensor, "n c h w"],
    kernel: Two,
    stride: Two,
    padding: Two,
    *,
    ceil_mode: bool,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Float[Tensor, "n c p q"]:
    """`torch.nn.functional.avg_pool2d`, bit for bit; backward in a third of torch's time or less.

    That is so on a CPU, channels-last, in bfloat16, where a gradient is wanted: it is added up in float32.

    Args:
        input: maps.
        kernel, stride, padding: (along height, along width) in pixels.
        ceil_mode: whether windows may hang over the far border.
        count_include_pad: whether the margin counts where the sum is divided.
        divisor_override: by what it is divided instead.

    >>> avg_pool2d(torch.arange(4.0).reshape(1, 1, 2, 2), (2, 2), (2, 2), (0, 0), ceil_mode=False)
    tensor([[[[1.5000]]]])
    """
    options = (kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    plain = type(input) is Tensor and input.device.type == "cpu" and input.dtype == torch.bfloat16
    if plain and input.requires_grad and input.ndim == 4 and _last(input) and compiled():
        return _AveragePool.apply(input, *options)
    return F.avg_pool2d(input, *options)


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, kernel: Two, stride: Two, padding: Two, ceil_mode: bool, masks: bool) -> Tensor:
        sides = (_windows(*each, ceil_mode) for each in zip(input.shape[2:], kernel, stride, padding, strict=True))
        shape = (*input.shape[:2], *sides)
        pooled = torch.empty(shape, dtype=input.dtype, memory_format=torch.channels_last)
        taps = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
        arrays = _array(input), kernel, stride, padding, _array(pooled), _array(taps), masks
        spread(lambda first, last: compiled().pool(*arrays, first, last), shape[0] * shape[2])
        ctx.save_for_backward(taps)
        ctx.geometry, ctx.size = (kernel, stride, padding), input.shape
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,), (taps,) = gradients, ctx.saved_tensors
        result = torch.empty(ctx.size, dtype=gradient.dtype, memory_format=torch.channels_last)
        arrays = _array(gradient.contiguous(memory_format=torch.channels_last)), _array(taps), *ctx.geometry, _array(result)
        spread(lambda first, last: compiled().unpool(*arrays, first, last), ctx.size[0] * ctx.size[2])
        return result, *[None] * 5


class _AveragePool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, *options: Any) -> Tensor:
        ctx.size, ctx.options = input.shape, options
        return F.avg_pool2d(input, *options)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient, (kernel, stride, padding, ceil_mode, *_) = gradients[0].contiguous(memory_format=torch.channels_last), ctx.options
        ones = torch.ones(1, 1, *ctx.size[2:])
        inside = F.avg_pool2d(ones, kernel, stride, padding, ceil_mode, divisor_override=1)
        shares = F.avg_pool2d(ones, *ctx.options) / inside  # of what a window gives for each number in it
        result = torch.empty(ctx.size, dtype=gradient.dtype, memory_format=torch.channels_last)
        arrays = _array(gradient), shares[0, 0].numpy(), kernel, stride, padding, _array(result)
        spread(lambda first, last: compiled().unaverage(*arrays, first, last), ctx.size[0] * ctx.size[2])
        return result, *[None] * len(ctx.options)


def _windows(side: int, kernel: int, stride: int, padding: int, ceil_mode: bool) -> int:
    """How many windows there are along a side: as torch has it, none begins in the far margin."""
    beyond = side + 2 * padding - kernel
    count = (beyond + stride - 1 if ceil_mode else beyond) // stride + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= side + padding else count


def _last(maps: Tensor) -> bool:
    return maps.is_contiguous(memory_format=torch.channels_last)


def _array(maps: Float[Tensor, "n c h w"]) -> NDArray[Any]:
    """The same memory as n h w c; of bfloat16, which numpy has not, the bits."""
    plain = maps.detach().permute(0, 2, 3, 1)
    return (plain.view(torch.int16) if maps.dtype == torch.bfloat16 else plain).numpy()
