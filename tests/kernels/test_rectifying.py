"""ReLUs against torch's own, bit for bit, alone and before what masks its gradient by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.kernels import before_relu, max_pool2d, rectifying, relu
from pellucid.kernels.threads import compiled
from pellucid.models import quick, redirected_relu

Network = Callable[[Tensor], Tensor]

SPECIAL = [0.0, -0.0, 1.5, -1.5, torch.inf, -torch.inf, torch.nan, -torch.nan, 1e-39, -1e-39]


@pytest.fixture(autouse=True)
def small_maps_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rectifying, "LARGE", 0)
    monkeypatch.setattr(rectifying, "SHARE", 8 * rectifying.RUN)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


def maps(*shape: int, seed: int = 0) -> Tensor:
    drawn = torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).bfloat16()
    return drawn.contiguous(memory_format=torch.channels_last).requires_grad_()


def gradients(network: Network, given: Tensor) -> tuple[Tensor, Tensor]:
    output = network(given.clone())
    incoming = torch.randint(-3, 4, output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    return output.detach(), torch.autograd.grad(output, given, incoming.contiguous(memory_format=torch.channels_last))[0]


def name_of(output: Tensor) -> str:
    assert output.grad_fn is not None
    return output.grad_fn.name()


@pytest.mark.parametrize("inplace", [False, True])
def test_it_is_torchs(inplace: bool) -> None:
    values = torch.tensor(SPECIAL * 2).reshape(1, 4, 1, 5).bfloat16().contiguous(memory_format=torch.channels_last)
    given = values.clone().requires_grad_().clone()
    ours, torchs = relu(given, inplace=inplace), torch.relu(values)
    assert name_of(ours) == "_ReluBackward" and torch.equal(ours.isnan(), torchs.isnan())
    assert torch.equal(ours.nan_to_num(), torchs.nan_to_num())
    assert (ours is given) if inplace else torch.equal(given.detach().view(torch.int16), values.view(torch.int16))
    for shape in ((2, 5, 7, 3), (1, 64, 8, 8), (1, 96, 9, 9)):  # of numbers whose signs fill a part of a row, rows, and both
        assert all(map(torch.equal, gradients(lambda x: relu(x, inplace=inplace), maps(*shape)), gradients(F.relu, maps(*shape))))
    special = [gradients(each, values.clone().requires_grad_())[1] for each in (relu, F.relu)]
    assert torch.equal(*special) and special[0].count_nonzero() > 0


def test_it_keeps_one_bit_of_each_number() -> None:
    given = maps(2, 64, 8, 8)
    node: Any = relu(given.clone()).grad_fn
    assert node.saved_tensors == () and node.signs.nbytes * 8 == given.numel()


def test_a_gradient_may_lie_in_another_order() -> None:
    given, incoming = maps(2, 8, 9, 7), torch.randn(2, 8, 9, 7, generator=torch.Generator().manual_seed(2)).bfloat16()
    for each in (incoming, incoming[:1].expand(2, -1, -1, -1)):
        assert torch.equal(*(torch.autograd.grad(function(given.clone()), given, each)[0] for function in (relu, F.relu)))


def fire(relu: Network, pool: Network, cat: Callable[..., Tensor]) -> Network:
    return lambda x: pool(cat([relu(x * 2), relu(x * -1), relu(x - 1)], 1))


def both_ways(relu: Network, pool: Network, _: object) -> Network:
    def network(x: Tensor) -> Tensor:
        hidden = relu(x)
        return pool(hidden) + pool(hidden * hidden)

    return network


def changed(relu: Network, pool: Network, _: object) -> Network:
    return lambda x: pool(relu(x) - 1)


def straight(relu: Network, pool: Network, _: object) -> Network:
    return lambda x: pool(relu(x))


NETWORKS = {each.__name__: each for each in (straight, fire, both_ways, changed)}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("inplace", [False, True])
def test_before_a_max_pool_the_gradients_are_torchs(network: Callable[..., Network], inplace: bool) -> None:
    ours = network(
        lambda x: relu(x.clone(), inplace=inplace), lambda x: max_pool2d(x, (3, 3), (2, 2), (1, 1), ceil_mode=True), quick.cat
    )
    torchs = network(F.relu, lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), torch.cat)
    for channels in (8, 32):
        assert all(map(torch.equal, gradients(ours, maps(2, channels, 9, 11)), gradients(torchs, maps(2, channels, 9, 11))))


def passes(network: Network, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often maps of the full size go through a ReLU's own backward pass."""
    loops, calls = compiled(), []
    real = loops.let_through
    monkeypatch.setattr(loops, "let_through", lambda *given: (calls.append(given), real(*given))[1])
    gradients(network, maps(2, 32, 9, 9))
    return len(calls)


def test_a_max_pool_saves_that_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(x: Tensor) -> Tensor:
        return max_pool2d(x, (3, 3), (2, 2), (0, 0), ceil_mode=False)

    assert passes(relu, monkeypatch) == 1
    assert passes(lambda x: pool(relu(x)), monkeypatch) == 0
    assert passes(lambda x: pool(quick.cat([relu(x), relu(x + 1)], 1)), monkeypatch) == 0
    assert passes(lambda x: pool(quick.cat([relu(x), x], 1)), monkeypatch) == 1
    assert passes(lambda x: pool(relu(x) * 2), monkeypatch) == 1


def test_only_what_a_relu_gave_comes_from_one() -> None:
    output = relu(maps(1, 4, 3, 3).clone())
    before = before_relu(output)
    assert before is not None and before.data_ptr() == output.data_ptr() and torch.equal(before, output)
    assert before_relu(output * 1) is None and before_relu(maps(1, 4, 3, 3)) is None
    assert before_relu(output.add_(1)) is None


def test_torch_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    given = maps(1, 4, 6, 5)
    others = [given.float(), given.detach().contiguous().requires_grad_(), given[:, :2], given[0]]
    assert {name_of(relu(each)) for each in others} == {"ReluBackward0"} and relu(given.detach()).grad_fn is None
    with redirected_relu():
        assert name_of(quick.relu(given)) == "ReluBackward0"
    assert name_of(quick.relu(given)) == "_ReluBackward"
    monkeypatch.setattr(rectifying, "compiled", lambda: None)
    assert name_of(relu(given)) == "ReluBackward0"
    monkeypatch.undo()
    assert name_of(relu(given)) == "ReluBackward0"  # too small


def test_threads_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = gradients(relu, maps(3, 8, 11, 11))
    assert name_of(relu(maps(2, 8, 8, 7).clone())) == "_ReluBackward"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert name_of(relu(maps(3, 8, 11, 11).clone())) == "_ReluBackward"
    assert name_of(relu(maps(2, 8, 8, 7).clone())) == "ReluBackward0"  # not enough for two
    assert all(map(torch.equal, alone, gradients(relu, maps(3, 8, 11, 11))))
