"""Fourier pictures against numpy's inverse transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.vis.params import CONSTANT, CONTRAST, amplitudes, fourier, mixing, squash
from pellucid.vis.params.spectrum import copies, pictured, synthesised

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
    make = fourier(sd=0.5, decay=decay, colours=None)
    canvas = make(2, channels, height, width, generators=generators(1, 2), device=CPU)
    spectrum = canvas.params[0].detach().double().numpy()
    half = width // 2 + 1
    scale = np.array([[slow_amplitude(row, col, height, width, decay) for col in range(half)] for row in range(height)])
    scale *= amplitudes(height, width, decay)[-1, -1].item() / scale[-1, -1]
    scale[0, 0] = CONSTANT * math.sqrt(height * width)
    values = np.fft.irfft2((spectrum[..., 0] + 1j * spectrum[..., 1]) * scale, s=(height, width), axes=(2, 3), norm="ortho")
    assert canvas.images().shape == (2, channels, height, width)
    np.testing.assert_allclose(canvas.images().detach().numpy(), 1 / (1 + np.exp(-values)), atol=1e-4)


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
    canvas = fourier(sd=0.01, decay=decay, colours=None)(64, 1, 64, 64, generators=generators(*range(64)), device=CPU)
    power = (torch.fft.rfft2(canvas.images().detach()).abs() ** 2).mean((0, 1)).sqrt()
    slope = math.log(power[0, 24:28].mean() / power[0, 3:5].mean()) / math.log(25.5 / 3.5)
    assert slope == pytest.approx(-decay, abs=0.15)


@settings(deadline=None, max_examples=40)
@given(sides, sides, st.integers(1, 3), st.sampled_from([1, 3]), st.booleans())
def test_picture_by_picture_is_the_same_as_all_at_once(height: int, width: int, count: int, channels: int, each: bool) -> None:
    """With factors for all channels or for each, and colours that are mixed (three) or not."""
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.randn(count, channels, height, width // 2 + 1, 2, generator=generator, requires_grad=True)
    factors = torch.rand(*[channels] * each, height, width // 2 + 1, 1, generator=generator)
    along, mix = torch.randn(count, channels, height, width, generator=generator), mixing("natural", channels, CPU)
    found, expected = (
        pictured(spectrum, factors, mix, (height, width)),
        squash(synthesised(spectrum, factors, (height, width)), mix),
    )
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(images, spectrum, along)[0] for images in (found, expected)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@given(sides)
def test_copies_are_those_of_the_whole_spectrum(width: int) -> None:
    whole = [min(column, width - column) for column in range(width)]
    assert copies(width).tolist() == [whole.count(column) for column in range(width // 2 + 1)]
