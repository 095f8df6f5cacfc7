"""Max pools whose gradient is shared, against one window at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.models.networks import seeded
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.models import capture, load, logit_attribution, relaxed_pooling

SETTINGS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": (2, 3), "stride": (1, 2), "padding": (0, 1)},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
]


def starts(side: int, kernel: int, stride: int, padding: int, out: int) -> list[range]:
    return [range(max(0, at * stride - padding), min(side, at * stride - padding + kernel)) for at in range(out)]


def pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def shared_one_window_at_a_time(values: Tensor, incoming: Tensor, setting: dict[str, Any]) -> Tensor:
    """The derivative of sum(x²) / (0.01 n + sum |x|) over each window of n values, times what comes in there."""
    kernel, padding = pair(setting["kernel_size"]), pair(setting.get("padding", 0))
    stride = pair(setting.get("stride", kernel))
    spans = [starts(values.shape[axis + 2], kernel[axis], stride[axis], padding[axis], incoming.shape[axis + 2]) for axis in (0, 1)]
    gradient = torch.zeros_like(values)
    for n in range(values.shape[0]):
        for c in range(values.shape[1]):
            for row, rows in enumerate(spans[0]):
                for col, cols in enumerate(spans[1]):
                    window = [(i, j) for i in rows for j in cols]
                    squares = sum(float(values[n, c, i, j]) ** 2 for i, j in window)
                    total = 0.01 * len(window) + sum(abs(float(values[n, c, i, j])) for i, j in window)
                    for i, j in window:
                        x = float(values[n, c, i, j])
                        share = 2 * x / total - math.copysign(1, x) * squares / total**2
                        gradient[n, c, i, j] += share * incoming[n, c, row, col]
    return gradient


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_gradients_one_window_at_a_time(setting: dict[str, Any], format: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 2, 7, 9, generator=generator, dtype=torch.float64).to(memory_format=format).requires_grad_()
    with relaxed_pooling():
        output = nn.MaxPool2d(**setting)(values)
    assert torch.equal(output, F.max_pool2d(values, **setting))
    incoming = torch.randn(output.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(output, values, incoming)
    torch.testing.assert_close(gradient, shared_one_window_at_a_time(values.detach(), incoming, setting))


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.MaxPool2d": nn.MaxPool2d(3, 2),
    "F.max_pool2d": lambda x: F.max_pool2d(x, 3, 2),
    "torch.max_pool2d": lambda x: torch.max_pool2d(x, 3, 2),
    "by name": lambda x: torch.max_pool2d(x, kernel_size=[3, 3], stride=[2, 2], dilation=[1, 1]),
}
PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "with gaps": nn.MaxPool2d(2, 2, dilation=2),
    "with indices": lambda x: F.max_pool2d(x, 3, 2, return_indices=True)[0],  # type: ignore[index]
}


@pytest.mark.parametrize("pool", (FORMS | PLAIN).values(), ids=FORMS | PLAIN)
def test_which_pools_are_relaxed(pool: Callable[[Tensor], Tensor]) -> None:
    values = torch.rand(1, 2, 9, 9, generator=torch.Generator().manual_seed(1)).requires_grad_()
    plain = torch.autograd.grad(pool(values).sum(), values)[0]
    with relaxed_pooling():
        output = pool(values)
        found = torch.autograd.grad(output.sum(), values)[0]
    assert torch.equal(output, pool(values))
    assert torch.equal(found, plain) == (pool in PLAIN.values())
    if pool in FORMS.values():
        assert (found != 0).float().mean() > 0.9 > 0.3 > (plain != 0).float().mean()
    assert torch.equal(torch.autograd.grad(pool(values).sum(), values)[0], plain)  # and plain again outside


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool, self.head = nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.conv(x)).square().mean((2, 3)))


def test_attributions_are_relaxed_too() -> None:
    """Which takes a derivative of the derivative."""
    model = load(seeded(Pooled), size=10)
    images, positions = torch.rand(3, 3, 10, 10), torch.tensor([[2, 5]] * 3)
    with relaxed_pooling():
        vectors, attributions = logit_attribution(model, images, "conv", positions)
        leaf = capture(model, images, ["conv"])["conv"].detach().requires_grad_()
        logits = model.network.get_submodule("head")(F.max_pool2d(leaf, 2).square().mean((2, 3)))
        for index in range(5):
            (gradient,) = torch.autograd.grad(logits[:, index].sum(), leaf, retain_graph=True)
            torch.testing.assert_close((gradient * leaf)[:, :, 2, 5].sum(1), attributions[:, index])
    plain = logit_attribution(model, images, "conv", positions)
    assert torch.equal(vectors, plain[0]) and not torch.allclose(attributions, plain[1])
