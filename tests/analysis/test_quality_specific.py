"""Tops and nearness: against keeping everything and comparing one by one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from pellucid.analysis.quality.specific import TOPS, Tops, earlier_layer, nearness, pooled
from pellucid.models import Model, load


def seen(tops: Tops, scores: Tensor, features: Tensor, batch: int) -> Tops:
    for start in range(0, len(scores), batch):
        tops.see(scores[start : start + batch], features[start : start + batch])
    return tops


def pictures(count: int, units: int, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, whose units like channels; features of the pictures; and those of the ideal picture of each unit."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(count, channels, generator=generator)
    likes = torch.randn(units, channels, generator=generator)
    return features @ likes.T + 0.1 * torch.randn(count, units, generator=generator), features, likes.clamp(min=0)


def oracle(scores: list[list[float]], features: Tensor, picture: Tensor, unit: int, first: int) -> tuple[float, float, float]:
    """Own, control and share, of the units from `first` on as others."""
    pictures, units = len(scores), len(scores[0])
    count = max(1, min(TOPS, pictures // 8))
    tops = {u: sorted(range(pictures), key=lambda i: (-scores[i][u], i))[:count] for u in [unit, *range(first, units)]}
    stands = {u: scores[tops[u][-1]][u] > min(row[u] for row in scores) for u in tops}
    pool = sorted({i for u in tops if stands[u] for i in tops[u]})
    scale = torch.tensor(
        [float(torch.tensor([features[i, c].item() for i in pool]).std(correction=0)) for c in range(features.shape[1])]
    )
    cosines = {i: torch.dot(features[i] / scale, picture / scale).item() / (features[i] / scale).norm().item() for i in pool}
    rank = {i: (place + 0.5) / len(pool) for place, i in enumerate(sorted(pool, key=lambda i: cosines[i]))}
    near = {u: sum(rank[i] for i in tops[u]) / count for u in tops if stands[u]}
    others = [u for u in range(first, units) if stands[u] and set(tops[u]) != set(tops[unit])]
    control = sum(near[u] for u in others) / len(others)
    return near[unit], control, sum(near[u] < near[unit] for u in others) / len(others)


@pytest.mark.parametrize(("count", "batch"), [(300, 16), (300, 300), (70, 7), (5, 2)])
def test_against_keeping_everything(count: int, batch: int) -> None:
    scores, features, likes = pictures(count, 12, 6)
    scores = torch.cat([scores[:, [3]], scores[:, :2].sum(1, keepdim=True), scores], 1)  # objectives: unit 3, and a mixture
    scores[:, 9] = 0.25  # nothing excites it
    tops = seen(Tops("early", channels=6, objectives=2, others=12), scores, features, batch)
    for objective in (0, 1):
        found = tops.specific(likes[3], objective)
        assert found is not None and (found.layer, found.tops) == ("early", max(1, min(TOPS, count // 8)))
        own, control, share = oracle(scores.tolist(), features, likes[3], objective, 2)
        assert (found.own, found.control, found.share) == pytest.approx((own, control, share), abs=1e-6)
        assert found.gap == pytest.approx(own - control, abs=1e-6)


def test_companions_do_not_matter() -> None:
    scores, features, likes = pictures(200, 8, 6)
    alone = seen(Tops("early", channels=6, objectives=1, others=8), torch.cat([scores[:, [3]], scores], 1), features, 16)
    among = seen(Tops("early", channels=6, objectives=3, others=8), torch.cat([-scores[:, [1, 3, 5]], scores], 1), features, 16)
    among_own = seen(Tops("early", channels=6, objectives=3, others=8), torch.cat([scores[:, [1, 3, 5]], scores], 1), features, 16)
    assert alone.specific(likes[3], 0) == among_own.specific(likes[3], 1) != among.specific(likes[3], 1)


def test_memory_does_not_grow() -> None:
    tops = Tops("early", channels=6, objectives=1, others=4)
    for _ in range(60):
        tops.see(torch.rand(50, 5), torch.rand(50, 6))
    assert len(tops.features) == len(tops.known) <= 5 * TOPS and tops.scores.shape == tops.ids.shape == (TOPS, 5)
    assert torch.equal(tops.known, tops.ids.unique())


def test_its_own_picture_is_near_and_a_picture_of_nothing_is_not() -> None:
    scores, features, likes = pictures(800, 30, 16)
    tops = seen(Tops("early", channels=16, objectives=30, others=30), torch.cat([scores, scores], 1), features, 64)
    own = [tops.specific(likes[unit], unit) for unit in range(30)]
    assert all(found is not None and found.share > 0.9 and found.gap > 0.15 for found in own)
    nothing = [found for unit in range(30) if (found := tops.specific(torch.full((16,), 0.7), unit))]
    assert abs(sum(found.gap for found in nothing) / 30) < 0.01
    assert sum(found.share for found in nothing) / 30 == pytest.approx(0.5, abs=0.01)


def test_no_answer_where_nothing_stands_out() -> None:
    scores, features, likes = pictures(100, 4, 6)
    silent = torch.zeros(100, 1)
    assert (
        seen(Tops("x", channels=6, objectives=1, others=4), torch.cat([silent, scores], 1), features, 16).specific(likes[0], 0)
        is None
    )
    alone = torch.cat([scores[:, :1], scores[:, :1]], 1)
    assert seen(Tops("x", channels=6, objectives=1, others=1), alone, features, 16).specific(likes[0], 0) is None
    nearly = torch.zeros(100, 1)
    nearly[:3] = 1  # three tops of the twelve that count: the rest would be chance
    assert (
        seen(Tops("x", channels=6, objectives=1, others=4), torch.cat([nearly, scores], 1), features, 16).specific(likes[0], 0)
        is None
    )


def test_nearness_is_a_percentile_of_the_cosine() -> None:
    generator = torch.Generator().manual_seed(0)
    pool, picture = torch.rand(9, 4, generator=generator), torch.rand(4, generator=generator)
    pool[:, 2] = 0.3  # tells nothing
    scale = [math.sqrt(sum((row[c] - pool[:, c].mean()) ** 2 for row in pool) / 9) for c in range(4)]
    kept = [c for c in range(4) if scale[c] > 1e-6]

    def cosine(row: Tensor) -> float:
        one, other = ([(each[c] / scale[c]).item() for c in kept] for each in (row, picture))
        return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)

    cosines = [cosine(row) for row in pool]
    expected = [(sum(other < own for other in cosines) + 0.5) / 9 for own in cosines]
    assert nearness(picture, pool).tolist() == pytest.approx(expected)


def test_pooled_is_the_deviation_over_positions() -> None:
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    for index in range(2):
        for channel in range(3):
            values = [value.item() for value in maps[index, channel].flatten()]
            mean = sum(values) / 20
            expected = math.sqrt(sum((value - mean) ** 2 for value in values) / 20)
            assert pooled(maps)[index, channel].item() == pytest.approx(expected, rel=1e-5)


def test_the_layer_to_compare_in() -> None:
    model = load("terrarium")
    for name, earlier in {"mixed4b": "mixed4a", "mixed3a": "conv2", "conv2": "conv1", "head": "mixed4a"}.items():
        assert earlier_layer(model, name) == earlier
    for name in model.layers:
        if (earlier := earlier_layer(model, name)) is not None:
            order = list(model.layers)
            assert order.index(earlier) < order.index(name) and not earlier.startswith(f"{name}.")
            assert min(model.layer(earlier).height, model.layer(earlier).width) >= 3


def test_what_lies_right_before_the_unit_is_not_compared_in() -> None:
    """A classifier reads the last map linearly: nearness there would be the score again."""
    network = nn.Sequential()
    network.features = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(44)))
    network.pool, network.flat, network.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)
    assert earlier_layer(load(network, size=4), "logits") == "features.36"  # "features" ends nearer than a tenth of the way


def test_vectors_are_not_compared_in() -> None:
    flat: Model = load(nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)), size=2, channels=3)
    assert earlier_layer(flat, "logits") is None
