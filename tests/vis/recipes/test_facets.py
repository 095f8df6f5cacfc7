"""Several pictures of one unit, and how they differ."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from tests.vis.recipes.scenes import network

from pellucid.errors import UsageError
from pellucid.vis import channel
from pellucid.vis.recipes.facets import Facets, distance, diverse, restarts, stacked
from pellucid.vis.recipes.measures import answers, pooled, sensitivities

UNIT = "mixed3b:10"


@cache
def plain() -> Facets:
    return restarts(network(), UNIT, 4, layer="mixed3a", size=48, steps=32)


@cache
def apart() -> Facets:
    return diverse(network(), UNIT, 4, strength=0.1, size=48, steps=32)


def test_distance_is_the_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, weights = torch.randn(4, 3, 2, 5, generator=generator), torch.randn(3, generator=generator)
    rows = [torch.stack([weights[c] * maps[i, c].mean() for c in range(3)]) for i in range(4)]
    score = distance("a", weights, pictures=4)({"a": maps})
    for i in range(4):
        product = 1.0
        for j in range(4):
            if i != j:
                product *= 1 - float(rows[i] @ rows[j] / rows[i].norm() / rows[j].norm())
        assert float(score[i]) == pytest.approx(product ** (1 / 3), rel=1e-4)


def test_pictures_that_are_the_same_are_no_trouble() -> None:
    maps = torch.ones(3, 2, 1, 1, requires_grad=True)
    score = distance("a", torch.ones(2), pictures=3)({"a": maps})
    (gradient,) = torch.autograd.grad(score.sum(), maps)
    assert torch.allclose(score, torch.tensor(1e-3)) and bool(gradient.isfinite().all())


def test_restarts_are_pictures_of_the_unit_alone() -> None:
    made = plain()
    assert {each.objective for each in made.renderings} == {"channel('mixed3b', 10)"}
    assert [each.settings["seed"] for each in made.renderings] == [0, 1, 2, 3]
    assert made.single is made.renderings[0]
    assert made.scores == pytest.approx([each.score for each in made.renderings], rel=1e-4)


def test_diverse_maximises_the_gain_times_a_power_of_the_distance() -> None:
    made = apart()
    images, unit = stacked(made.renderings), channel("mixed3b", 10)
    rows = pooled(network(), "mixed3a", images) * sensitivities(network(), unit, "mixed3a", made.single.image[None])
    far = distance("mixed3a", torch.ones(rows.shape[1]), pictures=4)({"mixed3a": rows[:, :, None, None]})
    low = made.single.history[0]
    gains = (answers(network(), unit, images) - low) / (made.single.score - low)
    assert [each.score for each in made.renderings] == pytest.approx((gains * far**0.1).tolist(), rel=1e-3)


def test_diverse_pictures_differ_where_restarts_do_not_and_show_the_unit() -> None:
    assert apart().likeness < plain().likeness - 0.1
    assert apart().layer == plain().layer == "mixed3a"
    assert apart().loss < 0.15
    assert diverse(network(), UNIT, 4, strength=0.4, size=48, steps=32).likeness < apart().likeness


def test_loss_is_what_the_pictures_lack_of_the_single_optimum() -> None:
    made = apart()
    mean, low = sum(made.scores) / 4, made.single.history[0]
    assert made.loss == pytest.approx((made.single.score - mean) / (made.single.score - low))


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="strength must be above 0, not 0"):
        diverse(network(), UNIT, strength=0)
    with pytest.raises(UsageError, match="count must be at least 2, not 1"):
        diverse(network(), UNIT, 1)
    with pytest.raises(UsageError, match="answers no more to its own picture than to noise"):
        diverse(network(), 0 * channel("conv1", 0), 2, steps=1, size=32)


def test_progress_counts_every_picture() -> None:
    heard: list[tuple[int, int]] = []
    diverse(network(), UNIT, 2, size=32, steps=3, progress=lambda *numbers: heard.append(numbers))
    assert heard[-1] == (9, 9) and [done for done, _ in heard] == sorted(done for done, _ in heard)
