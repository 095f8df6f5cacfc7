"""The best pictures of a channel against sorting all, and names that are known."""

from __future__ import annotations

import pytest
import torch
from tests.vis.recipes.scenes import network
from torch import Tensor

from pellucid.analysis.concepts import terrarium_concepts
from pellucid.analysis.maps import activation_maps, mask, overlay
from pellucid.analysis.roles import best_pictures, gallery, role
from pellucid.arrays import to_image, to_picture
from pellucid.data.stream import Stream, open_stream
from pellucid.errors import UsageError


def pictures(stream: Stream) -> list[Tensor]:
    return [to_image(stream.picture(index)) for index in range(len(stream))]


def test_the_best_pictures_are_those_of_sorting_all() -> None:
    model, stream = network(), open_stream("terrarium:40", size=(96, 96))
    highest = torch.stack([activation_maps(model, image, "mixed4a")[7].max() for image in pictures(stream)])
    assert best_pictures(model, "mixed4a:7", stream, 6).tolist() == highest.argsort(descending=True, stable=True)[:6].tolist()
    shown = gallery(model, "mixed4a:7", stream, k=2, share=0.1)
    first = pictures(stream)[int(highest.argmax())]
    assert len(shown) == 2
    assert shown[0].tobytes() == to_picture(overlay(first, mask(model, first, "mixed4a:7", 0.1).pixels)).tobytes()


def test_a_role_that_is_known_is_confirmed_on_other_pictures() -> None:
    model = network()
    learn, held_out = (terrarium_concepts(90, size=(96, 96), seed=seed).stream for seed in (5, 6))
    found = role(model, "head.linear:5", learn, held_out, k=4)
    assert (found.name, found.share, found.precision) == (model.classes[5], 1, 1)
    assert found.chance == pytest.approx(1 / 18)


def test_wrong_use_is_said() -> None:
    model = network()
    stream = terrarium_concepts(3, size=(96, 96)).stream
    bare = Stream((96, 96), 3, [type(each)(each.index, each.name, None) for each in stream.samples], (), "bare", stream.read, list)
    with pytest.raises(UsageError, match="k=4: only 3 pictures"):
        best_pictures(model, "mixed4a:1", stream, 4)
    with pytest.raises(UsageError, match="3 of the 3 pictures of 'bare' have no label; the first: terrarium/000000"):
        role(model, "mixed4a:1", stream, bare, k=2)
