"""Torch's functions with the same answers, bit for bit, and quicker gradients with respect to what they are applied to.

Each answers a weak side of torch's kernels for CPUs, and only where that was measured to pay: on a CPU, where the gradient of
the input is wanted and that of the weights is not. Everything else goes to torch as it came.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pellucid import kernels
from pellucid.models.receptive import Pair, pair
from pellucid.models.relus import redirecting
from pellucid.models.strides import layout_of

FEW = 4  # channels of a picture; oneDNN computes with eight or sixteen at a time
LANES = 32  # of bfloat16 in one instruction; views of fewer channels, or of others, are ten times as slow as wholes
SCORES = 2**22  # of attention in one picture that are computed at once, in some 80 MB

Two = tuple[int, int]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.conv2d`; quicker where it strides over a picture's channels, or in bfloat16 over each channel for itself.

    Example:
        >>> images, weight = torch.rand(1, 3, 9, 9, requires_grad=True), torch.rand(8, 3, 5, 5)
        >>> maps = conv2d(images, weight, stride=2)
        >>> torch.equal(maps, torch.conv2d(images, weight, stride=2)), maps.grad_fn.name()
        (True, '_ConvolutionBackward')
    """
    steps, margins = pair(stride), (0, 0) if isinstance(padding, str) else pair(padding)
    plain = padding != "same" and pair(dilation) == (1, 1) and all(m < k for m, k in zip(margins, weight.shape[2:], strict=True))
    over_few = groups == 1 and weight.shape[1] <= FEW
    over_each = groups == weight.shape[0] == input.shape[1] and weight.dtype == torch.bfloat16
    if _pays(input) and not _learning(weight, bias):
        if steps != (1, 1) and plain and (over_few or over_each):
            return _Convolution.apply(input, weight, bias, steps, margins, groups)
        if not isinstance(padding, str) and not _kept(input):
            return _LeanConvolution.apply(input, weight, bias, steps, margins, pair(dilation), groups)
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)  # pyright: ignore[reportArgumentType, reportCallIssue]


