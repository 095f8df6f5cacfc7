"""Guided backpropagation and deconvnets against a second implementation that undoes a network layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import Functional, Inplace, Reused, Tokens, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.models.layer_gradients import derivatives
from pellucid.models.rectified import Rule, deconvolved, guided, rectified

RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.relu_(),
    "Tensor.clamp": lambda x: x.clamp(min=0),
    "Tensor.clamp_": lambda x: x.clamp_(0),
    "torch.clamp_min": lambda x: torch.clamp_min(x, 0),
    "F.threshold": lambda x: F.threshold(x, 0, 0),
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu6": F.relu6,
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 50.0),
}


class Toy(nn.Module):
    """Convolution, ReLU, max pool, convolution, the same ReLU."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1, self.pool, self.conv2, self.relu = nn.Conv2d(3, 6, 3), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), relu

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.pool(self.relu(self.conv1(x))))).mean((2, 3))


def toy(relu: Callable[[Tensor], Tensor] = F.relu) -> Toy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Toy(relu)


def undone(network: Toy, image: Tensor, channel: int, *, gated: bool) -> Tensor:
    """The projection of a channel's mean, going back by hand: unpooling at the switches, transposed filters, rectification.

    Args:
        gated: whether a ReLU that was shut stays shut: guided backpropagation; else a deconvnet.
    """
    with torch.no_grad():
        first = network.conv1(image)
        pooled, switches = F.max_pool2d(first.clamp(min=0), 2, return_indices=True)
        second = network.conv2(pooled)
        signal = torch.zeros_like(second)
        signal[:, channel] = 1 / second[0, 0].numel()
        signal = signal.clamp(min=0) * (second > 0 if gated else 1)
        signal = F.conv_transpose2d(signal, network.conv2.weight)
        signal = F.max_unpool2d(signal, switches, 2, output_size=first.shape[2:])
        signal = signal.clamp(min=0) * (first > 0 if gated else 1)
        return F.conv_transpose2d(signal, network.conv1.weight)


def images(size: int = 12) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1)).mul(3)


def projected(network: nn.Module, rule: Rule, size: int = 12) -> Tensor:
    model = load(network, size=size)
    found = derivatives(model, images(size), lambda maps, _: maps["logits"][:, 2, 0, 0], reads=["logits"], rule=rule)
    assert found.pixels is not None
    return found.pixels


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
@pytest.mark.parametrize("rule", [guided, deconvolved])
def test_however_the_relu_is_written(relu: Callable[[Tensor], Tensor], rule: Rule) -> None:
    network = toy(relu)
    found = projected(network, rule)
    model = load(network, size=12)
    std = torch.tensor(model.std)[:, None, None]
    for picture, one in zip(images(), found, strict=True):
        expected = undone(network, model.preprocess(picture[None]), 2, gated=rule is guided)[0] / std
        torch.testing.assert_close(one, expected, atol=1e-6, rtol=1e-4)
    plain = projected(network, lambda plain, incoming: plain)
    assert found.abs().amax((1, 2, 3)).min() > 0 and not torch.allclose(found, plain, atol=1e-5)


def test_afterwards_the_gradient_of_the_same_graph_is_plain_again() -> None:
    x = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
    score = (torch.relu(x) * torch.tensor([2.0, -3.0, 4.0])).sum()
    with pytest.raises(ZeroDivisionError), rectified(score, deconvolved):
        assert torch.autograd.grad(score, x, retain_graph=True)[0].tolist() == [2, 0, 4]
        _ = 1 / 0
    assert torch.autograd.grad(score, x)[0].tolist() == [2, -3, 0]


def test_one_module_that_runs_twice() -> None:
    """Its two runs are two ReLUs: as with two modules."""

    class Twice(nn.Module):
        def __init__(self, network: Reused) -> None:
            super().__init__()
            self.conv1, self.conv2, self.head, self.one, self.two = network.conv1, network.conv2, network.head, nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.two(self.conv2(self.one(self.conv1(x)))).mean((2, 3)))

    network = seeded(Reused)
    assert isinstance(network, Reused)
    assert torch.equal(projected(network, guided), projected(Twice(network), guided))


def test_without_relus_a_deconvnet_is_the_gradient() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3, stride=2), nn.Flatten(), nn.Linear(80, 6))
    assert torch.equal(projected(network, deconvolved), projected(network, lambda plain, incoming: plain))


@pytest.mark.parametrize("rule", [guided, deconvolved])
def test_functions_and_modules_of_real_networks_are_seen(rule: Rule) -> None:
    for kind in (Functional, Inplace, Reused):
        assert not torch.allclose(projected(seeded(kind), rule), projected(seeded(kind), lambda plain, incoming: plain))


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return gradient


def first_half(x: Tensor) -> Tensor:
    x[:, :2].relu_()
    return x


def written_over(x: Tensor) -> Tensor:
    x[x < 0] = 0
    return x


FOREIGN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "GELU": (F.gelu, "GELU"),
    "SiLU": (nn.SiLU(), "SiLU"),
    "SiLU by hand": (lambda x: x * x.sigmoid(), "sigmoids at every position"),
    "ELU": (F.elu, "ELU"),
    "leaky ReLU": (F.leaky_relu, "leaky ReLU"),
    "PReLU": (nn.PReLU(), "PReLU"),
    "hard swish": (F.hardswish, "hard swish"),
    "tanh": (torch.tanh, "tanh"),
    "hardtanh": (F.hardtanh, "hardtanh that does not begin at 0"),
    "where": (lambda x: torch.where(x > 0, x, 0), "torch.where"),
    "a mask": (lambda x: x * (x > 0), "products with masks"),
    "a leaky mask": (lambda x: x * torch.where(x.detach() > 0, 1.0, 0.1), "products with masks"),
    "a step": (lambda x: x * torch.heaviside(x.detach(), torch.zeros(())), "products with masks"),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 0), "masked_fill"),
    "half with its absolute": (lambda x: (x + x.abs()) / 2, "absolute values"),
    "half by its sign": (lambda x: x * (1 + x.sign()) / 2, "signs"),
    "written over": (written_over, "writing into a part"),
    "put": (lambda x: x.index_put((x < 0,), torch.zeros(())), "writing into a part"),
    "a clamp from 1": (lambda x: x.clamp(min=1), "a clamp that does not begin at 0"),
    "of a part": (first_half, "writing in place into a part"),
    "its own": (Own.apply, "a gradient of its own \\(Own\\)"),
}


@pytest.mark.parametrize(("function", "named"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_relu_is_refused_by_name(function: Callable[[Tensor], Tensor], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        projected(toy(function), guided)


def test_a_gate_of_one_number_a_channel_is_none_of_them() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x).relu()
            return (x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3))

    assert projected(Gated(), guided).isfinite().all()
    with pytest.raises(UsageError, match="GELU"):
        projected(seeded(Tokens), guided, 16)
