"""Deletion and insertion: how the score falls and rises as what a map marks is taken away and given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.parts import in_parts, scores_at_once, size_of
from pellucid.analysis.attribution.targets import Target, targets_of
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.filters import gaussian_blur

Fill = Literal["blur", "mean"]
BLUR = 1 / 20  # of the picture's shorter side: what is left are patches of colour


@dataclass(frozen=True)
class Curve:
    """The score as more and more of the pixels change.

    Attributes:
        shares: of the pixels that were changed, from 0 to 1.
        scores: at each of them.
    """

    shares: Float[Tensor, " s"]
    scores: Float[Tensor, "n s"]

    @property
    def area(self) -> Float[Tensor, " n"]:
        """The area under the curve, for shares from 0 to 1: the mean score along it."""
        return torch.trapezoid(self.scores, self.shares, dim=1)


def deletion(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    maps: Float[Tensor, "n h w"],
    *,
    steps: int = 16,
    fill: Fill = "blur",
) -> Curve:
    """The score as the pixels that a map ranks highest are taken away first: the smaller the area, the better the map.

    Petsiuk, Das & Saenko 2018, arXiv:1806.07421, section 4.1. What is taken away leaves a picture that the network never saw, so
    that compare areas with those of other maps and of random ones, for both fills.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`; a probability compares over classes, a logit knows no rivals.
        maps: at the size of the images; equal values change in reading order.
        steps: in which all pixels change, 1 or more.
        fill: what takes their place: the blurred picture, or its mean colour.

    Raises:
        UsageError: maps of another shape than the images, or steps or fill that are none; else as in `occlusion`.

    Example:
        >>> import pellucid.models as models
        >>> curve = deletion(models.load("terrarium"), torch.rand(2, 3, 96, 96), "class:lake", torch.rand(2, 96, 96), steps=4)
        >>> curve.scores.shape, curve.area.shape
        (torch.Size([2, 5]), torch.Size([2]))
    """
    return _curve(model, images, target, maps, steps, (images, _filled(images, fill)))


def insertion(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    maps: Float[Tensor, "n h w"],
    *,
    steps: int = 16,
    fill: Fill = "blur",
) -> Curve:
    """The score as the pixels that a map ranks highest are given back first: the larger the area, the better the map.

    Petsiuk, Das & Saenko 2018, arXiv:1806.07421, section 4.1.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `deletion`.
        maps: at the size of the images.
        steps: in which all pixels change, 1 or more.
        fill: where they begin: the blurred picture, or its mean colour.

    Raises:
        as `deletion`.

    Example:
        >>> import pellucid.models as models
        >>> maps = torch.rand(1, 96, 96)
        >>> insertion(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", maps, steps=2, fill="mean").shares
        tensor([0.0000, 0.5000, 1.0000])
    """
    return _curve(model, images, target, maps, steps, (_filled(images, fill), images))


def _curve(model: Model, images: Tensor, target: Target, maps: Tensor, steps: int, ends: tuple[Tensor, Tensor]) -> Curve:
    targets = targets_of(target, model, images)
    if maps.shape != (len(images), *size_of(images)) or steps < 1:
        came = f"maps of {tuple(maps.shape)}, steps={steps}"
        raise UsageError(f"{came}; a map for each of {tuple(images.shape)} images and at least 1 step are wanted")
    ranks = maps.flatten(1).sort(dim=1, descending=True, stable=True).indices.argsort(1).view(maps.shape).to(images.device)
    shares = torch.arange(steps + 1) / steps
    scores = torch.empty(len(images) * (steps + 1))

    def run(part: range) -> Tensor:
        which, step = (
            torch.tensor(part, device=images.device).div(steps + 1, rounding_mode="floor"),
            [at % (steps + 1) for at in part],
        )
        changed = ranks[which] < (shares[step] * ranks[0].numel()).round().to(images.device)[:, None, None]
        batch = torch.where(changed[:, None], ends[1][which], ends[0][which])
        return scores_at_once(model, batch, targets, which.tolist())

    for part, found in in_parts(model, len(scores), size_of(images), targets, run):
        scores[part.start : part.stop] = found.float().cpu()
    return Curve(shares, scores.view(len(images), steps + 1))


def _filled(images: Tensor, fill: str) -> Tensor:
    if fill == "blur":
        return gaussian_blur(images.detach(), BLUR * min(size_of(images)))
    if fill == "mean":
        return images.detach().mean((2, 3), keepdim=True).expand_as(images)
    raise UsageError(f"fill={fill!r}: 'blur' or 'mean' is wanted")
