"""Style transfer between scenes of the terrarium."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.scenes import network, scene

from pellucid.arrays import resized
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import capture
from pellucid.vis.recipes.photos import correlation, ssim
from pellucid.vis.recipes.style import style

LAYERS = ["conv1", "mixed3b"]


def maps(*images: torch.Tensor, layer: str) -> list[torch.Tensor]:
    with torch.no_grad():
        return [capture(network(), image[None], [layer])[layer][0] for image in images]


def test_content_alone_recovers_the_content_from_noise() -> None:
    made = style(network(), scene("lighthouse"), None, content_layers=["conv2"], steps=48)
    assert made.content["conv2"] > 0.8
    assert made.style == {}
    assert made.similarity is not None and made.similarity > 0.5


def test_style_alone_matches_what_goes_together_and_rearranges_it() -> None:
    """In layers that see little of the picture; deeper ones know from its border where they are."""
    painting = scene("house")
    made = style(network(), None, painting, style_layers=["conv1", "conv2"], steps=64)
    assert made.content == {} and made.similarity is None
    assert made.rendering.image.shape == painting.shape
    assert made.style["conv1"] > 0.8 and made.style["conv2"] > 0.8
    wanted, found = (each[:, 3:-3, 3:-3] for each in maps(painting, made.rendering.image, layer="conv2"))
    apart = [each - each.mean((1, 2), keepdim=True) for each in (wanted, found)]
    assert correlation(*apart) < 0.2


def test_content_stays_where_it_is_while_the_style_changes() -> None:
    photo, painting = scene("lighthouse"), scene("cabbage")
    made, before = (style(network(), photo, painting, steps=steps) for steps in (48, 1))
    assert all(made.style[layer] > before.style[layer] for layer in LAYERS)
    assert made.similarity is not None and made.similarity > ssim(made.rendering.image, painting) + 0.1


def test_more_weight_keeps_more_of_the_content() -> None:
    light, heavy = (
        style(network(), scene("lighthouse"), scene("cabbage"), content_weight=weight, steps=24) for weight in (0.03, 3.0)
    )
    assert heavy.content["mixed3b"] > light.content["mixed3b"] + 0.1
    assert all(heavy.style[layer] < light.style[layer] for layer in LAYERS)


def test_the_numbers_are_those_of_the_pictures() -> None:
    photo, painting = scene("lake"), resized(scene("house"), (64, 128))
    made = style(network(), photo, painting, content_layers=["conv2"], style_layers=["conv1"], steps=2)
    assert set(made.content) == set(made.style) == {"conv1", "conv2"}
    wanted, found = maps(painting, made.rendering.image, layer="conv1")
    grams = [torch.einsum("ahw,bhw->ab", each, each) / each[0].numel() for each in (wanted, found)]
    assert made.style["conv1"] == pytest.approx(1 - float((grams[0] - grams[1]).norm() / grams[0].norm()), abs=1e-3)
    there, found = maps(photo, made.rendering.image, layer="conv2")
    assert made.content["conv2"] == pytest.approx(1 - float((there - found).norm() / there.norm()), abs=1e-3)


def test_it_can_begin_with_any_picture_and_says_how_it_was_made() -> None:
    begin = torch.full((3, 20, 20), 0.5)
    made = style(network(), scene("lake"), scene("house"), start=begin, steps=1)
    assert made.rendering.settings["recipe"]["style_layers"] == LAYERS
    assert made.rendering.settings["start"] is not None
    assert (made.rendering.image - 0.5).abs().max() < 0.4
    assert json.loads(json.dumps(made.facts()))["similarity"] == made.similarity


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"content": None, "style_image": None}, "both None"),
        ({"content_weight": 0}, "content_weight"),
        ({"style_image": torch.rand(1, 20, 20)}, "style_image"),
        ({"style_image": None, "content_layers": []}, "no layer"),
        ({"steps": 0}, "steps"),
    ],
)
def test_wrong_use_is_refused(options: dict[str, object], said: str) -> None:
    given = {"content": scene("lake"), "style_image": scene("house"), "steps": 1} | options
    with pytest.raises(UsageError, match=said):
        style(network(), **given)  # type: ignore[arg-type]


def test_an_unknown_layer_has_neighbours() -> None:
    with pytest.raises(NotFoundError, match="mixed4a"):
        style(network(), scene("lake"), scene("house"), style_layers=["mixed4"])
