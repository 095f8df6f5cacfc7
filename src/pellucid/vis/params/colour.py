"""From independent colours of any value to pictures in [0, 1], and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.params.canvas import Canvas

Matrix = tuple[tuple[float, ...], ...]
Colours = Matrix | Literal["natural"] | None

# Square root of the covariance of colours in natural pictures, one column per independent axis (lightness, blue to yellow,
# green to magenta): the constants that lucid published (`lucid/optvis/param/color.py`, Apache-2.0: 0.26, 0.09, 0.02; 0.27, 0,
# -0.05; 0.27, -0.09, 0.03), divided there and here by the norm of the longest column.
COLOURS: Matrix = ((0.5628, 0.1948, 0.0433), (0.5845, 0.0, -0.1082), (0.5845, -0.1948, 0.0649))

# What is put into a canvas stays half a grey level of 8 bits away from 0 and 1, whose logits are infinite.
CLIP = 1 / 512


def fit_colours(images: Iterable[Float[Tensor, "c h w"]]) -> Matrix:
    """The colour axes of given pictures: a square root of the covariance of their pixels' colours.

    With the covariance U diag(s) Uᵀ, s falling, the columns are U sqrt(s), divided by the norm of the first: A Aᵀ is
    proportional to the covariance, so that independent noise through A has the pictures' correlations of colours (Olah et al.
    2017, Feature Visualization, "Preconditioning"; they take another square root, Cholesky's, which is this one times a rotation).
    Each column points to brighter colours, and A is rounded to four decimals.

    Args:
        images: in [0, 1], of one number of channels and any sizes; every pixel counts the same.

    Returns:
        The matrix as rows, for the `colours` of a parameterization.

    Raises:
        UsageError: no pictures, or none with more than one colour.

    >>> fit_colours(torch.rand(4, 3, 8, 8, generator=torch.Generator()).mean(1, keepdim=True).expand(4, 2, 8, 8))
    ((0.7071, 0.0), (0.7071, 0.0))
    """
    count, total, products = 0, np.zeros(()), np.zeros(())
    for image in images:
        pixels = image.detach().cpu().double().flatten(1).numpy()
        count, total, products = count + pixels.shape[1], total + pixels.sum(1), products + pixels @ pixels.T
    if count == 0:
        raise UsageError("images has no picture to fit colours to: give at least one")
    values, axes = np.linalg.eigh(products / count - np.outer(total, total) / count**2)
    if not values[-1] > 1e-9:
        raise UsageError("images all have one and the same colour, which gives no axes: give pictures that differ")
    spread = np.sqrt(values.clip(min=0) / values[-1])
    fitted = (axes * np.where(axes.sum(0) < 0, -spread, spread))[:, ::-1]
    return tuple(tuple(round(float(number), 4) + 0.0 for number in row) for row in fitted)


def mixing(colours: Colours, channels: int, device: torch.device) -> Float[Tensor, "c c"] | None:
    """The matrix that mixes so many channels, None where they stay apart.

    Args:
        colours: "natural" for `COLOURS` where there are three channels, and nothing elsewhere; a matrix of `fit_colours`; None.
        channels: of the pictures.
        device: of the result.

    Raises:
        UsageError: a matrix of another number of channels, or another word.

    >>> mixing("natural", 1, torch.device("cpu")) is None
    True
    """
    if colours == "natural":
        colours = COLOURS if channels == 3 else None
    if colours is None:
        return None
    if isinstance(colours, str) or [len(row) for row in colours] != [channels] * channels:
        raise UsageError(
            f"colours must be 'natural', None or {channels} rows of {channels} numbers for {channels} channels, not {colours!r}"
        )
    return torch.tensor(colours, device=device)


def squash(values: Float[Tensor, "n c h w"], mix: Float[Tensor, "c c"] | None) -> Float[Tensor, "n c h w"]:
    """Any values as images in [0, 1]: the logistic function of their mixed colours.

    >>> squash(torch.zeros(1, 3, 2, 2), mixing("natural", 3, torch.device("cpu"))).unique()
    tensor([0.5000])
    """
    return mixed(values, mix).sigmoid()


def mixed(values: Float[Tensor, "n c h w"], mix: Float[Tensor, "c c"] | None) -> Float[Tensor, "n c h w"]:
    """Values whose channels are mixed at every pixel.

    >>> mixed(torch.ones(1, 2, 1, 1), torch.tensor([[1.0, 2.0], [3.0, 4.0]])).flatten()
    tensor([3., 7.])
    """
    if mix is None:
        return values
    return torch.matmul(mix, values.flatten(2)).view_as(values)  # three times as fast as a 1×1 convolution


def unsquash(images: Float[Tensor, "n c h w"], mix: Float[Tensor, "c c"] | None) -> Float[Tensor, "n c h w"]:
    """The values whose `squash` is the given images, which are first clipped by half a grey level.

    >>> mix = mixing("natural", 3, torch.device("cpu"))
    >>> squash(unsquash(torch.full((1, 3, 1, 1), 0.25), mix), mix).flatten()
    tensor([0.2500, 0.2500, 0.2500])
    """
    values = images.clamp(CLIP, 1 - CLIP).logit()
    if mix is None:
        return values
    return torch.matmul(torch.linalg.pinv(mix.cpu().double()).to(mix), values.flatten(2)).view_as(values)


def coloured(
    params: list[Tensor],
    values: Callable[[], Float[Tensor, "n c h w"]],
    put: Callable[[Float[Tensor, "n c h w"]], object],
    mix: Float[Tensor, "c c"] | None,
) -> Canvas:
    """The canvas of tensors that stand for values before `squash`."""

    @torch.no_grad()
    def put_images(images: Float[Tensor, "n c h w"]) -> None:
        put(unsquash(images.to(params[0]), mix))

    return Canvas(params, lambda: squash(values(), mix), put_images)
