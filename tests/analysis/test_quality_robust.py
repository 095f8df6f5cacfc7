"""The held-out changes, each against what it is to do, and what counts as kept."""

from __future__ import annotations

import io
import math

import pytest
import torch
from PIL import Image
from torch import Tensor

from pellucid.analysis.quality.robust import Robust, changes
from pellucid.arrays import to_image, to_picture
from pellucid.terrarium.world import draw
from pellucid.vis.transforms import robust


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return to_image(draw(3, masks=False).picture)[:, :80]


def test_blur(picture: Tensor) -> None:
    point = torch.zeros(1, 21, 21)
    point[0, 10, 10] = 1
    blurred = changes(point)["blur"][0]
    assert blurred.sum().item() == pytest.approx(1, abs=1e-4)
    rows = torch.arange(21.0)
    deviation = (blurred.sum(1) * (rows - 10) ** 2).sum().sqrt().item()
    assert deviation == pytest.approx(1.5, abs=0.02)


def test_jpeg(picture: Tensor) -> None:
    with io.BytesIO() as file:
        to_picture(picture).save(file, format="JPEG", quality=30)
        assert torch.equal(changes(picture)["jpeg"], to_image(Image.open(file)))
    flat = torch.full((2, 16, 16), 0.5)
    torch.testing.assert_close(changes(flat)["jpeg"], flat, atol=1 / 255, rtol=0)


def test_half_size(picture: Tensor) -> None:
    stripes = torch.tensor([1.0, 0.0]).repeat(16).expand(1, 32, 32)
    for lines in (stripes, stripes.mT):
        inner = changes(lines)["half_size"][0, 4:-4, 4:-4]
        torch.testing.assert_close(inner, torch.full_like(inner, 0.5))
    slow = torch.linspace(0, 1, 64).expand(1, 32, 64)
    torch.testing.assert_close(changes(slow)["half_size"][:, :, 4:-4], slow[:, :, 4:-4], atol=0.005, rtol=0)


def test_grey_flip_and_contrast(picture: Tensor) -> None:
    made = changes(picture)
    for channel in range(3):
        torch.testing.assert_close(made["grey"][channel], sum(picture) / 3)
        values, mean = picture[channel], picture[channel].mean()
        torch.testing.assert_close(made["half_contrast"][channel], mean + (values - mean) / 2)
    assert torch.equal(made["flip"], torch.stack([picture[:, :, col] for col in reversed(range(picture.shape[2]))], 2))


def test_rotation_against_pillow() -> None:
    image = draw(3, masks=False, size=64).picture
    turned = to_image(image.rotate(-25, Image.Resampling.BILINEAR))
    made = changes(to_image(image))["rotation"]
    opposite = to_image(image.rotate(25, Image.Resampling.BILINEAR))
    rows, cols = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    inside = rows.square() + cols.square() < 28**2
    gaps = [(made - each).abs()[:, inside].mean().item() for each in (turned, opposite)]
    assert min(gaps) < 0.01 < max(gaps)


def test_the_angle_is_held_out() -> None:
    assert robust((224, 224)).rotate < 25 and math.isclose(robust((96, 96)).rotate, 20)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_any_number_of_channels_and_any_size(channels: int) -> None:
    image = torch.rand(channels, 17, 30, generator=torch.Generator().manual_seed(0))
    made = changes(image)
    assert ("grey" in made) == (channels > 1)
    for name, changed in made.items():
        assert changed.shape == image.shape and 0 <= changed.min() <= changed.max() <= 1, name
        assert not torch.equal(changed, image), name
        assert torch.equal(changed, changes(image)[name]), f"{name} is not the same again"


def test_what_stands_at_a_place_is_not_moved(picture: Tensor) -> None:
    assert set(changes(picture)) - set(changes(picture, placed=True)) == {"flip", "rotation"}


def test_kept_counts_from_the_typical_picture() -> None:
    found = Robust.of(5.0, 1.0, {"blur": 3.0, "grey": 0.0, "flip": 9.0})
    assert found.each == {"blur": 0.5, "grey": -0.25, "flip": 2.0}
    assert found.kept == pytest.approx((0.5 + 0 + 1) / 3)
    assert Robust.of(5.0 + 7, 1.0 + 7, {"blur": 3.0 + 7, "grey": 0.0 + 7, "flip": 9.0 + 7}) == found


def test_nothing_reached_is_nothing_kept() -> None:
    assert Robust.of(1.0, 1.0, {"blur": 3.0}) == Robust(None, {})
    assert "nothing" in str(Robust(None, {}))
