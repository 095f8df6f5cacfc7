"""The named methods: each makes pictures of every size, and they regularise more and more."""

from __future__ import annotations

import pytest
import torch
from tests.vis.recipes.scenes import network

from pellucid.vis import Method, render
from pellucid.vis.params import Parameterization, fourier
from pellucid.vis.presets import PARAMETERIZATIONS, PRESETS, fitted
from pellucid.vis.transforms import article, lucid, strong


def finer_than_four_pixels(picture: torch.Tensor) -> float:
    """The share of the variance above a quarter of a cycle per pixel."""
    power = torch.fft.fft2(picture - picture.mean((1, 2), keepdim=True)).abs().square().sum(0)
    down, right = (torch.fft.fftfreq(side) for side in picture.shape[1:])
    return float(power[(down[:, None] ** 2 + right**2).sqrt() > 0.25].sum() / power.sum())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_pictures_of_any_shape(name: str) -> None:
    for size in ((40, 56), (100, 64)):
        (made,) = render(network(), ["mixed3a:5"], size=size, steps=2, method=PRESETS[name])
        assert tuple(made.image.shape) == (3, *size)
        assert "0x" not in str(made.settings)


def test_presets_are_ordered_by_how_much_they_regularise() -> None:
    fine = {
        name: finer_than_four_pixels(render(network(), ["mixed3b:5"], steps=48, method=PRESETS[name])[0].image)
        for name in ("none", "frequency", "robust")
    }
    assert fine["none"] > 2 * fine["frequency"] > 2 * fine["robust"]


def test_robust_is_what_render_does_by_itself() -> None:
    assert PRESETS["robust"] == Method()


@pytest.mark.parametrize("stack", [strong, article, lucid])
def test_a_fitted_stack_is_the_stack_of_the_canvas(stack: object) -> None:
    images = torch.rand(2, 3, 48, 64)
    whole, wanted = fitted(stack), stack((48, 64))  # type: ignore[arg-type, operator]
    first, second = (each(images, torch.Generator().manual_seed(3)) for each in (whole, wanted))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_every_parameterization_by_name_makes_a_picture(name: str) -> None:
    parameterization = PARAMETERIZATIONS[name](network())
    assert isinstance(parameterization, Parameterization)
    assert type(parameterization).__name__ == name
    (made,) = render(network(), ["mixed3a:5"], size=32, steps=1, method=Method(parameterization=parameterization))
    assert made.image.shape[1:] == (32, 32)


def test_fourier_suits_the_model() -> None:
    assert PARAMETERIZATIONS["fourier"](network()) == fourier(decay=1.5)