def avg_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """`torch.nn.functional.avg_pool2d`; quicker where `pellucid.kernels` are.

    Example:
        >>> maps = torch.rand(1, 4, 9, 9, requires_grad=True)
        >>> avg_pool2d(maps, 3, stride=2).shape
        torch.Size([1, 4, 4, 4])
    """
    kernel = pair(kernel_size)
    steps = pair(stride) if stride not in (None, (), []) else kernel
    return kernels.avg_pool2d(
        input,
        kernel,
        steps,
        pair(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )


def max_pool2d(
    input: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`torch.nn.functional.max_pool2d`; quicker where `pellucid.kernels` are.

    Example:
        >>> maps = torch.rand(1, 4, 9, 9, requires_grad=True)
        >>> max_pool2d(maps, 3, stride=2).shape
        torch.Size([1, 4, 4, 4])
    """
    if return_indices or pair(dilation) != (1, 1):
        several: Any = F.max_pool2d  # of two forms, by its last argument
        return several(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    kernel = pair(kernel_size)
    steps = pair(stride) if stride not in (None, (), []) else kernel
    return kernels.max_pool2d(input, kernel, steps, pair(padding), ceil_mode=ceil_mode)


def cat(tensors: Sequence[Tensor], dim: int = 0, **named: Any) -> Tensor:
    """`torch.cat`; quicker where maps of few channels are put side by side, whose gradients come back as wholes and not as views.

    Example:
        >>> maps = torch.rand(1, 4, 9, 9, requires_grad=True).to(memory_format=torch.channels_last)
        >>> cat([maps, maps], 1).grad_fn.name()
        '_CatBackward'
    """
    maps = dim == 1 and not named and all(_pays(each) and layout_of(each) == torch.channels_last for each in tensors)
    befores = [before for each in tensors if (before := kernels.before_relu(each)) is not None] if maps else []
    rectified = 0 < len(befores) == len(tensors)
    if maps and (rectified or any(each.shape[1] % LANES for each in tensors)):
        output, before = _Cat.apply(len(tensors), *tensors, *(befores if rectified else ()))
        return kernels.marked(output, before) if rectified else output
    return torch.cat(tensors, dim, **named)  # pyright: ignore[reportArgumentType]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """`torch.nn.functional.relu`; quicker where `pellucid.kernels` are, unless its gradient is redirected.

    Example:
        >>> relu(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    torchs: Any = torch.relu_ if inplace else torch.relu
    return torchs(input) if redirecting() else kernels.relu(input, inplace=inplace)


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **named: Any) -> Tensor:
    """`torch.nn.functional.scaled_dot_product_attention`; quicker in bfloat16 where every token attends to every other.

    Example:
        >>> tokens = torch.rand(1, 2, 5, 4, dtype=torch.bfloat16, requires_grad=True)
        >>> scaled_dot_product_attention(tokens, tokens, tokens, dropout_p=0.0).grad_fn.name()
        '_AttentionBackward'
    """
    options = [*rest, *(each for name, each in named.items() if name != "scale")]  # a mask, dropout, causality, shared heads
    plain = not any(isinstance(each, Tensor) or each for each in options)
    alike = query.shape == key.shape == value.shape and query.dtype == key.dtype == value.dtype == torch.bfloat16
    few = query.ndim == 4 and query.shape[1] * query.shape[2] ** 2 <= SCORES
    if plain and alike and few and all(map(_pays, (query, key, value))):
        return _Attention.apply(query, key, value, named.get("scale"))
    return F.scaled_dot_product_attention(query, key, value, *rest, **named)


QUICK: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.conv2d: conv2d,
    torch.cat: cat,
    F.avg_pool2d: avg_pool2d,
    F.max_pool2d: max_pool2d,
    torch.max_pool2d: max_pool2d,
    **dict.fromkeys((F.relu, torch.relu, Tensor.relu), relu),
    **dict.fromkeys((torch.relu_, Tensor.relu_), partial(relu, inplace=True)),
    F.scaled_dot_product_attention: scaled_dot_product_attention,
}


def _pays(input: Tensor) -> bool:
    known = type(input) is Tensor and input.device.type == "cpu" and input.dtype in (torch.float32, torch.bfloat16)
    return known and input.ndim == 4 and _learning(input) and torch.backends.mkldnn.is_available()


def _learning(*tensors: Tensor | None) -> bool:
    return any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _kept(input: Tensor) -> bool:
    """Whether the input stays in memory in any case: as somebody's tensor, or for the gradient of the ReLU that gave it."""
    return input.grad_fn is None or input.grad_fn.name() == "ReluBackward0"


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Two, padding: Two, groups: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.how = _in_blocks if groups == 1 else _spread
        ctx.geometry = (input.shape[2:], stride, padding)
        return torch.conv2d(input, weight, bias, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        return ctx.how(gradient, weight.to(gradient.dtype), *ctx.geometry), None, None, None, None, None


class _LeanConvolution(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.options = input.shape, options
        ctx.layout = layout_of(input)
        return torch.conv2d(input, weight, bias, *options)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (weight,), (stride, padding, dilation, groups) = gradients, ctx.saved_tensors, ctx.options
        input = _unwritten(ctx.shape, gradient.dtype, ctx.layout)  # of which only these count
        options = (None, stride, padding, dilation, False, (0, 0), groups, (True, False, False))
        found, *_ = torch.ops.aten.convolution_backward(gradient, input, weight.to(gradient.dtype), *options)
        return found, *[None] * 6


def _unwritten(shape: torch.Size, dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
    """Maps that nobody may write to or read: they take no memory."""
    count, channels, height, width = shape
    numbers = _reserved(math.ceil(math.log2(shape.numel() * dtype.itemsize))).view(dtype)[: shape.numel()]
    if layout == torch.channels_last:
        return numbers.view(count, height, width, channels).movedim(3, 1)
    return numbers.view(shape)


@cache
def _reserved(power: int) -> Tensor:
    """So many bytes, as a power of two, that the system has promised and will not give before somebody writes to them."""
    return torch.frombuffer(mmap.mmap(-1, 2**power), dtype=torch.uint8)


class _Cat(Function):
    """Maps side by side, twice: the second answer gives its gradient to what came behind the maps, in their order."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        ctx.channels, ctx.twice = [each.shape[1] for each in tensors[:count]], len(tensors) > count
        ctx.set_materialize_grads(False)
        output = torch.cat(tensors[:count], 1)
        return output, output.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *(part for each in gradients[: 1 + ctx.twice] for part in _parts(each, ctx.channels))


def _parts(gradient: Tensor | None, channels: Sequence[int]) -> list[Tensor | None]:
    if gradient is None:
        return [None] * len(channels)
    return [each.contiguous(memory_format=torch.channels_last) for each in gradient.split(channels, 1)]


class _Attention(Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.scale = query.shape[-1] ** -0.5 if scale is None else scale
        return F.scaled_dot_product_attention(query, key, value, scale=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pictures = zip(*(tensor.split(1) for tensor in (*ctx.saved_tensors, *gradients)), strict=True)
        parts = zip(*(_attention(ctx.scale, *each) for each in pictures), strict=True)
        return *map(torch.cat, parts), None


def _in_blocks(gradient: Tensor, weight: Tensor, size: Two, stride: Two, padding: Two) -> Tensor:
    """A convolution of stride s is one of stride 1 over blocks of s × s pixels, each pixel of a block being further channels.

    As in the sub-pixel convolution of Shi et al., CVPR 2016, section 3.2.
    """
    (rows, columns), (high, wide) = stride, weight.shape[2:]
    filled = F.pad(weight, (0, -wide % columns, 0, -high % rows))
    blocks = filled.unflatten(3, (-1, columns)).unflatten(2, (-1, rows))  # o c K r L s
    kernel = blocks.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)  # o (r s c) K L
    cells = F.conv_transpose2d(gradient, kernel).movedim(1, 3).unflatten(3, (rows, columns, -1))  # n i j r s c
    pixels = cells.transpose(2, 3).flatten(3, 4).flatten(1, 2).movedim(3, 1)  # n c (i r) (j s)
    return _framed(pixels, padding, size)


def _spread(gradient: Tensor, weight: Tensor, size: Two, stride: Two, padding: Two) -> Tensor:
    """A convolution of each channel for itself, turned around: the positions set s apart among zeros, and a stride of 1."""
    kernel, positions = weight.shape[2:], gradient.shape[2:]
    margins = tuple(taps - 1 - before for taps, before in zip(kernel, padding, strict=True))
    if stride != (1, 1):
        # So many that the convolution gives no less than the size; more are needed where the last window is not at the end.
        spans = [(count - 1) * step + 1 for count, step in zip(positions, stride, strict=True)]
        wanted = [side + taps - 1 - 2 * margin for side, taps, margin in zip(size, kernel, margins, strict=True)]
        height, width = map(max, spans, wanted)
        spread = gradient.new_zeros(len(gradient), height, width, len(weight)).movedim(3, 1)
        spread[:, :, : spans[0] : stride[0], : spans[1] : stride[1]] = gradient
        gradient = spread
    pixels = F.conv2d(gradient, weight.flip(2, 3), padding=margins, groups=len(weight))
    return pixels if pixels.shape[2:] == size else _framed(pixels, (0, 0), size)


def _framed(pixels: Tensor, corner: Two, size: Two) -> Tensor:
    """The window of this size whose upper left corner is there, with zeros where there are no pixels."""
    (top, left), (height, width) = corner, pixels.shape[2:]
    return F.pad(pixels, (-left, size[1] + left - width, -top, size[0] + top - height))


def _attention(scale: float, query: Tensor, key: Tensor, value: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of one picture's attention; its weights are computed again, and in float32, as torch has them."""
    weights = (query.float().mul_(scale) @ key.float().mT).softmax(-1)
    along = (gradient @ value.mT).float()
    scores = weights * along
    along -= scores.sum(-1, keepdim=True)
    scores = torch.mul(weights, scale, out=scores).mul_(along).to(query.dtype)
    weights = weights.to(query.dtype)
    return scores @ key, scores.mT @ query, weights.mT @ gradient
