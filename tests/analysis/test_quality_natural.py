"""Spectrum, colours and clipped pixels: against slow second implementations, and on pictures whose faults are planted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pellucid.analysis.quality.natural import Looks, Measure, Natural, frechet, ring_power
from pellucid.arrays import to_image
from pellucid.terrarium.world import draw
from pellucid.vis.filters import gaussian_blur


def scenes(count: int, *, seed: int) -> Tensor:
    return torch.stack([to_image(draw(index, seed=seed, masks=False).picture) for index in range(count)])


@pytest.fixture(scope="module")
def real() -> Looks:
    return Looks.of(scenes(108, seed=1))


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def hann(side: int) -> np.ndarray:
    return np.array([math.sin(math.pi * (index + 1) / (side + 1)) ** 2 for index in range(side)])


def ring_power_oracle(image: np.ndarray) -> list[float]:
    """Coefficient by coefficient."""
    channels, height, width = image.shape
    window = np.outer(hann(height), hann(width))
    edges = [0.5]
    while edges[0] / math.sqrt(2) >= 2 / min(height, width) - 1e-9:
        edges.insert(0, edges[0] / math.sqrt(2))
    rings: list[list[float]] = [[] for _ in range(len(edges) + 1)]
    spectra = []
    for channel in image:
        mean = (channel * window).sum() / window.sum()
        spectra.append(np.abs(np.fft.fft2((channel - mean) * window)) ** 2 / (window**2).sum())
    for row, down in enumerate(np.fft.fftfreq(height)):
        for col, right in enumerate(np.fft.fftfreq(width)):
            ring = sum(math.hypot(down, right) >= edge - 1e-7 for edge in edges)
            rings[ring].append(sum(spectrum[row, col] for spectrum in spectra) / channels)
    return [math.log10(sum(ring) / len(ring) + 1 / 255**2 / 12) for ring in rings if ring]


@pytest.mark.parametrize("shape", [(3, 24, 24), (1, 17, 30), (5, 40, 21), (2, 8, 8)])
def test_power_in_rings(shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    assert ring_power(image[None])[0].tolist() == pytest.approx(ring_power_oracle(image.double().numpy()), abs=1e-3)


@pytest.mark.parametrize("size", [32, 64, 200])
def test_power_means_the_same_at_every_size(size: int) -> None:
    power = ring_power(noise(40, 1, size, size)).mean(0)
    assert power[1:].tolist() == pytest.approx([math.log10(1 / 12)] * (len(power) - 1), abs=0.15)


def test_every_ring_has_a_coefficient_at_every_size() -> None:
    for height in range(1, 70):
        for width in (height, height + 1, 3 * height):
            assert ring_power(torch.zeros(1, 1, height, width)).isfinite().all(), (height, width)


def test_frechet_distance() -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.normal(size=(50, 4)) @ generator.normal(size=(4, 4)) for _ in range(2))
    (mean, covariance), (to_mean, to_covariance) = ((each.mean(0), np.cov(each.T)) for each in (one, other))
    root = np.sqrt(np.linalg.eigvals(covariance @ to_covariance).astype(complex)).real.sum()
    expected = ((mean - to_mean) ** 2).sum() + np.trace(covariance) + np.trace(to_covariance) - 2 * root
    tensors = [torch.from_numpy(each) for each in (mean[None], covariance[None], to_mean, to_covariance)]
    assert frechet(*tensors).item() == pytest.approx(expected)


def test_what_is_kept_of_pictures() -> None:
    images = noise(3, 2, 8, 9).mul(1.4).sub(0.2).clamp(0, 1)
    looks = Looks.of(images)
    for index, image in enumerate(images.double().numpy()):
        pixels = image.reshape(2, -1)
        assert looks.mean[index].tolist() == pytest.approx(pixels.mean(1).tolist())
        assert looks.covariance[index].numpy() == pytest.approx(np.cov(pixels, bias=True))
        written = (pixels * 255).round()
        assert looks.clipped[index].item() == pytest.approx(((written == 0) | (written == 255)).any(0).mean())


def test_distances_and_shares() -> None:
    """Against the whole set: its mean spectrum, and the Gaussian of all of its pixels together."""
    images, picture = scenes(12, seed=3), scenes(1, seed=4)[0]
    looks, pixels = Looks.of(images), images.double().transpose(0, 1).flatten(1).numpy()
    whole, everywhere = ring_power(images).mean(0), (torch.from_numpy(pixels.mean(1)), torch.from_numpy(np.cov(pixels, bias=True)))
    found = looks.natural(picture)

    def spectrum(image: Tensor) -> float:
        return (ring_power(image[None])[0] - whole).square().mean().sqrt().item()

    def fine(image: Tensor) -> float:
        return (ring_power(image[None])[0] - whole)[-3:].mean().item()

    def colour(image: Tensor) -> float:
        own = image.double().flatten(1)
        return frechet(own.mean(1)[None], own.cov(correction=0)[None], *everywhere).item()

    for name, measure in {"spectrum": spectrum, "fine": fine, "colour": colour}.items():
        value = measure(picture)
        assert getattr(found, name).value == pytest.approx(value, abs=1e-5), name
        expected = sum(abs(measure(image)) >= abs(value) for image in images) / len(images)
        assert getattr(found, name).share == pytest.approx(expected), name


def test_parts_are_joined() -> None:
    images = scenes(10, seed=3)
    together, parts = Looks.of(images), Looks.joined([Looks.of(images[:7]), Looks.of(images[7:])])
    assert together.natural(images[2]) == parts.natural(images[2])


def test_pictures_of_the_same_world_are_ordinary(real: Looks) -> None:
    found = [real.natural(scene) for scene in scenes(36, seed=7)]
    for name in ("spectrum", "fine", "colour"):
        shares = [getattr(each, name).share for each in found]
        assert 0.4 < sum(shares) / len(shares) < 0.6, name  # of a fresh sample they are uniform
    assert sum(each.clipped.share for each in found) / len(found) > 0.8


def test_planted_faults_are_named(real: Looks) -> None:
    for scene in scenes(6, seed=7):
        before = real.natural(scene)
        blurred = real.natural(gaussian_blur(scene[None], 2.0)[0])
        assert blurred.fine.value < -1 and blurred.fine.share < 0.05 and blurred.spectrum.share < 0.05
        board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(48, 48)
        grid = real.natural((scene + 0.3 * board).clamp(0, 1))
        assert grid.fine.value > before.fine.value + 0.4 and grid.spectrum.share < 0.1
        neon = real.natural(((scene - 0.5) * 6 + 0.5).clamp(0, 1))
        assert neon.clipped.value > 0.3 and neon.clipped.share < 0.02 and neon.colour.share < 0.1
        tinted = real.natural(scene * torch.tensor([1.0, 0.2, 1.0])[:, None, None])
        assert tinted.colour.share < 0.05 and tinted.colour.value > before.colour.value
    white = real.natural(noise(3, 96, 96))
    assert white.fine.value > 1 and white.fine.share == white.spectrum.share == 0


def test_the_high_band_grows_with_noise_and_falls_with_blur(real: Looks) -> None:
    scene = scenes(1, seed=7)[0]
    versions = [gaussian_blur(scene[None], sigma)[0] for sigma in (3.0, 1.5, 0.7)]
    versions += [(scene + deviation * (noise(3, 96, 96) - 0.5)).clamp(0, 1) for deviation in (0.0, 0.3, 0.6)]
    gaps = [real.natural(version).fine.value for version in versions]
    assert gaps == sorted(gaps) and len(set(gaps)) == len(gaps)


def test_a_clean_picture_shares_with_all() -> None:
    looks = Looks.of(torch.full((5, 1, 16, 16), 0.5))
    found = looks.natural(torch.full((1, 16, 16), 0.5))
    assert [found.spectrum.value, found.fine.value, found.colour.value, found.clipped.value] == pytest.approx(
        [0, 0, 0, 0], abs=1e-9
    )
    assert found.clipped.share == 1


def test_sentence() -> None:
    found = Natural(Measure(0.9, 0.04), Measure(2.15, 0.0), Measure(0.1, 0.5), Measure(0.061, 0.1))
    assert str(found) == (
        "4% of the real pictures are as unusual in spectrum and 50% in colour; "
        "141 times the fine detail; 6.1% of the pixels clipped"
    )
    assert "; 0.5 times" in str(replace(found, fine=Measure(-0.3, 0.5)))
