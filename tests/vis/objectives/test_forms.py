"""Objectives evaluated together against each one by itself, and what is taken of activations against indexing."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.objectives import (
    Objective,
    channel,
    direction,
    diversity,
    l2,
    layer,
    log_probability,
    logit,
    neuron,
    probability,
    ramp,
    scores,
    sigmoid,
    tanh,
    total_variation,
)
from pellucid.vis.objectives.forms import take


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def maps(count: int) -> dict[str, Tensor]:
    return {"a": numbers(count, 4, 5, 6), "b": numbers(count, 3, 2, 2, seed=1), "logits": numbers(count, 7, 1, 1, seed=2)} | {
        "image": torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    }


KINDS: list[Callable[[int], Objective]] = [
    lambda seed: channel("a", seed % 4),
    lambda seed: neuron("a", seed % 4, row=1, col=2),
    lambda seed: neuron("b", seed % 3),
    lambda seed: direction("a", numbers(4, seed=seed)),
    lambda seed: direction("a", numbers(4, seed=seed), position="centre", cosine_power=2),
    lambda seed: logit(seed % 7),
    lambda seed: probability(seed % 7),
    lambda seed: log_probability(seed % 7),
    lambda seed: layer("b"),
    lambda seed: l2(),
    lambda seed: total_variation(),
]
kinds = st.sampled_from(KINDS)


@st.composite
def families(draw: st.DrawFn) -> Callable[[int], Objective]:
    """Objectives that differ in a seed alone."""
    parts = draw(st.lists(kinds, min_size=1, max_size=3))
    signs = [draw(st.sampled_from([operator.add, operator.sub, operator.mul])) for _ in parts[1:]]
    wrap = draw(st.sampled_from([lambda it: it, operator.neg, sigmoid, tanh]))
    weight = draw(st.sampled_from([None, 0.3, -2]))

    def make(seed: int) -> Objective:
        total = parts[0](seed)
        for sign, part in zip(signs, parts[1:], strict=True):
            total = sign(total, part(seed + 1))
        return wrap(total if weight is None else (weight + seed) * total)

    return make


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(families(), st.integers(1, 3)), min_size=1, max_size=3))
def test_together_they_score_as_each_by_itself(runs: list[tuple[Callable[[int], Objective], int]]) -> None:
    objectives = [make(seed) for make, count in runs for seed in range(count)]
    seen = maps(len(objectives))
    alone = [each({name: tensor[i : i + 1] for name, tensor in seen.items()}) for i, each in enumerate(objectives)]
    torch.testing.assert_close(scores(objectives, seen), torch.cat(alone))


@pytest.mark.parametrize("make", KINDS[:8])
def test_alike_ones_share_a_form_and_are_evaluated_once(make: Callable[[int], Objective]) -> None:
    first, second = 0.5 * make(1) - total_variation(), 2 * make(2) - total_variation()
    assert first.form == second.form and first.form is not None and first.argument != second.argument
    assert first.form != (make(1) * 0.5 - total_variation()).form
    assert (first + layer("b")).form is None  # which has none


def test_other_layers_places_and_signs_are_other_forms() -> None:
    forms = [
        each.form
        for each in (
            channel("a", 0),
            channel("b", 0),
            neuron("a", 0),
            neuron("a", 0, row=1),
            direction("a", torch.ones(4)),
            direction("a", torch.ones(4), cosine_power=1),
            channel("a", 0) + channel("a", 1),
            channel("a", 0) - channel("a", 1),
            channel("a", 0) * channel("a", 1),
            -channel("a", 0),
            sigmoid(channel("a", 0)),
            tanh(channel("a", 0)),
            total_variation(),
            l2(),
            l2(around=0),
        )
    ]
    assert len(set(forms)) == len(forms)


def test_groups_and_changing_weights() -> None:
    seen, group = maps(6), channel("a", 0) + diversity("a", pictures=2)
    later = (ramp(0, 1) * channel("a", 3)).at(0.25)
    found = scores([channel("a", 1), group, group, later], seen)
    parts = [seen["a"][first:last] for first, last in ((0, 1), (1, 3), (3, 5), (5, 6))]
    wanted = [channel("a", 1)({"a": parts[0]}), group({"a": parts[1]}), group({"a": parts[2]}), 0.25 * parts[3][:, 3].mean((1, 2))]
    torch.testing.assert_close(found, torch.cat(wanted))
    assert group.form is None


def test_less_than_full_precision_is_made_full_before_it_is_reckoned_with() -> None:
    seen = {"a": (1000 + numbers(2, 4, 50, 50)).bfloat16(), "b": (1000 + numbers(2, 3, 50, 50)).bfloat16()}
    found = scores([channel("a", 1), layer("b")], {"a": seen["a"], "b": seen["b"]})
    wanted = [seen["a"][0, 1].double().mean(), seen["b"][1].double().square().mean()]
    torch.testing.assert_close(found.double(), torch.stack(wanted), rtol=1e-5, atol=0)


def test_an_unknown_channel_is_refused_among_others() -> None:
    with pytest.raises(UsageError, match="0 to 3, not 9"):
        scores([channel("a", 1), channel("a", 9)], maps(2))
    with pytest.raises(UsageError, match="5 numbers, layer 'a' has 4"):
        scores([direction("a", torch.ones(4)), direction("a", torch.ones(5))], maps(2))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "where", [(slice(None), 2), (torch.tensor([0, 1, 2]), torch.tensor([3, 0, 3])), (slice(None), slice(None), 1, 2)]
)
def test_what_is_taken_is_indexing_and_so_is_its_gradient(
    where: tuple[int | slice | Tensor, ...], dtype: torch.dtype, layout: torch.memory_format
) -> None:
    given = numbers(3, 4, 5, 6).to(dtype).to(memory_format=layout).requires_grad_()
    taken, plain = take(given, where), given.float()[where]
    assert torch.equal(taken, plain) and taken.dtype == torch.float32
    along = numbers(*taken.shape, seed=4)
    (found,), (wanted,) = (torch.autograd.grad(each, given, along) for each in (taken, plain))
    assert torch.equal(found, wanted) and found.dtype == dtype
    assert found.is_contiguous(memory_format=layout)
