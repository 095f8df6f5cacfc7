"""What a prior thinks of pictures."""

from __future__ import annotations

import pytest
import torch
from tests.vis.prior.known import colours, learned
from torch.nn import functional as F

from pellucid.arrays import to_image
from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.terrarium import draw
from pellucid.vis import Method, pixel, render
from pellucid.vis.objectives import IMAGE
from pellucid.vis.prior import Prior, load_prior, naturalness


@pytest.fixture(scope="module")
def prior() -> Prior:
    return learned()


def test_naturalness_leads_to_the_denoised_picture(prior: Prior) -> None:
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    scores = naturalness(prior, start=0.5, stop=0.1)({IMAGE: images})
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    noise = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(2**31))
    gap = prior.denoise(images.detach() + 0.1 * noise, 0.1) - images.detach()
    torch.testing.assert_close(scores.detach(), -gap.square().mean((1, 2, 3)) / 2)
    torch.testing.assert_close(gradient, gap / gap[0].numel())


def test_naturalness_changes_its_noise_from_step_to_step(prior: Prior) -> None:
    objective, images = naturalness(prior, start=0.4, stop=0.1), torch.rand(1, 3, 8, 8)

    def score(progress: float) -> float:
        return objective.at(progress)({IMAGE: images}).item()

    halfway = torch.Generator().manual_seed(2**30)
    gap = prior.denoise(images + 0.2 * torch.randn(1, 3, 8, 8, generator=halfway), 0.2) - images
    assert score(0.5) == pytest.approx(-gap.square().mean().item() / 2)
    assert len({score(progress) for progress in (0.0, 0.001, 0.5, 1.0)}) == 4
    assert score(1.0) == objective({IMAGE: images}).item()


def test_naturalness_reads_the_colours_of_pictures_of_any_size(prior: Prior) -> None:
    images = colours(2, 3)
    transparent = torch.cat([images, torch.zeros(2, 1, 8, 8)], 1)
    objective = naturalness(prior)
    torch.testing.assert_close(objective({IMAGE: transparent}), objective({IMAGE: images}))
    large = F.interpolate(images, (40, 48))
    torch.testing.assert_close(objective({IMAGE: large}), objective({IMAGE: images}), atol=1e-4, rtol=1e-3)
    with pytest.raises(UsageError, match="3 channels"):
        objective({IMAGE: torch.rand(1, 1, 8, 8)})


def test_a_penalty_makes_rendered_pictures_as_natural_as_real_ones() -> None:
    """Told by noise that no step of the optimisation saw."""
    model, known = load("terrarium"), load_prior("terrarium")
    judged = naturalness(known, stop=0.1)

    def naturally(weight: float) -> float:
        method = Method(parameterization=pixel(colours=None), transforms=(), penalty=weight * naturalness(known))
        (made,) = render(model, ["class:fish"], size=96, steps=24, method=method, autocast=False)
        return judged({IMAGE: made.image[None]}).item()

    real = torch.stack([to_image(draw(index, seed=5, masks=False).picture) for index in range(18)])
    least = judged({IMAGE: real}).min().item()
    assert naturally(0.0) < least < naturally(1000.0)


def test_naturalness_says_what_it_is(prior: Prior) -> None:
    assert repr(naturalness(prior)) == f"naturalness({prior!r}, start=0.5, stop=0.05)"
    with pytest.raises(UsageError, match="noise above 0"):
        naturalness(prior, stop=0.0)
