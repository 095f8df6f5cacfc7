import math

import numpy as np
import torch

from pellucid.figures.measures import Crowd, concentration, field_mask, fine_share, lattice_share, mean_cosine
from pellucid.figures.naive import decorrelated
from pellucid.models import capture, load
from pellucid.vis.params import fourier


def test_fine_share_counts_coefficients_one_by_one() -> None:
    image = torch.rand(3, 12, 10, generator=torch.Generator().manual_seed(0))
    fine = total = 0.0
    for channel in image.numpy():
        power = np.abs(np.fft.fft2(channel)) ** 2
        for row, down in enumerate(np.fft.fftfreq(12)):
            for col, right in enumerate(np.fft.fftfreq(10)):
                if row or col:
                    total += power[row, col]
                    fine += power[row, col] if math.hypot(down, right) > 0.25 else 0
    assert math.isclose(fine_share(image[None]).item(), fine / total, rel_tol=1e-4)


def test_a_lattice_shows_at_its_own_period_and_noise_at_none() -> None:
    noise = torch.randn(16, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    every = torch.zeros(48, 48)
    every[::4, ::4] = 1
    assert 0.7 < lattice_share(noise, 4).mean() < 1.4
    assert lattice_share(noise * every, 4).mean() < 3  # sparse noise around 0 repeats its spectrum and has no peak
    assert (lattice_share(noise.abs() * every, 4) > 20).all()
    assert (lattice_share(noise.abs() * every, 4) > 5 * lattice_share(noise.abs() * every, 6)).all()


def test_the_field_of_the_middle() -> None:
    model = load("terrarium")
    mask = field_mask(model, "conv1")
    assert mask is not None and mask.sum() == 25 and mask[46:51, 46:51].all()
    assert field_mask(model, "head") is None
    image = torch.full((3, 96, 96), 0.5)
    image[:, 48, 48], image[:, 0, 0] = 1.0, 0.0
    assert abs(concentration(image, mask) - 0.5) < 0.01


def test_mean_cosine_over_pairs() -> None:
    vectors = torch.rand(4, 7)
    pairs = [torch.cosine_similarity(vectors[i], vectors[j], dim=0) for i in range(4) for j in range(4) if i != j]
    assert math.isclose(mean_cosine(vectors), float(torch.stack(pairs).mean()), rel_tol=1e-5)


def test_a_crowd_measures_to_the_nearest_by_hand() -> None:
    model, generator = load("terrarium"), torch.Generator().manual_seed(0)
    photos, images = (torch.rand(count, 3, 48, 48, generator=generator) ** 2 for count in (7, 3))
    layers = ["conv1", "mixed3a"]

    def seen(images: torch.Tensor) -> np.ndarray:
        maps = [capture(model, images, [name])[name].detach().numpy() for name in layers]
        return np.concatenate([each.mean((2, 3)) for each in maps], 1).astype(float)

    known = seen(photos)
    mean, spread = known.mean(0), known.std(0, ddof=1)
    spread[spread == 0] = 1

    def nearest(one: np.ndarray) -> float:
        distances = [math.dist((one - mean) / spread, (each - mean) / spread) for each in known]
        return min(each for each in distances if each > 1e-2)

    usual = sorted(nearest(each) for each in known)[3]
    wanted = [nearest(each) / usual for each in seen(images)]
    crowd = Crowd(model, layers, photos)
    np.testing.assert_allclose(crowd.apart(images), wanted, rtol=1e-3)
    assert crowd.apart(photos).median() == 1 and crowd.apart(photos).min() > 0.5


def test_the_decorrelated_step_is_that_of_the_parameterization() -> None:
    """A small step along the gradient of the spectrum of `fourier` moves pictures the same way."""
    generator = torch.Generator().manual_seed(0)
    image, gradient = torch.rand(1, 3, 12, 16, generator=generator) * 0.8 + 0.1, torch.randn(1, 3, 12, 16, generator=generator)
    canvas = fourier(decay=1.0)(1, 3, 12, 16, generators=[generator], device=torch.device("cpu"))
    assert canvas.put is not None
    canvas.put(image)
    before = canvas.images()
    (along,) = torch.autograd.grad(before, canvas.params, gradient)
    with torch.no_grad():
        canvas.params[0] += 1e-4 * along
        moved = canvas.images() - before
    cosine = torch.cosine_similarity(moved.flatten(), decorrelated(image, gradient, 1.0).flatten(), dim=0)
    assert cosine > 0.999, cosine
