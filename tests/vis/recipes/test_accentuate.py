"""Feature accentuation of scenes of the terrarium."""

from __future__ import annotations

import json
import math

import pytest
import torch
from tests.vis.recipes.scenes import network, scene

from pellucid.arrays import resized
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import capture
from pellucid.vis import Method, channel
from pellucid.vis.objectives import diversity
from pellucid.vis.recipes.accentuate import _near, accentuate


def test_a_stronger_one_goes_farther_and_answers_more_while_the_photo_shows() -> None:
    made = accentuate(network(), scene("house"), "class:lighthouse", strengths=(0.1, 0.3, 1.0), steps=32)
    scores = [made[0].photo_score, *(each.rendering.score for each in made)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 3
    distances = [each.distance for each in made]
    assert distances == sorted(distances) and distances[0] < 0.15
    similarities = [each.similarity for each in made]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] > 0.9


def test_the_gain_counts_less_the_farther_the_picture_is() -> None:
    generator = torch.Generator().manual_seed(0)
    seen = {"a": torch.rand(3, 2, 4, 4, generator=generator), "b": torch.rand(3, 5, 2, 2, generator=generator)}
    found = _near(channel("b", 1), "a", [0.2, 0.5])(seen)
    photo = float(seen["b"][0, 1].mean())
    assert float(found[0]) == pytest.approx(photo)
    for index, strength in [(1, 0.2), (2, 0.5)]:
        gain = float(seen["b"][index, 1].mean()) - photo
        distance = float((seen["a"][index] - seen["a"][0]).norm() / seen["a"][0].norm())
        assert float(found[index]) == pytest.approx(gain * math.exp(-((distance / strength) ** 2)), rel=1e-4)


def test_neither_the_photo_nor_a_loss_draws_the_picture_away() -> None:
    maps = torch.rand(2, 2, 4, 4, requires_grad=True)
    answers = torch.tensor([5.0, 1.0])[:, None, None, None]
    score = _near(channel("b", 0), "a", [0.3])({"a": maps, "b": answers})
    assert not score.requires_grad or torch.autograd.grad(score.sum(), maps)[0].abs().sum() == 0


def test_the_numbers_are_those_of_the_pictures_in_the_layer_that_is_asked_for() -> None:
    photo = resized(scene("lake"), (64, 80))
    (made,) = accentuate(network(), photo, "mixed3a:5", layer="conv2", strengths=[0.3], steps=4)
    with torch.no_grad():
        maps = capture(network(), torch.stack([photo, made.rendering.image]), ["conv2", "mixed3a"])
    before, after = maps["conv2"]
    assert made.distance == pytest.approx(float((after - before).norm() / before.norm()), abs=1e-3)
    answers = maps["mixed3a"][:, 5].mean((1, 2)).tolist()
    assert [made.photo_score, made.rendering.score] == pytest.approx(answers, rel=1e-3)
    assert made.rendering.settings["recipe"]["layer"] == "conv2"
    assert json.loads(json.dumps(made.facts()))["strength"] == 0.3


def test_the_photo_can_be_kept_in_its_pixels() -> None:
    (made,) = accentuate(network(), scene("lake"), "mixed3a:5", layer="image", strengths=[0.1], steps=16)
    moved = (made.rendering.image - scene("lake")).norm() / scene("lake").norm()
    assert made.distance == pytest.approx(float(moved), abs=1e-3)
    assert 0.01 < made.distance < 0.15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strengths": []}, "strengths"),
        ({"strengths": [0.0]}, "strengths"),
        ({"steps": 0}, "steps"),
        ({"objective": diversity("conv1", pictures=2)}, "2 pictures"),
        ({"method": Method(gradient_filter=lambda gradient, progress: gradient)}, "gradient_filter"),
    ],
)
def test_wrong_use_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        accentuate(**{"model": network(), "image": scene("lake"), "objective": "conv1:0", "steps": 1} | options)  # type: ignore[arg-type]


def test_an_unknown_layer_has_neighbours() -> None:
    with pytest.raises(NotFoundError, match="mixed4a"):
        accentuate(network(), scene("lake"), "conv1:0", layer="mixed4", steps=1)
