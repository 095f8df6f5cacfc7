"""Pooling against torch's own, bit for bit."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from pellucid.kernels import avg_pool2d, max_pool2d, pooling

WINDOWS = [((3, 3), (2, 2)), ((2, 2), (2, 2)), ((3, 2), (1, 3)), ((5, 4), (2, 1)), ((2, 3), (4, 4))]
SIZES = [(9, 9), (12, 7), (5, 16)]
DTYPES = [torch.float32, torch.bfloat16]


def maps(*shape: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0) -> Tensor:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return drawn.contiguous(memory_format=torch.channels_last).requires_grad_()


def gradient(function: Callable[[Tensor], Tensor], given: Tensor) -> tuple[Tensor, Tensor]:
    """What comes out, and the gradient for whole numbers, of which sums are exact."""
    output = function(given)
    incoming = torch.randint(-3, 4, output.shape, generator=torch.Generator().manual_seed(1)).to(output)
    return output.detach(), torch.autograd.grad(output, given, incoming)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_it_is_torchs(size: tuple[int, int], dtype: torch.dtype) -> None:
    given = maps(2, 5, *size, dtype=dtype)
    for (kernel, stride), ceil in itertools.product(WINDOWS, (False, True)):
        for padding in {(0, 0), (kernel[0] // 2, kernel[1] // 2)}:
            ours = gradient(lambda x, k=kernel, s=stride, p=padding, c=ceil: max_pool2d(x, k, s, p, ceil_mode=c), given)
            torchs = gradient(lambda x, k=kernel, s=stride, p=padding, c=ceil: F.max_pool2d(x, k, s, p, ceil_mode=c), given)
            assert all(map(torch.equal, ours, torchs)), (kernel, stride, padding, ceil)
            assert ours[1].stride() == given.stride()


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3), st.booleans())
def test_there_are_as_many_windows_as_torch_has(side: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
    if 2 * padding > kernel or side + 2 * padding < kernel:  # which torch refuses
        return
    wanted = F.max_pool1d(torch.zeros(1, 1, side), kernel, stride, padding, ceil_mode=ceil).shape[2]
    assert pooling._windows(side, kernel, stride, padding, ceil) == wanted


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_of_equals_wins(dtype: torch.dtype) -> None:
    given = torch.zeros_like(maps(1, 3, 9, 9, dtype=dtype)).requires_grad_()
    ours, torchs = (gradient(each, given) for each in (lambda x: max_pool2d(x, (3, 3), (2, 2), (1, 1), ceil_mode=False), pool))
    assert torch.equal(ours[1], torchs[1])


def pool(given: Tensor) -> Tensor:
    return F.max_pool2d(given, 3, 2, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_and_no_numbers(dtype: torch.dtype) -> None:
    given = maps(1, 4, 9, 9, dtype=dtype).detach()
    given[0, 0, 4, 4], given[0, 1, 2, 3], given[0, 2, 7, 7], given[0, 3, 0, 0] = torch.nan, torch.inf, -torch.nan, -torch.inf
    given[0, 3, 3:6, 3:6] = -torch.inf
    if dtype == torch.bfloat16:
        given.view(torch.int16)[0, 0, 0, 0] = -64  # no number, with a sign
    ours = max_pool2d(given.requires_grad_(), (3, 3), (2, 2), (1, 1), ceil_mode=False)
    assert torch.equal(ours.isnan(), pool(given).isnan()) and ours.isnan().any()
    assert torch.equal(ours.nan_to_num(), pool(given).nan_to_num())


def test_sums_of_bfloat16_are_rounded_once() -> None:
    given = maps(2, 8, 15, 15)
    incoming = maps(2, 8, 15, 15, seed=2).detach()
    (ours,) = torch.autograd.grad(max_pool2d(given, (5, 5), (1, 1), (2, 2), ceil_mode=False), given, incoming)
    exact = given.detach().double().requires_grad_()
    (wanted,) = torch.autograd.grad(F.max_pool2d(exact, 5, 1, 2), exact, incoming.double())
    assert torch.equal(ours, wanted.float().bfloat16())


def test_a_gradient_that_is_no_number_stays_none() -> None:
    given = maps(1, 2, 4, 4)
    incoming = torch.full((1, 2, 2, 2), torch.nan, dtype=torch.bfloat16)
    (ours,) = torch.autograd.grad(max_pool2d(given, (2, 2), (2, 2), (0, 0), ceil_mode=False), given, incoming)
    assert ours.isnan().sum() == 8


def test_threads_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    given = maps(3, 4, 11, 11)
    alone = gradient(lambda x: max_pool2d(x, (3, 3), (2, 2), (0, 0), ceil_mode=False), given)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    together = gradient(lambda x: max_pool2d(x, (3, 3), (2, 2), (0, 0), ceil_mode=False), given)
    assert all(map(torch.equal, alone, together))


def test_winners_are_kept_in_bytes() -> None:
    kept: list[Tensor] = []
    given = maps(2, 8, 16, 16)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: (kept.append(tensor), tensor)[1], lambda tensor: tensor):
        max_pool2d(given, (3, 3), (2, 2), (1, 1), ceil_mode=False)
    assert [each.dtype for each in kept] == [torch.uint8]


def elsewhere(given: Tensor) -> str:
    node = max_pool2d(given, (2, 2), (2, 2), (0, 0), ceil_mode=False).grad_fn
    assert node is not None
    return node.name()


def test_torch_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere(maps(1, 4, 4, 4)) == "_MaxPoolBackward"
    assert elsewhere(maps(2, 4, 6, 4).detach().contiguous().requires_grad_()) == "MaxPool2DWithIndicesBackward0"
    assert elsewhere(maps(1, 4, 4, 4, dtype=torch.float64)) == "MaxPool2DWithIndicesBackward0"
    large = maps(1, 1, 17, 17)
    assert max_pool2d(large, (16, 16), (1, 1), (0, 0), ceil_mode=False).grad_fn.name() == "MaxPool2DWithIndicesBackward0"  # pyright: ignore[reportOptionalMemberAccess]
    monkeypatch.setattr(pooling, "compiled", lambda: None)
    assert elsewhere(maps(1, 4, 4, 4)) == "MaxPool2DWithIndicesBackward0"


@pytest.mark.parametrize("size", SIZES)
def test_means_are_torchs(size: tuple[int, int]) -> None:
    given, divisors = maps(2, 5, *size), (None, 1, 7)
    for (kernel, stride), ceil, counted, divisor in itertools.product(WINDOWS, (False, True), (False, True), divisors):
        for padding in {(0, 0), (kernel[0] // 2, kernel[1] // 2)}:
            options = {"ceil_mode": ceil, "count_include_pad": counted, "divisor_override": divisor}
            output = avg_pool2d(given, kernel, stride, padding, **options)
            assert torch.equal(output, F.avg_pool2d(given, kernel, stride, padding, **options))
            incoming = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).to(output)
            (ours,) = torch.autograd.grad(output, given, incoming)
            exact = given.detach().double().requires_grad_()
            wanted = torch.autograd.grad(F.avg_pool2d(exact, kernel, stride, padding, **options), exact, incoming.double())[0]
            torch.testing.assert_close(ours.double(), wanted, rtol=2**-8, atol=1e-6, msg=str((kernel, stride, padding, options)))
            assert ours.stride() == given.stride()


def test_means_of_what_is_otherwise_are_taken_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(given: Tensor) -> str:
        return avg_pool2d(given, (2, 2), (2, 2), (0, 0), ceil_mode=False).grad_fn.name()  # pyright: ignore[reportOptionalMemberAccess]

    assert name_of(maps(1, 4, 4, 4)) == "_AveragePoolBackward"
    assert name_of(maps(2, 4, 6, 4).detach().contiguous().requires_grad_()) == "AvgPool2DBackward0"
    assert name_of(maps(1, 4, 4, 4, dtype=torch.float32)) == "AvgPool2DBackward0"
    monkeypatch.setattr(pooling, "compiled", lambda: None)
    assert name_of(maps(1, 4, 4, 4)) == "AvgPool2DBackward0"
