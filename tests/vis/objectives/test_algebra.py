"""The algebra of objectives against plain arithmetic."""

from __future__ import annotations

import operator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import UsageError
from pellucid.vis import objectives
from pellucid.vis.objectives import (
    Objective,
    channel,
    diversity,
    each,
    interpolate,
    layer,
    logit,
    neuron,
    probability,
    ramp,
    sigmoid,
    tanh,
    total_variation,
)

SEEN = {
    "a": torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(1)),
    "logits": torch.randn(3, 7, 1, 1, generator=torch.Generator().manual_seed(2)),
    "image": torch.rand(3, 3, 8, 7, generator=torch.Generator().manual_seed(3)),
}
NAMES = {name: getattr(objectives, name) for name in objectives.__all__}
units = [channel("a", 1), layer("b"), neuron("a", 2, row=1, col=2), neuron("a", 0), logit(5), total_variation(), probability(3)]
groups = [diversity("a", pictures=3), each([logit(1), logit(2), channel("a", 0)]), interpolate(logit(0), logit(6), pictures=3)]
constants = [0.2, -3, 2, 1.5, 1]
ramps = [ramp(0, 1), ramp(-0.1, -1, power=2), -ramp(2, 3, after=0.25, until=0.75)]


def trees(weights: list) -> st.SearchStrategy[Objective]:
    signs, scalars = st.sampled_from([operator.add, operator.sub, operator.mul]), st.sampled_from(weights)

    def larger(inner: st.SearchStrategy) -> st.SearchStrategy:
        both = st.builds(lambda sign, a, b: sign(a, b), signs, inner, inner | scalars)
        swapped = st.builds(lambda sign, a, b: sign(b, a), signs, inner, scalars)
        mapped = st.builds(lambda function, a: function(a), st.sampled_from([operator.neg, sigmoid, tanh]), inner)
        return both | swapped | mapped

    return st.recursive(st.sampled_from(units + groups), larger, max_leaves=8)


def plain(objective: Objective, progress: float) -> torch.Tensor:
    """What a name says, with numbers and tensors in place of objectives."""

    def scores(make):
        return lambda *arguments, **options: make(*arguments, **options)(SEEN)

    simple = {
        name: scores(NAMES[name]) for name in ("channel", "layer", "neuron", "logit", "total_variation", "probability", "diversity")
    }
    simple |= {"sigmoid": torch.sigmoid, "tanh": torch.tanh}
    simple["ramp"] = lambda *arguments, **options: ramp(*arguments, **options)(progress)
    simple["each"] = lambda rows: torch.stack([row[i] for i, row in enumerate(rows)])
    simple["interpolate"] = lambda a, b, pictures: torch.stack([a[0], (a[1] + b[1]) / 2, b[2]])
    return eval(repr(objective), simple)


@settings(deadline=None)
@given(trees(constants))
def test_what_is_written_is_what_is_computed(objective: Objective) -> None:
    again = eval(repr(objective), dict(NAMES))
    assert repr(again) == repr(objective)
    assert torch.equal(again(SEEN), objective(SEEN))
    assert objective.at(0.5) is objective
    torch.testing.assert_close(objective(SEEN), plain(objective, 1.0))


@settings(deadline=None)
@given(trees(constants + ramps), st.sampled_from([0.0, 0.2, 0.5, 0.875, 1.0]))
def test_weights_that_change_are_numbers_at_each_progress(objective: Objective, progress: float) -> None:
    again = eval(repr(objective), dict(NAMES))
    assert repr(again) == repr(objective)
    still = objective.at(progress)
    assert still.schedule is None and "ramp" not in repr(still)
    assert (still.layers, still.pictures, still.placed) == (objective.layers, objective.pictures, objective.placed)
    torch.testing.assert_close(still(SEEN), plain(objective, progress))
    torch.testing.assert_close(eval(repr(still), dict(NAMES))(SEEN), still(SEEN))
    torch.testing.assert_close(objective(SEEN), objective.at(1.0)(SEEN))


def test_algebra_keeps_layers_and_places() -> None:
    mixed = 0.2 * channel("a", 1) + 0.8 * neuron("b", 1, row=0, col=0)
    assert mixed.layers == {"a", "b"} and mixed.placed
    assert not channel("a", 1).placed and not neuron("a", 1).placed


