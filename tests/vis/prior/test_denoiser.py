"""What a denoiser is before and beside training."""

from __future__ import annotations

import torch
from tests.vis.prior.known import gaussian, learned


def test_an_untrained_prior_is_the_best_one_for_pixels_that_are_gaussian() -> None:
    noisy = torch.rand(2, 3, 16, 16)
    for sigma in (0.02, 0.3, 5.0):
        wiener = 0.5 + (noisy - 0.5) * 0.2**2 / (0.2**2 + sigma**2)
        torch.testing.assert_close(gaussian(0.2).denoise(noisy, sigma), wiener)


def test_each_picture_has_its_own_noise_level() -> None:
    noisy = torch.rand(3, 3, 8, 8)
    together = learned().denoise(noisy, torch.tensor([0.1, 0.5, 2.0]))
    for index, sigma in enumerate((0.1, 0.5, 2.0)):
        torch.testing.assert_close(together[index], learned().denoise(noisy[index, None], sigma)[0])
