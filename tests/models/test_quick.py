from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.models import quick

SIZES = [(9, 9), (12, 7), (5, 16)]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def whole(*shape: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Small whole numbers, of which sums of products are exact even in bfloat16."""
    return torch.randint(-2, 3, shape, generator=generator).to(dtype)


def both(ours: Callable[[Tensor], Tensor], torchs: Callable[[Tensor], Tensor], input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Our gradient, torch's in float64, and our answer."""
    leaf, exact = input.clone().requires_grad_(), input.double().requires_grad_()
    output, wanted = ours(leaf), torchs(exact)
    incoming = torch.randint(-2, 3, output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    (gradient,) = torch.autograd.grad(output, leaf, incoming)
    return gradient.double(), torch.autograd.grad(wanted, exact, incoming.double())[0], output.detach()


def name_of(output: Tensor) -> str:
    assert output.grad_fn is not None
    return output.grad_fn.name()


STRIDES = [(2, 2), (1, 2), (3, 2), (4, 4), (2, 5)]
KERNELS = [(1, 1), (3, 3), (2, 5), (4, 4), (5, 3)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", SIZES)
def test_convolution_over_few_channels(size: tuple[int, int], layout: torch.memory_format, generator: torch.Generator) -> None:
    for stride, kernel, channels in itertools.product(STRIDES, KERNELS, (1, 3, 4)):
        images = whole(2, channels, *size, dtype=torch.float32, generator=generator).contiguous(memory_format=layout)
        weight = whole(5, channels, *kernel, dtype=torch.float32, generator=generator)
        padding = tuple((side - 1) // 2 for side in kernel)
        gradient, wanted, maps = both(
            lambda x, w=weight, s=stride, p=padding: quick.conv2d(x, w, None, s, p),
            lambda x, w=weight, s=stride, p=padding: F.conv2d(x, w.double(), None, s, p),
            images,
        )
        assert torch.equal(gradient, wanted), (stride, kernel, channels)
        assert torch.equal(maps, F.conv2d(images, weight, None, stride, padding))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", SIZES)
def test_convolution_over_each_channel(size: tuple[int, int], layout: torch.memory_format, generator: torch.Generator) -> None:
    for stride, kernel in itertools.product(STRIDES, KERNELS):
        maps = whole(2, 6, *size, dtype=torch.bfloat16, generator=generator).contiguous(memory_format=layout)
        weight = whole(6, 1, *kernel, dtype=torch.bfloat16, generator=generator)
        padding = tuple(side // 2 for side in kernel)
        gradient, wanted, _ = both(
            lambda x, w=weight, s=stride, p=padding: quick.conv2d(x, w, None, s, p, 1, 6),
            lambda x, w=weight, s=stride, p=padding: F.conv2d(x, w.double(), None, s, p, 1, 6),
            maps,
        )
        assert torch.equal(gradient, wanted), (stride, kernel)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("divisor", [None, 1, 3])
def test_average_pooling(size: tuple[int, int], divisor: int | None, generator: torch.Generator) -> None:
    for kernel, stride, ceil, counted in itertools.product(((3, 3), (2, 4)), (1, 2, (1, 3)), (False, True), (False, True)):
        options = (kernel, stride, tuple(side // 2 for side in kernel), ceil, counted, divisor)
        maps = whole(2, 6, *size, dtype=torch.bfloat16, generator=generator).contiguous(memory_format=torch.channels_last)
        ours = lambda x, o=options: quick.avg_pool2d(x, *o)  # noqa: E731
        gradient, wanted, pooled = both(ours, lambda x, o=options: F.avg_pool2d(x, *o), maps)
        torch.testing.assert_close(gradient, wanted, rtol=2**-7, atol=2**-7, msg=lambda text, o=options: f"{o}: {text}")
        assert torch.equal(pooled, F.avg_pool2d(maps, *options))
        assert name_of(ours(maps.requires_grad_())) == "_AveragePoolBackward"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_side_by_side(dtype: torch.dtype, generator: torch.Generator) -> None:
    parts = [
        whole(2, channels, 5, 6, dtype=dtype, generator=generator).contiguous(memory_format=torch.channels_last).requires_grad_()
        for channels in (24, 64, 3)
    ]
    together = quick.cat(parts, 1)
    incoming = whole(2, 91, 5, 6, dtype=dtype, generator=generator).contiguous(memory_format=torch.channels_last)
    gradients = torch.autograd.grad(together, parts, incoming)
    assert torch.equal(together, torch.cat(parts, 1)) and name_of(together) == "_CatBackward"
    for gradient, wanted in zip(gradients, incoming.split([24, 64, 3], 1), strict=True):
        assert torch.equal(gradient, wanted) and gradient.is_contiguous(memory_format=torch.channels_last)


def test_max_pooling_in_all_its_forms(generator: torch.Generator) -> None:
    maps = whole(2, 8, 9, 11, dtype=torch.bfloat16, generator=generator).contiguous(memory_format=torch.channels_last)
    for options in ((2,), ((3, 2), 1), (3, 2, 1), (3, [2, 1], (1, 0), 1, True), (2, None, 0), (2, [])):
        ours = quick.max_pool2d(maps.requires_grad_(), *options)
        assert torch.equal(ours, F.max_pool2d(maps, *options)) and name_of(ours) == "_MaxPoolBackward"
    pooled, places = quick.max_pool2d(maps, 3, 2, return_indices=True)
    assert all(map(torch.equal, (pooled, places), F.max_pool2d(maps, 3, 2, return_indices=True)))


@pytest.mark.parametrize("scale", [None, 0.5])
def test_attention(scale: float | None, generator: torch.Generator) -> None:
    exact = [torch.randn(2, 3, 11, 8, generator=generator).bfloat16().double().requires_grad_() for _ in range(3)]
    ours = [each.detach().bfloat16().requires_grad_() for each in exact]
    output = quick.scaled_dot_product_attention(*ours, None, 0.0, is_causal=False, scale=scale)
    assert torch.equal(output, F.scaled_dot_product_attention(*ours, scale=scale))
    incoming = torch.randn(output.shape, generator=generator).bfloat16()
    gradients = torch.autograd.grad(output, ours, incoming)
    wanted = torch.autograd.grad(F.scaled_dot_product_attention(*exact, scale=scale), exact, incoming.double())
    assert name_of(output) == "_AttentionBackward"
    for gradient, right in zip(gradients, wanted, strict=True):
        assert (gradient.double() - right).norm() < 0.01 * right.norm()


IMAGES = torch.rand(1, 3, 8, 8)
WEIGHT = torch.rand(4, 3, 3, 3)
TOKENS = torch.rand(1, 2, 5, 4, dtype=torch.bfloat16)
MAPS = torch.rand(2, 24, 8, 8).contiguous(memory_format=torch.channels_last)


def _conv(*options: Any, weight: Tensor = WEIGHT, images: Tensor = IMAGES) -> Tensor:
    return quick.conv2d(images.clone().requires_grad_(), weight, None, *options)


def _pool(*options: Any, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return quick.avg_pool2d(MAPS.to(dtype, copy=True).requires_grad_(), *options)


def _attend(*options: Any, key: Tensor = TOKENS) -> Tensor:
    query, other = TOKENS.clone().requires_grad_(), key.clone().requires_grad_()
    return quick.scaled_dot_product_attention(query, other, other, *options)


def _max(*options: Any) -> Tensor:
    return quick.max_pool2d(MAPS.clone().requires_grad_(), *options)


def _beside(dim: int, *others: Tensor) -> Tensor:
    return quick.cat([each.clone().requires_grad_() for each in (MAPS, *others)], dim)


LEFT: dict[str, Callable[[], Tensor]] = {
    "stride 1": lambda: _conv(1),
    "padding same": lambda: _conv(1, "same"),
    "padding beyond the kernel": lambda: _conv(2, 3),
    "dilation": lambda: _conv(2, 1, 2),
    "groups": lambda: _conv(2, 0, 1, 3, weight=torch.rand(6, 1, 3, 3)),
    "each channel in float32": lambda: _conv(2, 0, 1, 3, weight=torch.rand(3, 1, 3, 3)),
    "many channels": lambda: _conv(2, weight=torch.rand(4, 5, 3, 3), images=torch.rand(1, 5, 8, 8)),
    "float64": lambda: _conv(2, weight=WEIGHT.double(), images=IMAGES.double()),
    "one image without a batch": lambda: _conv(2, images=IMAGES[0]),
    "a parameter's gradient": lambda: _conv(2, weight=torch.nn.Parameter(WEIGHT)),
    "pooling in float32": lambda: _pool(3, 1, dtype=torch.float32),
    "dilated pooling": lambda: _max(3, 1, 0, 2),
    "pictures in a row": lambda: _beside(0, MAPS),
    "maps channels-first beside others": lambda: _beside(1, MAPS.contiguous()),
    "whole registers of channels": lambda: quick.cat([torch.rand(1, 32, 4, 4).requires_grad_()] * 2, 1),
    "a mask": lambda: _attend(torch.ones(5, 5, dtype=torch.bool)),
    "causal": lambda: _attend(None, 0.0, True),
    "other tokens": lambda: _attend(key=torch.rand(1, 2, 7, 4, dtype=torch.bfloat16)),
}


@pytest.mark.parametrize("call", LEFT.values(), ids=LEFT)
def test_what_goes_to_torch_as_it_came(call: Callable[[], Tensor]) -> None:
    assert not name_of(call()).startswith("_")


def test_what_does_not() -> None:
    outputs = [_conv(2), _conv((1, 2)), _pool(3, 1), _pool([2], []), _max(3), _max(3, (3, 2)), _attend(), _attend(None, 0.0)]
    kinds = ["_ConvolutionBackward", "_AveragePoolBackward", "_MaxPoolBackward", "_AttentionBackward"]
    assert [name_of(output) for output in outputs] == [kind for kind in kinds for _ in range(2)]


def test_without_gradients_nothing_is_kept() -> None:
    images = IMAGES.clone().requires_grad_()
    with torch.no_grad():
        assert not quick.conv2d(images, WEIGHT, stride=2).requires_grad
    assert quick.conv2d(IMAGES, WEIGHT, stride=2).grad_fn is None


def test_padding_valid_is_none() -> None:
    assert name_of(quick.conv2d(IMAGES.clone().requires_grad_(), WEIGHT, None, 2, "valid")) == "_ConvolutionBackward"
    assert torch.equal(quick.conv2d(IMAGES, WEIGHT, None, 2, "valid"), F.conv2d(IMAGES, WEIGHT, None, 2))


@pytest.mark.parametrize("ours", [True, False])
def test_gradients_of_gradients(ours: bool) -> None:
    images = IMAGES.double().float().requires_grad_()
    maps = (quick.conv2d if ours else F.conv2d)(images, WEIGHT, None, 2)
    (first,) = torch.autograd.grad(maps.square().sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), images)
    linear = lambda x: F.conv_transpose2d(F.conv2d(x, WEIGHT, None, 2), WEIGHT, None, 2, output_padding=1)  # noqa: E731
    torch.testing.assert_close(second, 8 * linear(linear(IMAGES)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_convolution_of_what_nobody_else_keeps_does_not_keep_it(dtype: torch.dtype, layout: torch.memory_format) -> None:
    for kernel, options in ((1, (1, 0)), (3, (1, 1)), (3, (2, 1, 1)), (3, (1, 2, 2)), (3, (1, 1, 1, 2))):
        leaf = torch.rand(2, 8, 9, 9).to(dtype).requires_grad_()
        weight = (
            torch.rand(6, 8 // (options[3] if len(options) > 3 else 1), kernel, kernel).to(dtype).contiguous(memory_format=layout)
        )
        inputs = [leaf.mul(2).contiguous(memory_format=layout) for _ in range(2)]
        kept = weakref.ref(inputs[0].untyped_storage())
        maps, wanted = quick.conv2d(inputs.pop(0), weight, None, *options), F.conv2d(inputs[0], weight, None, *options)
        assert name_of(maps) == "_LeanConvolutionBackward" and torch.equal(maps, wanted)
        incoming = torch.rand(maps.shape).to(dtype).contiguous(memory_format=layout)
        assert all(map(torch.equal, *(torch.autograd.grad(each, leaf, incoming) for each in (maps, wanted))))
        assert kept() is None
    assert name_of(quick.conv2d(leaf.relu(), weight, None, 1, 1, 1, 2)) == "ConvolutionBackward0"  # which the ReLU keeps itself