@pytest.mark.parametrize(
    ("objective", "written"),
    [
        (
            0.2 * channel("mixed4a", 20) + 0.8 * channel("mixed4a", 21),
            "0.2 * channel('mixed4a', 20) + 0.8 * channel('mixed4a', 21)",
        ),
        ((channel("a", 0) + 1) * 2, "(channel('a', 0) + 1) * 2"),
        (channel("a", 0) - (channel("a", 1) - 1), "channel('a', 0) - (channel('a', 1) - 1)"),
        (-(channel("a", 0) + channel("a", 1)), "-(channel('a', 0) + channel('a', 1))"),
        (sum([logit(1), logit(2), logit(3)]), "logit(1) + logit(2) + logit(3)"),
        (1 - logit(1), "1 - logit(1)"),
        (logit(1) - ramp(0, 0.5, after=0.1) * layer("a"), "logit(1) - ramp(0, 0.5, after=0.1) * layer('a')"),
        (logit(1) * (lambda progress: progress), "logit(1) * <lambda>"),
        ((logit(1) * (lambda progress: progress + 1)).at(0.25), "logit(1) * 1.25"),
    ],
)
def test_written(objective: Objective, written: str) -> None:
    assert repr(objective) == str(objective) == objective.name == written


@pytest.mark.parametrize("other", ["b", None, [1.0], 1j])
def test_other_operands_are_refused(other) -> None:
    for operation in (operator.add, operator.sub, operator.mul):
        with pytest.raises(TypeError):
            operation(channel("a", 0), other)
        with pytest.raises(TypeError):
            operation(other, channel("a", 0))


def test_long_sums() -> None:
    total = sum([ramp(0, 1) * logit(i % 7) for i in range(1100)])
    assert isinstance(total, Objective)
    by_hand = sum(SEEN["logits"][:, i % 7, 0, 0] for i in range(1100))
    torch.testing.assert_close(total(SEEN), by_hand, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(total.at(0.5)(SEEN), by_hand / 2, rtol=1e-4, atol=1e-4)


def test_how_many_pictures_together() -> None:
    group = channel("a", 0) + 100 * diversity("a", pictures=3)
    assert group.pictures == 3 and (-group).pictures == 3 and sigmoid(group).pictures == 3 and (group - group).pictures == 3
    with pytest.raises(UsageError, match=r"^diversity\('a'\) speaks about 4 .*interpolate\(.*\) about 6: "):
        channel("a", 0) + diversity("a") - interpolate(logit(0), logit(1))
    with pytest.raises(UsageError, match="3 pictures together, not about 2"):
        group({"a": SEEN["a"][:2]})


@pytest.mark.parametrize(
    ("weight", "table"),
    [
        (ramp(1, 3), {0: 1, 0.25: 1.5, 0.5: 2, 1: 3}),
        (ramp(1, 3, power=2), {0: 1, 0.5: 1.5, 1: 3}),
        (-ramp(1, 0, power=0.5), {0: -1, 0.25: -0.5, 1: 0}),
        (-ramp(1, 2), {0: -1, 0.5: -1.5, 1: -2}),
        (ramp(5, 5, after=0.15), {0: 0, 0.149: 0, 0.15: 5, 1: 5}),
        (ramp(2, 4, after=0.2, until=0.6), {0.1: 0, 0.2: 2, 0.4: 3, 0.6: 4, 1: 4}),
        (ramp(2, 4, after=0.5, until=0.5), {0.4: 0, 0.5: 4, 1: 4}),
    ],
)
def test_ramp(weight: ramp, table: dict[float, float]) -> None:
    assert {progress: weight(progress) for progress in table} == pytest.approx(table)
    assert eval(repr(weight), {"ramp": ramp}) == weight


@pytest.mark.parametrize(
    "wrong", [{"power": 0}, {"after": -0.1}, {"until": 1.5}, {"after": 0.5, "until": 0.25}, {"power": float("nan")}]
)
def test_wrong_ramps(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"^ramp\(0, 1, .*needs"):
        ramp(0, 1, **wrong)
