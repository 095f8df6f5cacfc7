"""Cutting, padding and mirroring, against slices by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from PIL import Image

from pellucid.arrays import to_image, to_picture
from pellucid.errors import UsageError
from pellucid.vis.transforms import crop, flip, jitter, pad


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_shift_is_equally_likely() -> None:
    places = torch.arange(30.0).reshape(1, 1, 5, 6)
    draws = generator()
    seen: Counter[float] = Counter()
    for _ in range(900):
        window = jitter(2)(places, draws)
        top, left = divmod(int(window[0, 0, 0, 0]), 6)
        assert torch.equal(window, places[:, :, top : top + 3, left : left + 4])
        seen[window[0, 0, 0, 0].item()] += 1
    assert sorted(seen) == [0, 1, 2, 6, 7, 8, 12, 13, 14]
    assert min(seen.values()) > 60


def test_pad_by_hand() -> None:
    images = torch.rand(1, 2, 4, 5, generator=generator())
    grey = pad(2, value=0.25)(images, generator())
    assert torch.equal(grey[:, :, 2:6, 2:7], images)
    assert grey.shape == (1, 2, 8, 9) and (grey[:, :, :2] == 0.25).all() and (grey[..., 7:] == 0.25).all()
    mirrored = pad(2, value=None)(images, generator())
    assert torch.equal(mirrored[:, :, 2:6, 1], images[..., 1]) and torch.equal(mirrored[:, :, 6, 2:7], images[:, :, 2])


def test_a_box_is_resized_as_pillow_does() -> None:
    """A grey picture of 8 bits, to the rounding of the bytes; half and double the size."""
    photo = to_picture(torch.rand(1, 40, 48, generator=generator()))
    images = to_image(photo, channels=1)[None]
    for size in [(40, 48), (20, 24), (80, 96)]:
        resized = crop(size=size, scale=(1, 1))(images, generator())[0]
        expected = to_image(photo.resize(size[::-1], Image.Resampling.BILINEAR), channels=1)
        torch.testing.assert_close(resized, expected, atol=1.5 / 255, rtol=0)


@pytest.mark.parametrize("size", [(10, 10), (5, 20), (8, 4)])
def test_boxes_have_the_shape_and_scale_asked_for(size: tuple[int, int]) -> None:
    """On a ramp the differences between neighbours say how large the box was, and the corner where it lay."""
    height, width = 60, 90
    ramps = torch.stack(torch.meshgrid(torch.arange(60.0), torch.arange(90.0), indexing="ij"))[None]
    draws, largest = generator(), min(height / size[0], width / size[1])
    parts, tops, lefts = [], [], []
    for _ in range(300):
        down, right = crop(size=size, scale=(0.4, 0.6))(ramps, draws)[0]
        tall, wide = ((each.max() - each.min()).item() for each in (down, right))
        assert min(down.min(), right.min()) >= -1e-3 and down.max() <= 59.001 and right.max() <= 89.001
        parts += [tall / (size[0] - 1) / largest, wide / (size[1] - 1) / largest]
        tops.append(down.min().item() / height)
        lefts.append(right.min().item() / width)
    assert 0.33 < min(parts) < 0.45 and 0.55 < max(parts) < 0.68
    assert min(tops) < 0.1 and min(lefts) < 0.1 and max(tops) > 0.25 and max(lefts) > 0.25


def test_flip_is_as_likely_as_asked() -> None:
    images, draws = torch.rand(1, 1, 3, 4, generator=generator()), generator()
    mirrored = [torch.equal(flip(probability=0.25)(images, draws), images[..., [3, 2, 1, 0]]) for _ in range(400)]
    assert 0.18 < sum(mirrored) / 400 < 0.32
    assert torch.equal(flip(probability=0)(images, draws), images)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: jitter(-1), "pixels"),
        (lambda: jitter(5)(torch.rand(1, 1, 5, 9), generator()), "fewer pixels"),
        (lambda: pad(-1), "pixels"),
        (lambda: pad(4, value=None)(torch.rand(1, 1, 4, 9), generator()), "fewer pixels"),
        (lambda: crop(size=(0, 4)), "height"),
        (lambda: crop(size=(4, 4), scale=(0.5, 1.5)), "whole picture"),
        (lambda: crop(size=(4, 4), scale=(0.5, 0.2)), "lowest, highest"),
        (lambda: flip(probability=1.5), "from 0 to 1"),
    ],
)
def test_wrong_use(wrong, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wrong()
