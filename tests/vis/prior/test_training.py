"""What training learns, and from what."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from tests.vis.prior.known import gaussian
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.prior import Prior, sample_prior, train_prior
from pellucid.vis.prior.training import orthogonal

LEFT = torch.zeros(1, 1, 8, 8)
LEFT[..., :4] = 1  # bright at the left


@cache
def halves(*, mirror: bool) -> Prior:
    """Learned from one picture; with its mirror image there are two."""
    return train_prior(LEFT, size=8, steps=80, mirror=mirror, autocast=False)


def denoised_best(noisy: Tensor, sigma: float, pictures: list[Tensor]) -> Tensor:
    """The mean of the pictures that there are, each as likely as the noise that is needed to come from there."""
    found = []
    for each in noisy:
        likely = [math.exp(-(each - picture).square().sum().item() / (2 * sigma**2)) for picture in pictures]
        found.append(sum(weight / sum(likely) * picture for weight, picture in zip(likely, pictures, strict=True)))
    return torch.stack(found)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_training_comes_near_to_the_best_denoiser(sigma: float) -> None:
    pictures = [LEFT[0], LEFT[0].flip(2)]
    noise = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(9))
    noisy = torch.stack(pictures * 32) + sigma * noise
    prior, best = halves(mirror=True), denoised_best(noisy, sigma, pictures)

    def error(prior: Prior) -> float:
        return (prior.denoise(noisy, sigma) - best).square().mean().sqrt().item()

    assert error(prior) < 0.6 * error(gaussian(prior.spread, mean=prior.mean))


def test_mirrored_pictures_are_learned_only_when_asked_for() -> None:
    noisy = 0.5 + 2.0 * torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def lean(mirror: bool) -> float:
        denoised = halves(mirror=mirror).denoise(noisy, 2.0)
        return (denoised[..., :4].mean() - denoised[..., 4:].mean()).item()

    assert lean(False) > 0.9
    assert abs(lean(True)) < 0.3


def test_training_is_the_same_twice_and_leaves_the_global_generator_alone() -> None:
    images = torch.rand(8, 3, 16, 16)
    before = torch.random.get_rng_state()
    first, same, other = (train_prior(images, size=16, steps=3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert not any(weight.requires_grad for weight in first.network.parameters())


def test_batches_are_as_good_as_one_tensor() -> None:
    images = torch.rand(10, 1, 20, 28)
    whole = train_prior(images, size=16, steps=2)
    assert train_prior(iter(images.split(3)), size=16, steps=2).fingerprint == whole.fingerprint
    assert whole.channels == 1 and whole.settings["pictures"] == 10


def test_mean_and_spread_are_those_of_the_pictures() -> None:
    images = torch.rand(16, 3, 16, 16) * torch.tensor([0.2, 0.5, 1.0])[:, None, None]
    prior = train_prior(images, size=16, steps=1)
    torch.testing.assert_close(torch.tensor(prior.mean), images.mean((0, 2, 3)), atol=2e-3, rtol=0)
    deviation = (images - images.mean((0, 2, 3), keepdim=True)).square().mean().sqrt()
    assert prior.spread == pytest.approx(deviation.item(), abs=2e-3)


def test_one_colour_is_enough() -> None:
    prior = train_prior(torch.full((1, 3, 8, 8), 0.25), size=8, steps=3)
    assert torch.isfinite(sample_prior(prior, [0], steps=3)).all()


def test_progress_hears_every_step() -> None:
    heard: list[tuple[int, int]] = []
    train_prior(torch.rand(2, 3, 8, 8), size=8, steps=3, progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 4)])
def test_orthogonal_works_on_the_singular_values_alone(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    values = values / values.norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    torch.testing.assert_close(orthogonal(matrix), left @ values.diag() @ right, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": 20}, "multiple of 8, not 20"),
        ({"size": 0}, "multiple of 8, not 0"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"images": torch.rand(3, 16, 16)}, r"shape \(3, 16, 16\)"),
        ({"images": torch.zeros(2, 3, 16, 16, dtype=torch.uint8)}, "torch.uint8"),
        ({"images": [torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)]}, r"shape \(2, 1, 8, 8\)"),
        ({"images": []}, "there are none"),
        ({"images": torch.rand(0, 3, 8, 8)}, "there are none"),
    ],
)
def test_wrong_training_is_refused(change: dict[str, object], says: str) -> None:
    settings = {"images": torch.rand(2, 3, 16, 16), "size": 16, "steps": 1} | change
    with pytest.raises(UsageError, match=says):
        train_prior(**settings)
