"""Opacity is one more channel of the same kind."""

from __future__ import annotations

import pytest
import torch

from pellucid.vis.params import Parameterization, fit_colours, fourier, laplacian, maco, mean_magnitude, pixel, shared, transparent

CPU = torch.device("cpu")
PHOTOS = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("inner", [fourier(), pixel(sd=0.3), laplacian(), maco(), shared()])
def test_the_colours_are_those_of_the_inner_one(inner: Parameterization) -> None:
    canvas = transparent(inner)(2, 3, 8, 9, generators=generators(1, 2), device=CPU)
    colours = inner(2, 3, 8, 9, generators=generators(1, 2), device=CPU)
    assert torch.equal(canvas.images()[:, :3], colours.images())
    assert len(canvas.params) == 2 * len(colours.params)
    assert canvas.images()[:, 3].std() > 1e-4


def test_opacity_is_apart_from_the_colours() -> None:
    canvas = transparent()(1, 3, 8, 8, generators=generators(0), device=CPU)
    canvas.images()[:, 3].sum().backward()
    assert canvas.params[0].grad is None or not canvas.params[0].grad.any()
    assert canvas.params[1].grad.any()


def test_fitted_axes_do_not_apply_to_opacity() -> None:
    colours = fit_colours(PHOTOS)
    for inner in (fourier(colours=colours), maco(magnitude=mean_magnitude(PHOTOS, colours=colours))):
        assert transparent(inner)(1, 3, 8, 8, generators=generators(0), device=CPU).images().shape == (1, 4, 8, 8)


def test_a_photo_without_opacity_is_opaque() -> None:
    canvas = transparent()(3, 3, 8, 8, generators=generators(0, 1, 2), device=CPU)
    canvas.put(PHOTOS)
    assert canvas.images()[:, 3].min() > 0.99
    torch.testing.assert_close(canvas.images()[:, :3], PHOTOS.clamp(1 / 512, 1 - 1 / 512), atol=1e-4, rtol=0)
