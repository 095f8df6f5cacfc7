"""How much of a picture is the photo that it started from."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.scenes import network, scene

from pellucid.arrays import resized
from pellucid.errors import UsageError
from pellucid.vis import Method
from pellucid.vis.recipes.photos import ssim
from pellucid.vis.recipes.starts import from_photos, shares


def test_known_mixtures_are_told_apart() -> None:
    """Pictures made of variances 2 in common, 3 from the start and 5 of their own."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(1, 3, 64, 64, generator=generator)
    starts, rest = torch.randn(2, 4, 3, 64, 64, generator=generator)
    found = shares(2**0.5 * common + 3**0.5 * starts + 5**0.5 * rest, starts)
    assert (found.common, found.start, found.rest) == pytest.approx((0.2, 0.3, 0.5), abs=0.02)
    assert found.common + found.start + found.rest == pytest.approx(1)


def test_pictures_that_have_nothing_to_do_with_each_other_have_nothing_in_common() -> None:
    generator = torch.Generator().manual_seed(0)
    images, starts = torch.randn(2, 2, 3, 64, 64, generator=generator)
    found = shares(images, starts)
    assert found.common < 0.03 and found.start < 0.03


def test_a_flat_picture_divides_by_nothing() -> None:
    found = shares(torch.full((2, 3, 8, 8), 0.5), torch.full((2, 3, 8, 8), 0.5))
    assert (found.common, found.start, found.rest) == (0, 0, 0)


def test_the_more_the_picture_is_moved_the_less_of_it_is_the_photo() -> None:
    photos = [scene("house"), scene("lighthouse"), resized(scene("lake"), (120, 100))]
    near, far = (
        from_photos(network(), "mixed4a:3", photos, size=96, steps=16, method=Method(learning_rate=(rate, rate)))
        for rate in (0.01, 0.2)
    )
    assert near.shares.start > 0.8 > far.shares.start
    for made in (near, far):
        assert all(own > others + 0.1 for own, others in zip(made.own, made.others, strict=True))
        assert all(each.score > before for each, before in zip(made.renderings, made.photo_scores, strict=True))
    assert sum(far.own) < sum(near.own)


def test_the_numbers_are_those_of_the_pictures() -> None:
    photos = [scene("house"), scene("lighthouse"), scene("lake")]
    made = from_photos(network(), "mixed3a:5", photos, size=96, steps=1)
    for index, rendering in enumerate(made.renderings):
        alike = [ssim(rendering.image, photo) for photo in photos]
        assert made.own[index] == pytest.approx(alike.pop(index), abs=1e-6)
        assert made.others[index] == pytest.approx(sum(alike) / 2, abs=1e-6)
    different = {tuple(each.image.flatten()[:50].tolist()) for each in made.from_noise}
    assert len(different) == 3
    assert json.loads(json.dumps(made.facts()))["start"] == made.shares.start


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        from_photos(network(), "conv1:0", [scene("lake")])
    with pytest.raises(UsageError, match=r"photo 1: values from 26 to 238"):
        from_photos(network(), "conv1:0", [scene("lake"), 255 * scene("lake")])
