"""MaCo: amplitudes stay what they are, phases move."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import terrarium
from pellucid.arrays import to_image
from pellucid.errors import UsageError
from pellucid.vis.params import COLOURS, Canvas, Magnitude, fit_colours, maco, mean_magnitude, mixing, unsquash
from pellucid.vis.params.phases import EXPONENT, MEAN, SPREAD, power_law
from pellucid.vis.params.spectrum import frequencies

CPU = torch.device("cpu")
sides = st.integers(1, 12)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def photos(count: int, height: int, width: int, *, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(7)).mul(0.9).add(0.05)


def values_of(canvas: Canvas, mix: torch.Tensor | None) -> np.ndarray:
    values = canvas.images().detach().double().logit()
    return (values if mix is None else torch.einsum("oc,nchw->nohw", torch.linalg.inv(mix.double()), values)).numpy()


def own_mirror(height: int, width: int) -> np.ndarray:
    """Coefficients that are real in every real picture."""
    rows, cols = np.arange(height)[:, None], np.arange(width // 2 + 1)[None]
    return (rows * 2 % height == 0) & (cols * 2 % width == 0)


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([1, 3, 4]), st.booleans())
def test_amplitudes_are_the_statistic(height: int, width: int, channels: int, natural: bool) -> None:
    statistic = None if natural else mean_magnitude(photos(3, height, width, channels=channels))
    canvas = maco(magnitude=statistic)(2, channels, height, width, generators=generators(0, 1), device=CPU)
    values = values_of(canvas, mixing("natural", channels, CPU))
    found = np.abs(np.fft.rfft2(values, norm="ortho"))
    wanted = np.broadcast_to(power_law(height, width) if statistic is None else statistic.values, found.shape)
    real = np.broadcast_to(own_mirror(height, width), found.shape)
    np.testing.assert_allclose(found[~real], wanted[~real], rtol=1e-3, atol=1e-3)
    assert (found[real] <= wanted[real] + 1e-3).all()


def slow_periodic(values: np.ndarray) -> np.ndarray:
    """Values less s, of mean 0, which bends over all neighbours (around the borders too) as the values do over borders alone."""
    height, width = values.shape
    places = [(row, col) for row in range(height) for col in range(width)]
    bends, wanted = np.zeros((len(places), len(places))), np.zeros(len(places))
    for here, (row, col) in enumerate(places):
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            there = ((row + down) % height, (col + right) % width)
            bends[here, here] -= 1
            bends[here, places.index(there)] += 1
            if there != (row + down, col + right):
                wanted[here] += values[there] - values[row, col]
    smooth = np.linalg.lstsq(bends, wanted, rcond=None)[0].reshape(values.shape)
    return values - smooth + smooth.mean()


def test_the_statistic_is_the_mean_of_numpys_amplitudes() -> None:
    given = photos(3, 7, 10)
    inverse = np.linalg.inv(np.array(COLOURS))
    slow = np.zeros((3, 7, 6))
    for photo in given.double().numpy():
        values = np.einsum("oc,chw->ohw", inverse, np.log(photo / (1 - photo)))
        slow += np.abs(np.fft.rfft2([slow_periodic(axis) for axis in values])) / np.sqrt(70) / 3
    np.testing.assert_allclose(mean_magnitude(given).values, slow, rtol=1e-3, atol=1e-4)
    assert mean_magnitude(iter(given)).width == 10


def test_a_photo_gives_its_phases() -> None:
    (photo,) = photos(1, 9, 12)
    mix = mixing("natural", 3, CPU)
    own = Magnitude(torch.fft.rfft2(unsquash(photo[None], mix)[0], norm="ortho").abs(), 12, "natural")
    canvas = maco(magnitude=own)(1, 3, 9, 12, generators=generators(0), device=CPU)
    canvas.put(photo[None])
    torch.testing.assert_close(canvas.images()[0], photo, atol=1e-4, rtol=0)  # its own amplitudes: the photo itself
    other = maco()(1, 3, 9, 12, generators=generators(0), device=CPU)
    other.put(photo[None])
    found = np.fft.rfft2(values_of(other, mix)[0])
    wanted = np.fft.rfft2(unsquash(photo[None], mix)[0].double().numpy())
    angles = np.angle(found / wanted)[:, ~own_mirror(9, 12)]
    np.testing.assert_allclose(angles, 0, atol=1e-3)


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.35])
@pytest.mark.parametrize(("old", "new"), [((32, 32), (20, 27)), ((21, 32), (48, 64)), ((24, 25), (23, 25)), ((16, 16), (15, 64))])
def test_a_power_law_stays_one_at_any_size(exponent: float, old: tuple[int, int], new: tuple[int, int]) -> None:
    law = frequencies(*old).clamp(min=1e-9) ** -exponent
    law[0, 0] = (old[0] * old[1]) ** 0.5
    resized = Magnitude(law[None], old[1], None).at(1, *new)[0]
    expected = frequencies(*new)
    inside = (expected > 3 / min(old)) & (expected < 0.45)
    torch.testing.assert_close(resized[inside], expected[inside] ** -exponent, rtol=0.05, atol=0)
    lowest = (expected > 0) & (expected < 1 / min(old))  # what the statistic does not hold
    assert ((resized * expected**exponent)[lowest].log().abs() < 0.6).all()
    assert resized.isfinite().all() and (resized > 0).all()
    assert resized[0, 0] == pytest.approx((new[0] * new[1]) ** 0.5)


def test_the_same_size_is_untouched() -> None:
    statistic = mean_magnitude(photos(2, 8, 6))
    assert torch.equal(statistic.at(3, 8, 6), statistic.values)


@settings(deadline=None, max_examples=30)
@given(sides, sides, sides, sides)
def test_a_resized_statistic_is_that_of_real_pictures(height: int, width: int, tall: int, wide: int) -> None:
    """In the first column, and an even last one, a coefficient and its mirror image are as large as each other."""
    resized = mean_magnitude(photos(2, height, width)).at(3, tall, wide)
    assert resized.shape == (3, tall, wide // 2 + 1) and resized.isfinite().all() and (resized >= 0).all()
    mirrored = resized[:, -torch.arange(tall) % tall]
    torch.testing.assert_close(resized[..., 0], mirrored[..., 0])


def test_a_slope_over_the_picture_makes_no_streaks() -> None:
    slope = torch.linspace(0.2, 0.8, 32).expand(1, 32, 32)
    assert mean_magnitude([slope]).values[0, 0, 4:].max() < 0.1 * torch.fft.rfft2(slope.logit(), norm="ortho").abs()[0, 0, 4:].max()


def test_pictures_of_several_sizes() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = [torch.rand(1, *size, generator=generator) for size in [(24, 20), (40, 31), (17, 50)] * 20]
    statistic = mean_magnitude(noise)
    assert statistic.values.shape == (1, 24, 11)
    alone = mean_magnitude(noise[::3])
    assert (statistic.values / alone.values)[:, 3:20, 2:9].mean().item() == pytest.approx(1, abs=0.1)  # white is white at any size


def test_other_channel_counts_get_the_mean_power() -> None:
    statistic = mean_magnitude(photos(2, 8, 8))
    mixed = np.einsum("oc,chw->ohw", np.array(COLOURS) ** 2, statistic.values.double().numpy() ** 2)
    np.testing.assert_allclose(statistic.at(2, 8, 8), np.sqrt(mixed.mean(0))[None].repeat(2, 0), rtol=1e-5)


def test_a_statistic_brings_its_colours() -> None:
    given = photos(3, 8, 8)
    colours = fit_colours(given)
    make = maco(magnitude=mean_magnitude(given, colours=colours))
    canvas = make(1, 3, 8, 8, generators=generators(0), device=CPU)
    found = np.abs(np.fft.rfft2(values_of(canvas, torch.tensor(colours)), norm="ortho"))[0, :, 1:4, 1:4]
    np.testing.assert_allclose(found, make.magnitude.values[:, 1:4, 1:4], rtol=1e-2)


def test_the_law_has_its_spread_and_mean() -> None:
    for size in [(32, 32), (31, 48)]:
        values = values_of(maco()(30, 1, *size, generators=generators(*range(30)), device=CPU), None)
        assert values.std((2, 3)).mean() == pytest.approx(SPREAD, rel=0.03)
        assert 0.8 * MEAN < np.abs(values.mean((2, 3))).max() <= MEAN + 1e-5


def test_the_law_is_as_steep_as_the_terrarium() -> None:
    scenes = [to_image(terrarium.draw(index, seed=0, masks=False).picture) for index in range(24)]
    statistic = mean_magnitude(scenes).values
    frequency = frequencies(statistic.shape[1], 96)
    inside = (frequency > 0.02) & (frequency < 0.5)
    rings = (frequency[inside].log() * 4).floor()
    slopes = []
    for axis in statistic:
        points = [
            (frequency[inside][rings == ring].log().mean(), axis[inside][rings == ring].log().mean()) for ring in rings.unique()
        ]
        slopes.append(-np.polyfit(*np.array(points).T, 1)[0])
    assert np.mean(slopes) == pytest.approx(EXPONENT, abs=0.05)


def test_starts_are_spread_over_the_picture() -> None:
    """Phases near zero would pile up in the first pixel."""
    values = values_of(maco()(40, 1, 32, 32, generators=generators(*range(40)), device=CPU), None)
    assert abs(values[:, 0, 0, 0].mean()) < 3 * SPREAD / np.sqrt(40)


def test_names_tell_statistics_apart() -> None:
    one, two = mean_magnitude(photos(2, 8, 6)), mean_magnitude(photos(1, 8, 6))
    assert repr(one) == repr(mean_magnitude(photos(2, 8, 6))) != repr(two)
    assert repr(one).startswith("<Magnitude of 3 × 8 × 6, ")


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least one"):
        mean_magnitude([])
    with pytest.raises(UsageError, match="3 channels and 1"):
        mean_magnitude([torch.rand(3, 4, 4), torch.rand(1, 4, 4)])
