"""Plain differentiable filters of pictures."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError


def gaussian_blur(images: Float[Tensor, "n c h w"], sigma: float) -> Float[Tensor, "n c h w"]:
    """Pictures blurred by a Gaussian, at the border by what of it lies inside.

    Each axis is one product with a matrix, which up to about 1000 px is as fast as a convolution and knows no largest sigma.

    Args:
        images: of any size and number of channels.
        sigma: standard deviation in pixels, 0 or more; 0 gives the pictures back.

    Raises:
        UsageError: `sigma` is negative.

    >>> gaussian_blur(torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 0.0]]]]), 1.0).mul(100).round()
    tensor([[[[ 8., 26., 40., 26.,  8.]]]])
    """
    if not sigma >= 0:
        raise UsageError(f"sigma is a standard deviation in pixels, 0 or more, not {sigma}")
    if sigma == 0:
        return images
    rows, cols = (_gaussian(side, sigma).to(images.dtype).to(images.device) for side in images.shape[2:])  # MPS has no float64
    return rows @ images @ cols.T


def bilateral(images: Float[Tensor, "n c h w"], sigma_space: float, *, sigma_colour: float) -> Float[Tensor, "n c h w"]:
    """Pictures smoothed within their edges: the mean of near pixels of like colour (Tomasi and Manduchi 1998, equation 5).

    Args:
        images: of any size and number of channels.
        sigma_space: standard deviation of the distance in pixels, above 0; pixels beyond twice that do not count.
        sigma_colour: standard deviation of the distance between colours, over all channels together, above 0.

    Raises:
        UsageError: a sigma is not above 0.

    >>> bilateral(torch.tensor([[[[0.0, 0.1, 0.9, 1.0]]]]), 1.0, sigma_colour=0.1).mul(100).round()
    tensor([[[[ 3.,  7., 93., 97.]]]])
    """
    if not (sigma_space > 0 and sigma_colour > 0):
        raise UsageError(f"both standard deviations have to be above 0, not {sigma_space} and {sigma_colour}")
    height, width = images.shape[2:]
    moved, total = torch.zeros_like(images), torch.ones_like(images[:, :1])
    for down, right in _half_window(math.ceil(2 * sigma_space), height, width):  # each pair of pixels once, for both of them
        here = (..., slice(height - down), slice(max(0, -right), width - max(0, right)))
        there = (..., slice(down, None), slice(max(0, right), width - max(0, -right)))
        gap = images[there] - images[here]
        far = (down**2 + right**2) / (2 * sigma_space**2)
        weight = torch.exp(-far - gap.square().sum(1, keepdim=True) / (2 * sigma_colour**2))
        pull = weight * gap
        moved[here] += pull
        moved[there] -= pull
        total[here] += weight
        total[there] += weight
    return images + moved / total


def _gaussian(side: int, sigma: float) -> Float[Tensor, "p p"]:
    at = torch.arange(side, dtype=torch.float64)
    weights = torch.exp(-((at[:, None] - at) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def _half_window(radius: int, height: int, width: int) -> list[tuple[int, int]]:
    """The steps (down, right) within a radius, of each two opposite ones only one, and none that leaves the picture."""
    rows, cols = range(min(radius, height - 1) + 1), range(-min(radius, width - 1), min(radius, width - 1) + 1)
    return [(down, right) for down in rows for right in cols if (down or right > 0) and math.hypot(down, right) <= radius]
