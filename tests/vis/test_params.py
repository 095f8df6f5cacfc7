"""Parameterizations against numpy's inverse transform and plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.vis.params import COLOURS, CONSTANT, CONTRAST, amplitudes, fourier, pixel

CPU = torch.device("cpu")
sides = st.integers(1, 13)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def slow_amplitude(row: int, col: int, height: int, width: int, decay: float) -> float:
    vertical = (row if row <= height // 2 else row - height) / height
    frequency = math.hypot(vertical, col / width)
    return frequency**-decay if frequency else 1.0


@settings(deadline=None)
@given(sides, sides, st.integers(1, 5), st.floats(0, 2))
def test_fourier_is_the_scaled_inverse_transform(height: int, width: int, channels: int, decay: float) -> None:
    params, images = fourier(sd=0.5, decay=decay, decorrelate=False)(
        2, channels, height, width, generators=generators(1, 2), device=CPU
    )
    spectrum = params[0].detach().double().numpy()
    half = width // 2 + 1
    scale = np.array([[slow_amplitude(row, col, height, width, decay) for col in range(half)] for row in range(height)])
    scale *= amplitudes(height, width, decay)[-1, -1].item() / scale[-1, -1]
    scale[0, 0] = CONSTANT * math.sqrt(height * width)
    values = np.fft.irfft2((spectrum[..., 0] + 1j * spectrum[..., 1]) * scale, s=(height, width), axes=(2, 3), norm="ortho")
    assert images().shape == (2, channels, height, width)
    np.testing.assert_allclose(images().detach().numpy(), 1 / (1 + np.exp(-values)), atol=1e-4)


@pytest.mark.parametrize("decay", [0, 0.5, 0.75, 1, 2])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (31, 48), (24, 33)])
def test_every_decay_starts_with_the_same_energy(height: int, width: int, decay: float) -> None:
    noise = torch.randn(2000, height, width // 2 + 1, 2, generator=torch.Generator().manual_seed(0))
    values = torch.fft.irfft2(
        torch.view_as_complex(noise * amplitudes(height, width, decay)[..., None]), s=(height, width), norm="ortho"
    )
    assert values.std((1, 2), correction=0).square().mean().sqrt().item() == pytest.approx(CONTRAST, rel=0.03)
    assert values.mean((1, 2)).std().item() == pytest.approx(CONSTANT, rel=0.05)


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_the_spectrum_of_a_start_falls_with_the_decay(decay: float) -> None:
    _, images = fourier(sd=0.01, decay=decay, decorrelate=False)(64, 1, 64, 64, generators=generators(*range(64)), device=CPU)
    power = (torch.fft.rfft2(images().detach()).abs() ** 2).mean((0, 1)).sqrt()
    slope = math.log(power[0, 24:28].mean() / power[0, 3:5].mean()) / math.log(25.5 / 3.5)
    assert slope == pytest.approx(-decay, abs=0.15)


@pytest.mark.parametrize("make", [fourier, pixel])
def test_noise_belongs_to_its_generator(make) -> None:
    _, both = make()(2, 3, 9, 8, generators=generators(5, 6), device=CPU)
    _, second = make()(1, 3, 9, 8, generators=generators(6), device=CPU)
    assert torch.equal(both()[1:], second())
    assert not torch.equal(both()[0], both()[1])


@pytest.mark.parametrize("make", [fourier, pixel])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_only_three_channels_are_mixed(make, channels: int) -> None:
    params, images = make(sd=0.1)(1, channels, 6, 7, generators=generators(0), device=CPU)
    images()[0, 0].sum().backward()
    moved = params[0].grad[0].flatten(1).abs().amax(1) > 0
    assert moved.tolist() == ([True] * 3 if channels == 3 else [True] + [False] * (channels - 1))


def test_pixel_is_the_sigmoid_of_mixed_noise() -> None:
    params, images = pixel(sd=1.0)(1, 3, 2, 2, generators=generators(0), device=CPU)
    expected = [sum(COLOURS[out, c] * params[0][0, c, 1, 0] for c in range(3)) for out in range(3)]
    torch.testing.assert_close(images()[0, :, 1, 0], torch.stack(expected).sigmoid())


@pytest.mark.parametrize("make", [fourier, pixel])
def test_no_noise_is_grey(make) -> None:
    _, images = make(sd=0)(1, 3, 5, 5, generators=generators(0), device=CPU)
    assert (images() == 0.5).all()
