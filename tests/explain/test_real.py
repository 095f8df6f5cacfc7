"""A real network on a photograph of two animals, where a developer has them (PELLUCID_REAL, or shared/real beside the checkout)."""

import os
from pathlib import Path

import pytest

from pellucid.arrays import to_image
from pellucid.data.decode import decode, fit
from pellucid.explain.channels import channel_attribution
from pellucid.explain.factors import class_factors
from pellucid.explain.spatial import class_maps, to_classes
from pellucid.explain.tape import record
from pellucid.models import load

REAL = Path(os.environ.get("PELLUCID_REAL", Path(__file__).parents[2] / "../shared/real"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (REAL / "photos.csv").exists(), reason="the real networks and photographs are not here (set PELLUCID_REAL)"
    ),
]


def test_a_dog_and_a_sheep_are_told_apart_and_the_channels_add_up() -> None:
    """The dog fills the left of the photograph, the sheep stands on the right; the network calls it a collie."""
    model = load(f"{REAL / 'models' / 'squeezenet.py'}:load", classes=REAL / "imagenet_classes.csv")
    photo = fit(decode(REAL / "photos" / "n02106030_collie.jpg", model.size), model.size)
    tape = record(model, to_image(photo), ["features.12"])
    collie = model.class_index("collie")
    assert int(tape.logits.argmax()) == collie
    channels = channel_attribution(tape, "features.12", [collie])
    assert float(channels.error.abs()) < 1e-3 * float(channels.gained)
    (map,) = class_maps(tape, [collie], ["features.12"])["features.12"]
    assert divmod(int(map.argmax()), 13)[1] < 8
    factors = class_factors({"features.12": to_classes(tape, "features.12")})
    peaks = [int(each.sum(0).argmax()) for each in factors.maps["features.12"]]
    dog, sheep = sorted(range(2), key=lambda factor: peaks[factor])
    assert peaks[sheep] - peaks[dog] >= 3 and collie in factors.top(5)[dog]
