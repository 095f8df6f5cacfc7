"""DeepDream on scenes of the terrarium."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.scenes import network, scene
from torch.nn.functional import interpolate

from pellucid.arrays import resized
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import capture
from pellucid.vis import Method, fourier, render, warp
from pellucid.vis.objectives import layer
from pellucid.vis.recipes.dream import dream


def test_the_layer_answers_more_at_every_octave_and_the_photo_still_shows() -> None:
    made = dream(network(), scene("lighthouse"), "mixed3b", octaves=3)
    assert [octave.size for octave in made.octaves] == [(49, 49), (69, 69), (96, 96)]
    for octave in made.octaves:
        assert octave.score > 1.2 * octave.photo_score
        assert 0.4 < octave.similarity < 0.98
    maps = capture(network(), torch.stack([scene("lighthouse"), made.rendering.image]), ["mixed3b"])["mixed3b"]
    energies = maps.square().mean((1, 2, 3)).tolist()
    assert [made.octaves[-1].photo_score, made.octaves[-1].score] == pytest.approx(energies, rel=1e-4)


def test_octaves_carry_their_detail_as_in_the_original() -> None:
    """Mordvintsev et al.: what an octave added is enlarged, and added to the photo at the next size."""
    model, photo, steps, strength = network(), scene("house"), 3, 0.1
    detail, image = None, photo
    for size in [(69, 69), (96, 96)]:
        here = resized(photo, size)
        start = here if detail is None else here + interpolate(detail[None], size, mode="bilinear", antialias=True)[0]
        method = Method(
            parameterization=fourier(decay=1.0),
            transforms=[warp(jitter=size[0] / 14, rotate=0, scale=(1, 1), crop=size)],
            learning_rate=(strength / steps, strength / steps),
        )
        (rendering,) = render(model, [layer("mixed3a")], steps=steps, start=start.clamp(0, 1), method=method)
        image, detail = rendering.image, rendering.image - here
    made = dream(model, photo, "mixed3a", octaves=2, steps=steps, strength=strength)
    assert (made.rendering.image - image).norm() < 0.05 * (image - photo).norm()


def test_a_dream_that_moves_nothing_is_the_photo_with_all_its_detail() -> None:
    photo = scene("house")
    made = dream(network(), photo, "mixed3a", octaves=4, steps=1, strength=1e-6)
    assert (made.rendering.image - photo).abs().max() < 0.01


def test_any_size_and_shape_also_larger_than_the_model() -> None:
    photo = resized(scene("beach"), (130, 170))
    made = dream(network(), photo, "mixed3a", octaves=2, octave_scale=2, steps=1)
    assert [octave.size for octave in made.octaves] == [(65, 85), (130, 170)]
    assert made.rendering.image.shape == (3, 130, 170)


def test_a_unit_and_a_class_can_be_dreamt_of() -> None:
    for what in ("mixed4a:3", "class:fireboat"):
        made = dream(network(), scene("lake"), what, octaves=1, steps=6)
        assert made.octaves[-1].score > made.octaves[-1].photo_score


def test_it_is_told_how_far_it_is_and_how_it_was_made() -> None:
    heard: list[tuple[int, int]] = []
    made = dream(network(), scene("lake"), "conv1", octaves=2, steps=2, progress=lambda *numbers: heard.append(numbers))
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert made.rendering.settings["recipe"]["octaves"] == [[69, 69], [96, 96]]
    assert json.loads(json.dumps(made.facts()))["octaves"][1]["size"] == [96, 96]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"octaves": 0}, "octaves"),
        ({"octave_scale": 1.0}, "octave_scale"),
        ({"octaves": 9}, "fewer or a larger photo"),
        ({"steps": 0}, "steps"),
        ({"strength": 0.0}, "strength"),
        ({"what": "mixed4a:999"}, "999"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        dream(**{"model": network(), "image": scene("lake"), "what": "conv1"} | options)  # type: ignore[arg-type]


def test_an_unknown_layer_has_neighbours() -> None:
    with pytest.raises(NotFoundError, match="mixed4a"):
        dream(network(), scene("lake"), "mixed4")
