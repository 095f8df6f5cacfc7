"""Noise, colour, sharpness and background, against arithmetic by hand."""

from __future__ import annotations

import colorsys

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.params import transparent
from pellucid.vis.transforms import blur, colour, noise, over, over_background


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noise_has_its_deviation() -> None:
    images = torch.rand(2, 3, 40, 50, generator=generator())
    added = noise(0.2)(images, generator(1)) - images
    assert added.std().item() == pytest.approx(0.2, rel=0.03) and abs(added.mean().item()) < 0.01
    torch.testing.assert_close(added[0], added[1], atol=1e-6, rtol=0)


def one_colour(*rgb: float) -> torch.Tensor:
    return torch.tensor(rgb).reshape(1, -1, 1, 1)


def hue(image: torch.Tensor) -> float:
    return colorsys.rgb_to_hsv(*image.flatten().tolist())[0] * 360


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_greys_stay_grey(grey: float) -> None:
    made = [colour()(one_colour(grey, grey, grey), generator(seed)).flatten() for seed in range(50)]
    assert all((each - each[0]).abs().max() < 1e-5 for each in made)


def test_brightness_moves_and_contrast_stretches_around_mid_grey() -> None:
    images = torch.rand(1, 3, 4, 4, generator=generator())
    shifts = [
        (colour(brightness=0.2, contrast=0, saturation=0, hue=0)(images, generator(seed)) - images).flatten() for seed in range(99)
    ]
    assert all((each - each[0]).abs().max() < 1e-5 for each in shifts)
    assert -0.2 <= min(each[0] for each in shifts) < -0.15 and 0.15 < max(each[0] for each in shifts) <= 0.2
    factors = [
        ((colour(brightness=0, contrast=1, saturation=0, hue=0)(images, generator(s)) - 0.5) / (images - 0.5)).flatten()
        for s in range(99)
    ]
    assert all((each - each[0]).abs().max() < 1e-3 for each in factors)
    assert 0.5 <= min(each[0] for each in factors) < 0.6 and 1.7 < max(each[0] for each in factors) <= 2


def test_saturation_keeps_the_lightness_and_the_hue() -> None:
    red = one_colour(0.7, 0.3, 0.4)
    for seed in range(20):
        changed = colour(brightness=0, contrast=0, saturation=0.5, hue=0)(red, generator(seed))
        assert changed.mean().item() == pytest.approx(red.mean().item(), abs=1e-5)
        assert hue(changed) == pytest.approx(hue(red), abs=0.1)
        assert 2**-0.5 - 1e-4 <= (changed - changed.mean()).norm() / (red - red.mean()).norm() <= 2**0.5 + 1e-4


def test_hue_turns_red_towards_yellow_or_blue_and_keeps_lightness_and_saturation() -> None:
    red = one_colour(0.7, 0.3, 0.3)
    hues = []
    for seed in range(60):
        changed = colour(brightness=0, contrast=0, saturation=0, hue=60)(red, generator(seed))
        assert changed.mean().item() == pytest.approx(red.mean().item(), abs=1e-5)
        assert (changed - changed.mean()).norm().item() == pytest.approx((red - red.mean()).norm().item(), abs=1e-5)
        hues.append((hue(changed) + 180) % 360 - 180)
    assert -62 < min(hues) < -45 and 45 < max(hues) < 62


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_channels_change_alike(channels: int) -> None:
    images = torch.rand(1, 1, 3, 3, generator=generator()).repeat(1, channels, 1, 1)
    changed = colour()(images, generator(4))
    assert torch.equal(changed[:, :1].expand_as(changed), changed) and not torch.equal(changed, images)


def test_blur_is_gaussian_of_a_drawn_width() -> None:
    images = torch.rand(1, 2, 12, 15, generator=generator())
    torch.testing.assert_close(blur(sigma=(1.5, 1.5))(images, generator()), gaussian_blur(images, 1.5))
    assert torch.equal(blur(sigma=(0, 0))(images, generator()), images)
    rough = [(blur(sigma=(0, 2))(images, generator(seed))).std().item() for seed in range(40)]
    assert min(rough) < 0.5 * images.std() and max(rough) > 0.95 * images.std()


def test_over_by_hand() -> None:
    images, behind = torch.rand(2, 4, 3, 5, generator=generator()), torch.rand(1, 3, 3, 5, generator=generator(1))
    flat = over(images, behind)
    a = images[1, 3, 2, 4].item()
    assert flat[1, 0, 2, 4].item() == pytest.approx(images[1, 0, 2, 4].item() * a + behind[0, 0, 2, 4].item() * (1 - a))
    assert torch.equal(over(torch.cat([images[:, :3], torch.ones(2, 1, 3, 5)], 1), behind), images[:, :3])


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("decay", [1.5, None])
def test_backgrounds_differ_between_steps_in_colour_and_brightness(channels: int, decay: float | None) -> None:
    glass = torch.zeros(1, channels + 1, 24, 31)
    draws = generator()
    behind = torch.cat([over_background(decay=decay)(glass, draws) for _ in range(200)])
    assert behind.shape == (200, channels, 24, 31) and behind.min() >= 0 and behind.max() <= 1
    assert behind.mean((2, 3)).std(0).min() > 0.1 and abs(behind.mean().item() - 0.5) < 0.05
    inside = behind.std((2, 3))
    assert (inside.median() > 0.1) if decay else (inside.max() < 1e-6)
    if channels == 3:
        assert (behind.amax(1) - behind.amin(1)).mean() > 0.1


def test_a_background_is_smooth_when_it_decays() -> None:
    def roughness(decay: float) -> float:
        behind = over_background(decay=decay).draw(1, 64, 64, generator())
        return ((behind[..., 1:] - behind[..., :-1]).abs().mean() / behind.std()).item()

    assert roughness(1.5) < 0.3 * roughness(0.0)


def test_opaque_pictures_hide_their_background() -> None:
    photo = torch.rand(1, 3, 8, 8, generator=generator()).clamp(0.1, 0.9)
    canvas = transparent()(1, 3, 8, 8, generators=[generator()], device=torch.device("cpu"))
    canvas.put(photo)
    torch.testing.assert_close(over_background()(canvas.images(), generator()), photo, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: noise(-0.1), "sd"),
        (lambda: colour(hue=-1), "hue"),
        (lambda: blur(sigma=(2, 1)), "sigma"),
        (lambda: over_background(sd=-1), "sd"),
    ],
)
def test_wrong_use(wrong, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wrong()
