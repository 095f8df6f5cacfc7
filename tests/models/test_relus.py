"""ReLUs that let gradients through where they would block all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import Functional, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.models import capture, load, redirected_relu

RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "torch.relu": torch.relu,
    "torch.relu_": lambda x: torch.relu_(x.clone()),
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.clone().relu_(),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x.clone(), True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "F.hardtanh in place": lambda x: F.hardtanh_(x.clone(), 0.0, max_val=6.0),
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": lambda x: nn.ReLU(inplace=True)(x.clone()),
    "nn.ReLU6": nn.ReLU6(),
    "nn.Hardtanh": nn.Hardtanh(0.0, 6.0),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_redirected_gradients_picture_by_picture(relu: Callable[[Tensor], Tensor], format: torch.memory_format) -> None:
    values = torch.tensor([[-2.0, -1.0], [-2.0, 1.0]])[:, :, None, None].to(memory_format=format).requires_grad_()
    incoming = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])[:, :, None, None]
    with redirected_relu():
        output = relu(values)
        output.backward(incoming)
    assert torch.equal(output, values.detach().clamp(min=0))
    assert values.grad is not None
    # The dead picture passes what raises its values (descending a negative gradient does), not what lowers them.
    assert values.grad.flatten().tolist() == [-1.0, 0.0, 0.0, 1.0]


def test_above_six_only_what_lowers_passes() -> None:
    values = torch.tensor([[8.0, 9.0]], requires_grad=True)
    with redirected_relu():
        F.relu6(values).backward(torch.tensor([[1.0, -1.0]]))
    assert values.grad is not None and values.grad.tolist() == [[1.0, 0.0]]


def test_hardtanh_keeps_its_own_bounds() -> None:
    values = torch.tensor([[-0.5, 0.5, 3.0]])
    with redirected_relu():
        for given in (values, values.clone().requires_grad_()):
            assert torch.equal(F.hardtanh(given), torch.tensor([[-0.5, 0.5, 1.0]]))
            assert torch.equal(F.hardtanh(given, max_val=0.0), torch.tensor([[-0.5, 0.0, 0.0]]))


def test_a_dead_unit_starts_to_move_under_ascent() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True))
    nn.init.constant_(network[0].weight, 1.0)
    nn.init.constant_(network[0].bias, -1.0)
    model = load(network, size=4)
    images = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    for redirected in (False, True):
        for _ in range(20):
            with redirected_relu() if redirected else torch.enable_grad():
                loss = -capture(model, images, ["1"])["1"].mean()
            (gradient,) = torch.autograd.grad(loss, images)
            images = (images - gradient).detach().requires_grad_()
        assert (loss < 0) == redirected


def test_outside_the_block_and_without_gradients_relu_is_plain() -> None:
    values = torch.tensor([[-1.0]], requires_grad=True)
    with redirected_relu(), torch.no_grad():
        assert torch.relu(values).grad_fn is None
    torch.relu(values).sum().backward()
    assert values.grad is not None and values.grad.item() == 0


def test_forward_is_the_same_bits_under_autocast() -> None:
    model = load(seeded(Functional), size=16)
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        plain = capture(model, images, ["logits"])["logits"]
        with redirected_relu():
            redirected = capture(model, images, ["logits"])["logits"]
    assert torch.equal(plain, redirected)
    redirected.sum().backward()
    assert images.grad is not None and images.grad.isfinite().all()
