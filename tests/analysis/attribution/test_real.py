"""Attributions of real ImageNet networks on real photographs, where a developer has them (as in tests/test_real.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pellucid.analysis.attribution import activation_gradient, cam, class_maps, guided_backpropagation
from pellucid.analysis.attribution.trust import deletion, insertion, randomisation
from pellucid.data.stream import open_stream
from pellucid.models import Model, load
from pellucid.vis.objectives import probability

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[3] / "../shared/real"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "photos.csv").exists(), reason="the real networks and photographs are not here (set PELLUCID_REAL)"
    ),
]


def photographs(name: str, classes: list[int]) -> tuple[Model, Tensor]:
    model = load(f"{REAL / 'models' / name}.py:load", classes=REAL / "imagenet_classes.csv")
    stream = open_stream(REAL / "photos", size=model.size, labels=REAL / "photos.csv", classes=model.classes)
    places = [next(place for place in range(len(stream)) if stream.samples[place].label == label) for label in classes]
    return model, torch.cat([next(iter(stream.batches(place, place + 1, batch=1)))[1] for place in places])


@pytest.mark.parametrize("name", ["squeezenet", "mobilenet"])
def test_the_difference_of_two_things_lies_on_each_of_them(name: str) -> None:
    """A padlock below a chain (695, 488), a chain saw above wood (634, 491): what speaks for the first is where the first is."""
    model, images = photographs(name, [695, 491])
    found = cam(model, images, ["class:695 - class:488", "class:634 - class:491"])
    rows = torch.arange(found.map.shape[1])[:, None]
    for one in found.map:
        first, second = ((side * rows).sum() / side.sum() for side in (one.clamp(min=0), (-one).clamp(min=0)))
        assert first > second + 1


@pytest.mark.parametrize("name", ["squeezenet", "mobilenet"])
def test_what_maps_mark_is_what_the_networks_need(name: str) -> None:
    labels = [0, 1, 99, 230]
    model, images = photographs(name, labels)
    maps = cam(model, images, [f"class:{label}" for label in labels]).upsampled()
    blind = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0))
    outcome = [probability(label) for label in labels]
    areas = [curve(model, images, outcome, each, steps=6).area.mean() for curve in (deletion, insertion) for each in (maps, blind)]
    assert areas[0] < areas[1] and areas[2] > areas[3]


def test_all_thousand_classes_at_every_position() -> None:
    model, images = photographs("squeezenet", [0])
    found = class_maps(model, images, layer="features.12")
    assert found.shape == (1, 1000, 13, 13)
    for label in (0, 391):
        one = activation_gradient(model, images, f"class:{label}", layer="features.12").map
        assert (found[:, label] - one).abs().max() <= 1e-4 * found.abs().max()


def test_guided_backpropagation_hardly_asks_the_network() -> None:
    model, images = photographs("squeezenet", [217])
    guided, plain = (randomisation(model, images, "class:217", method=name, stages=2).halfway for name in ("guided", "saliency"))
    assert guided > plain
    assert guided_backpropagation(model, images, "class:217").map.isfinite().all()
