"""Rendering of units of a transformer: what a token looks for, and not the grid of the patches."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from jaxtyping import Float
from tests.models.networks import Tokens, seeded
from torch import Tensor

from pellucid.figures.measures import lattice_share
from pellucid.models import load
from pellucid.models.model import Model
from pellucid.vis import Method, render

PATCH = 8  # px
CYCLES = 3 / 16  # of the stripes in a pixel: no multiple of 1 / PATCH, so that neighbouring patches do not continue them


def striped(*, upright: bool) -> Model:
    """A transformer whose channel 0 says how much stripes of one direction there are in a patch, also behind attention.

    The other channels of a token hardly depend on the picture, and neither attention nor the second layer of the perceptron
    writes into channel 0 anything but hidden unit 0: the GELU of the normalised stripes.
    """
    network: Any = seeded(Tokens)
    stripes = (2 * math.pi * CYCLES * torch.arange(PATCH)).cos()
    stripes = (stripes - stripes.mean()).expand(PATCH, PATCH)
    with torch.no_grad():
        network.patches.weight.mul_(0.02)
        network.patches.weight[0] = 0.2 * (stripes if upright else stripes.T)
        network.patches.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0]))
        block = network.blocks[0]
        block.attention.out_proj.weight[0] = block.attention.out_proj.bias[0] = 0.0
        block.mlp[1].weight[0], block.mlp[1].bias[0] = torch.tensor([3.0, *[0.0] * 7]), 0.0
        block.mlp[3].weight.zero_()
        block.mlp[3].weight[0, 0] = 1.0
    return load(network, size=64)


def upright_share(image: Float[Tensor, "c h w"]) -> float:
    """How much of a picture's detail varies from left to right rather than from top to bottom."""
    power = torch.fft.fft2(image).abs().square().sum(0)
    rows, cols = torch.fft.fftfreq(power.shape[0]).abs()[:, None], torch.fft.fftfreq(power.shape[1]).abs()
    detail = torch.hypot(rows, cols) > 0.1
    across, along = power[detail & (cols > 2 * rows)].sum(), power[detail & (rows > 2 * cols)].sum()
    return float(across / (across + along))


@pytest.mark.parametrize("unit", ["blocks.0.mlp.2:0", "blocks.0:0"])
def test_a_channel_of_tokens_shows_the_stripes_that_it_looks_for(unit: str) -> None:
    upright, lying = (render(striped(upright=way), [unit], steps=64, autocast=False)[0] for way in (True, False))
    assert upright_share(upright.image) > 0.8
    assert upright_share(lying.image) < 0.2


def test_the_grid_of_the_patches_does_not_show() -> None:
    model = striped(upright=True)
    as_it_is, still = (
        render(model, ["blocks.0:0"], steps=64, autocast=False, method=method)[0].image for method in (None, Method(transforms=()))
    )
    assert lattice_share(as_it_is[None], PATCH) < 2.5
    assert lattice_share(still[None], PATCH) > 5  # it would show where the patches always lie the same
