"""Real ImageNet networks on real photographs, where a developer has them (PELLUCID_REAL, or shared/real beside the checkout)."""

import os
from pathlib import Path

import pytest
import torch

from pellucid.data.stream import open_stream
from pellucid.models import capture, load
from pellucid.vis import render

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[1] / "../shared/real"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "photos.csv").exists(), reason="the real networks and photographs are not here (set PELLUCID_REAL)"
    ),
]


@pytest.mark.parametrize(("name", "top5"), [("squeezenet", 0.75), ("mobilenet", 0.88)])
def test_photographs_arrive_as_the_network_was_trained_on_them(name: str, top5: float) -> None:
    """Published: 84.5 % and 96.5 % top-5 on these photographs; a wrong mean, channel order or crop falls far below."""
    model = load(f"{REAL / 'models' / name}.py:load", classes=REAL / "imagenet_classes.csv")
    stream = open_stream(REAL / "photos", size=model.size, labels=REAL / "photos.csv", classes=model.classes)
    right = []
    for start in range(0, len(stream), 100):
        ((samples, images),) = stream.batches(start, start + 8, batch=8)
        with torch.no_grad():
            best = capture(model, images, ["logits"])["logits"].flatten(1).topk(5).indices.tolist()
        right += [sample.label in classes for sample, classes in zip(samples, best, strict=True)]
    assert len(right) == 64
    assert sum(right) / len(right) >= top5


def test_a_channel_is_driven_beyond_every_photograph() -> None:
    model = load(f"{REAL / 'models' / 'squeezenet.py'}:load")
    stream = open_stream(REAL / "photos", size=model.size)
    ((_, images),) = stream.batches(0, 16, batch=16)
    with torch.no_grad():
        photos = capture(model, images, ["features.7"])["features.7"].mean((2, 3)).amax(0)
    for channel, made in zip((3, 40), render(model, ["features.7:3", "features.7:40"], steps=32), strict=True):
        assert made.score > photos[channel]
