"""Objectives between pictures against explicit sums over pairs."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis import objectives
from pellucid.vis.objectives import Objective, alignment, channel, diversity, each, interpolate, logit, neuron, ramp

MAPS = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(0))
LOGITS = torch.randn(5, 7, 1, 1, generator=torch.Generator().manual_seed(1))
SEEN = {"a": MAPS, "logits": LOGITS}


def slow_cosine(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The cosine between the Gram matrices of two pictures, entry by entry."""
    channels, places = one.shape[0], [(row, col) for row in range(one.shape[1]) for col in range(one.shape[2])]
    grams = [
        [sum(maps[i][p] * maps[j][p] for p in places) for i in range(channels) for j in range(channels)] for maps in (one, other)
    ]
    dot = sum(a * b for a, b in zip(*grams, strict=True))
    return dot / (sum(a * a for a in grams[0]) * sum(b * b for b in grams[1])).sqrt()


def slow_distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return sum((a - b) ** 2 for a, b in zip(one.flatten(), other.flatten(), strict=True)) / one.numel()


def test_diversity_by_hand() -> None:
    expected = [-sum(slow_cosine(MAPS[i], MAPS[j]) for j in range(5) if j != i) / 4 for i in range(5)]
    torch.testing.assert_close(diversity("a", pictures=5)(SEEN), torch.stack(expected))


def test_diversity_is_the_gradient_of_the_sum_over_pairs() -> None:
    leaf = MAPS.clone().requires_grad_()
    pairs = sum(slow_cosine(leaf[i], leaf[j]) for i in range(5) for j in range(i))
    (expected,) = torch.autograd.grad(-2 / 4 * pairs, leaf)
    (gradient,) = torch.autograd.grad(diversity("a", pictures=5)({"a": leaf}).sum(), leaf)
    torch.testing.assert_close(gradient, expected)


def test_diversity_rises_when_pictures_differ() -> None:
    assert diversity("a")({"a": MAPS[:1].expand(4, 3, 4, 2)}).tolist() == pytest.approx([-1] * 4)
    shuffled = MAPS[0].flatten(1)[:, torch.randperm(8, generator=torch.Generator().manual_seed(0))].view(3, 4, 2)
    pair = torch.stack([MAPS[0], shuffled])
    assert diversity("a", pictures=2)({"a": pair}).tolist() == pytest.approx([-1, -1])  # another layout is no other texture
    apart = torch.eye(4)[:, :, None, None]
    assert diversity("a")({"a": apart}).tolist() == [0] * 4


def test_diversity_of_silence_has_no_nan() -> None:
    maps = torch.zeros(4, 3, 2, 2, requires_grad=True)
    scores = diversity("a")({"a": maps})
    scores.sum().backward()
    assert scores.tolist() == [0] * 4 and maps.grad is not None and maps.grad.isfinite().all()


@pytest.mark.parametrize(("reach", "decay"), [(4, 2.0), (2, 5.0), (1, 1.0), (9, 0.5)])
def test_alignment_by_hand(reach: int, decay: float) -> None:
    leaf = MAPS.clone().requires_grad_()
    near = [(i, j) for i in range(5) for j in range(i) if i - j <= reach]
    pairs = {(i, j): decay ** -(i - j) * slow_distance(leaf[i], leaf[j]) for i, j in near}
    expected = torch.stack([-sum(value for pair, value in pairs.items() if i in pair) / 2 for i in range(5)])
    scores = alignment("a", pictures=5, reach=reach, decay=decay)({"a": leaf})
    torch.testing.assert_close(scores, expected)
    (by_pairs,) = torch.autograd.grad(-sum(pairs.values()), leaf, retain_graph=True)
    (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    torch.testing.assert_close(gradient, by_pairs)


def test_interpolate_by_hand() -> None:
    scores = interpolate(logit(2), channel("a", 1), pictures=5)(SEEN)
    expected = [(1 - i / 4) * LOGITS[i, 2, 0, 0] + i / 4 * MAPS[i, 1].mean() for i in range(5)]
    torch.testing.assert_close(scores, torch.stack(expected))
    assert scores[0] == LOGITS[0, 2, 0, 0] and scores[4] == channel("a", 1)(SEEN)[4]


def test_each_by_hand() -> None:
    scores = each([logit(2), channel("a", 1), -logit(2), 2 * logit(0) + 1, logit(6)])(SEEN)
    expected = [LOGITS[0, 2, 0, 0], MAPS[1, 1].mean(), -LOGITS[2, 2, 0, 0], 2 * LOGITS[3, 0, 0, 0] + 1, LOGITS[4, 6, 0, 0]]
    torch.testing.assert_close(scores, torch.stack(expected))


def test_groups_change_over_the_steps_as_their_parts_do() -> None:
    row = interpolate(ramp(0, 1) * logit(0), logit(1), pictures=5) + ramp(1, 0) * alignment("a", pictures=5)
    halfway = "interpolate(0.5 * logit(0), logit(1), pictures=5) + 0.5 * alignment('a', pictures=5)"
    assert row.at(0.5).name == halfway and row.at(0.5).pictures == 5 and row.at(0.5).schedule is None
    pair = each([logit(0), ramp(0, 4) * logit(1)])
    assert pair.at(0.25).name == "each([logit(0), 1 * logit(1)])" and pair.at(0.25).pictures == 2


def test_groups_keep_layers_and_places() -> None:
    row = interpolate(logit(0), neuron("a", 0, row=1, col=1))
    assert row.layers == {"logits", "a"} and row.placed and row.pictures == 6
    assert each([neuron("a", 0, row=1, col=1), logit(0)]).placed and not each([logit(0)]).placed


@pytest.mark.parametrize(
    "objective",
    [
        diversity("a", pictures=5),
        alignment("a", pictures=5),
        alignment("a", pictures=5, reach=2, decay=5),
        interpolate(logit(0), logit(1) - 1, pictures=5),
        interpolate(logit(0) + alignment("a", pictures=5), logit(1), pictures=5),
        each([logit(i) * 2 for i in range(5)]),
    ],
    ids=str,
)
def test_written_as_made(objective: Objective) -> None:
    again = eval(repr(objective), {name: getattr(objectives, name) for name in objectives.__all__})
    assert repr(again) == repr(objective) and again.pictures == objective.pictures == 5
    assert torch.equal(again(SEEN), objective(SEEN)) and math.isfinite(again(SEEN).sum())


@pytest.mark.parametrize(
    "make",
    [
        lambda: diversity("a", pictures=1),
        lambda: alignment("a", pictures=1),
        lambda: alignment("a", reach=0),
        lambda: alignment("a", decay=0),
        lambda: interpolate(logit(0), logit(1), pictures=1),
        lambda: interpolate(diversity("a"), logit(1)),
        lambda: each([]),
        lambda: each([logit(0), diversity("a")]),
    ],
)
def test_wrong_when_made(make) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize("objective", [diversity("a"), alignment("a"), interpolate(logit(0), logit(1)), each([logit(0)])], ids=str)
def test_another_number_of_pictures_is_refused(objective: Objective) -> None:
    with pytest.raises(UsageError, match="not about 5"):
        objective(SEEN)
