"""Units against slow loops."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.objectives import (
    channel,
    direction,
    layer,
    log_probability,
    logit,
    neuron,
    probability,
    sigmoid,
    tanh,
    tensor_direction,
)

SEEN = {
    "a": torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(1)),
    "logits": torch.randn(3, 7, 1, 1, generator=torch.Generator().manual_seed(2)),
}


def test_units() -> None:
    torch.testing.assert_close(channel("a", 2)(SEEN), SEEN["a"][:, 2].mean((1, 2)))
    assert torch.equal(neuron("a", 2)(SEEN), SEEN["a"][:, 2, 2, 3])
    assert torch.equal(neuron("a", 2, row=4, col=0)(SEEN), SEEN["a"][:, 2, 4, 0])
    assert torch.equal(logit(6)(SEEN), SEEN["logits"][:, 6, 0, 0])


def test_layer_is_the_mean_square() -> None:
    by_hand = [sum(x * x for x in picture.flatten().tolist()) / picture.numel() for picture in SEEN["a"]]
    torch.testing.assert_close(layer("a")(SEEN), torch.tensor(by_hand))


def test_classes_by_hand() -> None:
    for index in range(7):
        for row, picture in enumerate(SEEN["logits"].flatten(1).tolist()):
            share = math.exp(picture[index]) / sum(map(math.exp, picture))
            assert probability(index)(SEEN)[row] == pytest.approx(share)
            assert log_probability(index)(SEEN)[row] == pytest.approx(math.log(share))
            assert sigmoid(logit(index))(SEEN)[row] == pytest.approx(1 / (1 + math.exp(-picture[index])))
            assert tanh(logit(index))(SEEN)[row] == pytest.approx(math.tanh(picture[index]))


def test_what_separates_rivals_from_squashing() -> None:
    """Lowering a rival class raises probability and log-probability alone; far from 0, all but the logarithm stop moving."""
    logits = torch.full((1, 5, 1, 1), -20.0)
    moves = {}
    for make in (logit, probability, log_probability, lambda index: sigmoid(logit(index)), lambda index: tanh(logit(index))):
        leaf = logits.clone().index_fill(1, torch.tensor(1), 0.0).requires_grad_()
        make(0)({"logits": leaf}).sum().backward()
        assert leaf.grad is not None
        moves[make(0).name] = [bool(abs(value) > 1e-6) for value in leaf.grad.flatten()[:2]]
    assert moves == {
        "logit(0)": [True, False],
        "probability(0)": [False, False],
        "log_probability(0)": [True, True],
        "sigmoid(logit(0))": [False, False],
        "tanh(logit(0))": [False, False],
    }


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


@pytest.mark.parametrize("power", [0.0, 1.0, 4.0])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3), (5, 6), (4, 1)])
def test_tensor_direction_by_hand(power: float, rows: int, cols: int) -> None:
    block = torch.randn(4, rows, cols, generator=torch.Generator().manual_seed(rows))
    block[:, 0, 0] *= 1 - (rows == 2)  # a position that asks for nothing
    top, left = 5 // 2 - rows // 2, 6 // 2 - cols // 2
    expected = []
    for picture in SEEN["a"].double():
        score = 0.0
        for row in range(rows):
            for col in range(cols):
                a, v = picture[:, top + row, left + col].tolist(), block[:, row, col].tolist()
                dot = sum(x * y for x, y in zip(a, v, strict=True))
                cosine = dot / ((math.hypot(*a) + 1e-4) * math.hypot(*v)) if any(v) else 0.0
                score += dot / float(block.norm()) * max(0.1, cosine) ** power
        expected.append(score)
    torch.testing.assert_close(tensor_direction("a", block, cosine_power=power)(SEEN), torch.tensor(expected))


def test_a_block_of_one_position_is_a_direction_at_the_centre() -> None:
    vector = torch.tensor([0.5, -2.0, 1.0, 0.25])
    block, centre = (
        tensor_direction("a", 3 * vector[:, None, None], cosine_power=2)(SEEN),
        direction("a", vector, cosine_power=2, position="centre")(SEEN),
    )
    torch.testing.assert_close(block, centre)


def test_a_direction_at_silence_has_a_gradient_without_nan() -> None:
    maps = torch.zeros(1, 4, 5, 5, requires_grad=True)
    direction("a", torch.ones(4), cosine_power=4)({"a": maps}).sum().backward()
    assert maps.grad is not None and maps.grad.isfinite().all() and (maps.grad > 0).all()


def test_direction_names_its_vector() -> None:
    one, other = direction("a", torch.ones(4)), direction("a", torch.tensor([1.0, 1, 1, 2]), cosine_power=2, position="centre")
    assert one.name.startswith("direction('a', <4 numbers ")
    assert other.name.endswith(">, cosine_power=2, position='centre')")
    assert one.name.split()[3] != other.name.split()[3]
    assert direction("a", torch.full((4,), 3.0)).name == one.name  # the length does not matter
    assert direction("a", torch.ones(4), position=(0, 1)).placed and not other.placed
    assert tensor_direction("a", torch.ones(4, 1, 2), cosine_power=1.5).name.startswith("tensor_direction('a', <4×1×2 numbers ")


@pytest.mark.parametrize(
    "make",
    [
        lambda: channel("a", 4),
        lambda: channel("a", -1),
        lambda: logit(7),
        lambda: probability(7),
        lambda: log_probability(-1),
        lambda: neuron("a", 0, row=5, col=0),
        lambda: neuron("b", 0, col=3),
        lambda: direction("a", torch.ones(5)),
        lambda: direction("a", torch.zeros(4)),
        lambda: direction("a", torch.ones(1, 4)),
        lambda: direction("a", torch.tensor([1, torch.nan, 1, 1])),
        lambda: direction("a", torch.ones(4), position=(0, 6)),
        lambda: tensor_direction("a", torch.ones(4)),
        lambda: tensor_direction("a", torch.zeros(4, 1, 1)),
        lambda: tensor_direction("a", torch.ones(4, 6, 1)),
        lambda: tensor_direction("a", torch.ones(4, 1, 7)),
        lambda: tensor_direction("a", torch.ones(3, 1, 1)),
    ],
)
def test_out_of_range(make) -> None:
    with pytest.raises(UsageError) as error:
        make()(SEEN)
    assert "\n" not in str(error.value)
