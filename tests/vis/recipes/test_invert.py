"""Inversions and caricatures of scenes of the terrarium."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.scenes import network, scene
from torch import nn

from pellucid.arrays import resized
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import capture, load
from pellucid.vis.recipes.invert import Inversion, caricature, invert

LAYERS = ["conv1", "mixed3b", "logits"]


@pytest.fixture(scope="module")
def inversions() -> list[Inversion]:
    return invert(network(), scene("lighthouse"), LAYERS, steps=48)


def test_each_layer_recovers_most_of_its_own_answers(inversions: list[Inversion]) -> None:
    for made in inversions:
        assert made.recovered[made.layer] > 0.6
        assert made.rendering.score == pytest.approx(-((1 - made.recovered[made.layer]) ** 2), abs=1e-3)


def test_what_a_layer_has_not_kept_no_later_one_has(inversions: list[Inversion]) -> None:
    similarities = [made.similarity for made in inversions]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] > 0.8 and similarities[-1] < 0.3
    first = [made.recovered["conv1"] for made in inversions]
    assert first == sorted(first, reverse=True)
    assert inversions[0].correlation > 0.9


def test_the_numbers_are_those_of_the_pictures(inversions: list[Inversion]) -> None:
    images = torch.stack([scene("lighthouse"), inversions[1].rendering.image])
    with torch.no_grad():
        for name, (photo, picture) in capture(network(), images, LAYERS).items():
            distance = ((photo - picture) ** 2).sum().sqrt() / (photo**2).sum().sqrt()
            assert inversions[1].recovered[name] == pytest.approx(1 - float(distance), abs=1e-3)


def test_both_parts_of_the_way_are_in_the_history(inversions: list[Inversion]) -> None:
    for made in inversions:
        assert len(made.rendering.history) == 48
        assert made.rendering.settings["recipe"]["steps"] == 48
    assert json.loads(json.dumps(inversions[0].facts()))["layer"] == "conv1"


def test_photos_of_any_shape_and_progress_over_all_layers() -> None:
    heard: list[tuple[int, int]] = []
    photo = resized(scene("lake"), (56, 120))
    (first, _) = invert(network(), photo, ["conv1", "conv2"], steps=3, progress=lambda done, total: heard.append((done, total)))
    assert first.rendering.image.shape == photo.shape
    assert heard == [(done, 6) for done in range(1, 7)]


def test_a_caricature_answers_more_and_alike_and_the_power_keeps_it_more_alike() -> None:
    plain, cautious = (
        caricature(network(), scene("lighthouse"), ["mixed4b"], cosine_power=power, steps=32) for power in (0.0, 2.0)
    )
    for one, other in zip(plain, cautious, strict=True):
        assert one.gain > 1.2
        assert 0.5 < one.cosine < other.cosine
        assert one.gain > other.gain
    assert json.loads(json.dumps(plain[0].facts()))["layer"] == "mixed4b"


def test_the_numbers_of_a_caricature_are_those_of_the_picture() -> None:
    (made,) = caricature(network(), scene("house"), ["mixed3a"], steps=8)
    with torch.no_grad():
        photo, picture = capture(network(), torch.stack([scene("house"), made.rendering.image]), ["mixed3a"])["mixed3a"]
    cosines = [
        float(photo[:, row, col] @ picture[:, row, col] / (photo[:, row, col].norm() * picture[:, row, col].norm()))
        for row in range(photo.shape[1])
        for col in range(photo.shape[2])
    ]
    assert made.cosine == pytest.approx(sum(cosines) / len(cosines), abs=1e-3)
    assert made.gain == pytest.approx(float(picture.norm() / photo.norm()), rel=1e-3)


@pytest.mark.parametrize("recipe", [invert, caricature])
def test_wrong_use_is_refused(recipe: object) -> None:
    assert callable(recipe)
    with pytest.raises(NotFoundError, match="mixed4b"):
        recipe(network(), scene("lake"), ["mixed4"])
    with pytest.raises(UsageError, match="steps"):
        recipe(network(), scene("lake"), ["conv1"], steps=0)
    silent = load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Threshold(1e9, 0.0)), size=16)
    with pytest.raises(UsageError, match="'1' is zero"):
        recipe(silent, torch.rand(3, 16, 16), ["1"])


def test_negative_smoothness_is_refused() -> None:
    with pytest.raises(UsageError, match="smoothness"):
        invert(network(), scene("lake"), ["conv1"], smoothness=-1)
