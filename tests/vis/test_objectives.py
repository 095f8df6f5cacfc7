"""Objectives against plain arithmetic and slow loops."""

from __future__ import annotations

import math
import operator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective, channel, direction, logit, neuron, parse_unit

SEEN = {
    "a": torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(1)),
    "logits": torch.randn(3, 7, 1, 1, generator=torch.Generator().manual_seed(2)),
}
NAMES = {"channel": channel, "neuron": neuron, "logit": logit}
leaves = st.sampled_from([channel("a", 1), channel("b", 0), neuron("a", 2, row=1, col=2), neuron("a", 0), logit(5)])
constants = st.sampled_from([0.2, -3, 2, 1.5, 1])


def trees(inner: st.SearchStrategy) -> st.SearchStrategy:
    signs = st.sampled_from([operator.add, operator.sub, operator.mul])
    both = st.builds(lambda sign, a, b: sign(a, b), signs, inner, inner | constants)
    swapped = st.builds(lambda sign, a, b: sign(b, a), signs, inner, constants)
    return both | swapped | st.builds(operator.neg, inner)


@settings(deadline=None)
@given(st.recursive(leaves, trees, max_leaves=8))
def test_what_is_written_is_what_is_computed(objective: Objective) -> None:
    again = eval(repr(objective), dict(NAMES))
    assert repr(again) == repr(objective)
    assert torch.equal(again(SEEN), objective(SEEN))
    plain = {name: (lambda *a, make=make, **k: make(*a, **k)(SEEN)) for name, make in NAMES.items()}
    torch.testing.assert_close(objective(SEEN), eval(repr(objective), plain))


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
    ],
)
def test_written(objective: Objective, written: str) -> None:
    assert repr(objective) == str(objective) == objective.name == written


def test_other_operands_are_refused() -> None:
    with pytest.raises(TypeError):
        channel("a", 0) + "b"  # pyright: ignore[reportOperatorIssue]


def test_units() -> None:
    torch.testing.assert_close(channel("a", 2)(SEEN), SEEN["a"][:, 2].mean((1, 2)))
    assert torch.equal(neuron("a", 2)(SEEN), SEEN["a"][:, 2, 2, 3])
    assert torch.equal(neuron("a", 2, row=4, col=0)(SEEN), SEEN["a"][:, 2, 4, 0])
    assert torch.equal(logit(6)(SEEN), SEEN["logits"][:, 6, 0, 0])


def slow_direction(maps: torch.Tensor, vector: list[float], power: float, places: list[tuple[int, int]]) -> list[float]:
    scores = []
    for picture in maps.tolist():
        total = 0.0
        for row, col in places:
            a = [picture[c][row][col] for c in range(len(vector))]
            dot = sum(x * v for x, v in zip(a, vector, strict=True)) / math.hypot(*vector)
            total += dot * max(0.1, dot / (math.hypot(*a) + 1e-4)) ** power
        scores.append(total / len(places))
    return scores


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 4.5])
@pytest.mark.parametrize("position", [None, "centre", (4, 1)])
def test_direction_by_hand(power: float, position) -> None:
    vector = [0.5, -2.0, 1.0, 0.25]
    places = {None: [(r, c) for r in range(5) for c in range(6)], "centre": [(2, 3)]}.get(position, [position])
    scores = direction("a", torch.tensor(vector), cosine_power=power, position=position)(SEEN)
    torch.testing.assert_close(scores, torch.tensor(slow_direction(SEEN["a"], vector, power, places)))


def test_direction_names_its_vector() -> None:
    one, other = direction("a", torch.ones(4)), direction("a", torch.tensor([1.0, 1, 1, 2]), cosine_power=2, position="centre")
    assert one.name.startswith("direction('a', <4 numbers ")
    assert other.name.endswith(">, cosine_power=2, position='centre')")
    assert one.name.split()[3] != other.name.split()[3]
    assert direction("a", torch.full((4,), 3.0)).name == one.name  # the length does not matter
    assert direction("a", torch.ones(4), position=(0, 1)).placed and not other.placed


@pytest.mark.parametrize(
    "make",
    [
        lambda: channel("a", 4),
        lambda: channel("a", -1),
        lambda: logit(7),
        lambda: neuron("a", 0, row=5, col=0),
        lambda: neuron("b", 0, col=3),
        lambda: direction("a", torch.ones(5)),
        lambda: direction("a", torch.zeros(4)),
        lambda: direction("a", torch.ones(4), position=(0, 6)),
    ],
)
def test_out_of_range(make) -> None:
    with pytest.raises(UsageError):
        make()(SEEN)


@pytest.fixture(scope="module")
def model() -> Model:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return load(network, size=(17, 21), classes=["cat", "dog: small", "7"])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0:3", "channel('0', 3)"),
        ("0:3@7,9", "neuron('0', 3, row=7, col=9)"),
        ("class:dog: small", "logit(1)"),
        ("class:0", "logit(0)"),
    ],
)
def test_parse(model: Model, text: str, written: str) -> None:
    assert parse_unit(text, model).name == written


@pytest.mark.parametrize(
    "text", ["0", "0:", "0:x", "0:-1", "0:1@2", "0:1@2,3,4", "0:1@", "0:1@a,b", "", "0:4", "0:1@8,0", "0:1@0,10"]
)
def test_not_a_unit(model: Model, text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_unit(text, model)
    assert not isinstance(error.value, NotFoundError)


@pytest.mark.parametrize("text", ["9:0", "class:cats", "class:"])
def test_not_there(model: Model, text: str) -> None:
    with pytest.raises(NotFoundError):
        parse_unit(text, model)
