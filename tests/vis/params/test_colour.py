"""Colours against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pellucid.errors import UsageError
from pellucid.vis.params import COLOURS, fit_colours, mixing, squash, unsquash

CPU = torch.device("cpu")


def pictures(channels: int, *, seed: int = 0) -> list[torch.Tensor]:
    """Pictures of several sizes whose channels hang together."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(channels, channels, generator=generator)
    sizes = [(5, 7), (8, 8), (3, 11)]
    return [(torch.einsum("oc,chw->ohw", matrix, torch.rand(channels, *s, generator=generator)) / channels) for s in sizes]


def test_natural_colours_are_lucids() -> None:
    lucid = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    np.testing.assert_allclose(COLOURS, lucid / np.linalg.norm(lucid, axis=0).max(), atol=5e-5)


def test_squash_by_hand() -> None:
    values = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    images = squash(values, mixing("natural", 3, CPU))
    for out in range(3):
        mixed = sum(COLOURS[out][c] * values[1, c, 0, 1].item() for c in range(3))
        assert images[1, out, 0, 1].item() == pytest.approx(1 / (1 + math.exp(-mixed)), abs=1e-6)
    assert torch.equal(squash(values, None), values.sigmoid())


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_unsquash_is_the_inverse(channels: int) -> None:
    images = torch.rand(2, channels, 4, 5, generator=torch.Generator().manual_seed(0)) * 0.99 + 0.005
    for colours in ("natural", None, fit_colours(pictures(channels))):
        mix = mixing(colours, channels, CPU)
        torch.testing.assert_close(squash(unsquash(images, mix), mix), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_fitted_colours_give_the_covariance_of_the_pictures(channels: int) -> None:
    given = pictures(channels)
    matrix = np.array(fit_colours(given))
    pixels = np.concatenate([each.double().numpy().reshape(channels, -1) for each in given], axis=1)
    covariance = np.cov(pixels, bias=True).reshape(channels, channels)
    product = matrix @ matrix.T
    np.testing.assert_allclose(product / np.trace(product), covariance / np.trace(covariance), atol=2e-4)
    norms = np.linalg.norm(matrix, axis=0)
    assert norms[0] == pytest.approx(1, abs=1e-3) and (np.diff(norms) <= 1e-9).all()
    assert (matrix.sum(0) >= 0).all()
    gram = matrix.T @ matrix
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=5e-4)


def test_fitting_reads_its_pictures_once() -> None:
    given = pictures(3)
    assert fit_colours(iter(given)) == fit_colours(given) == fit_colours([each.flip(2) for each in given])


def test_grey_pictures_have_one_axis() -> None:
    grey = torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0)).expand(3, 9, 9)
    matrix = torch.tensor(fit_colours([grey]))
    assert torch.equal(matrix, torch.tensor([[0.5774, 0, 0]] * 3))
    mix = mixing(fit_colours([grey]), 3, CPU)
    photo = torch.full((1, 3, 2, 2), 0.3)
    torch.testing.assert_close(squash(unsquash(photo, mix), mix), photo, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "said"), [([], "at least one"), ([torch.full((3, 4, 4), 0.2)], "one and the same colour")], ids=["none", "flat"]
)
def test_nothing_to_fit(wrong: list[torch.Tensor], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fit_colours(wrong)


@pytest.mark.parametrize("wrong", ["Natural", ((1.0, 0.0), (0.0, 1.0)), ((1.0,), (1.0,), (1.0,)), "abc"])
def test_unsuitable_colours(wrong: object) -> None:
    with pytest.raises(UsageError, match="3 rows of 3 numbers"):
        mixing(wrong, 3, CPU)  # type: ignore[arg-type]
