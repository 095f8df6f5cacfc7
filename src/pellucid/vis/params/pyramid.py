"""Pictures as sums of coarser and finer ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, coloured, mixing

# Standard deviation over the picture for sd = 1. Neighbours in a level tend to move together, so that this takes a picture as far
# in as many steps as 2.5 does in `fourier`.
DEVIATION = 1.0


@dataclass(frozen=True, kw_only=True)
class laplacian:
    """Pictures as Laplacian pyramids: each level is added to the next coarser one, enlarged twice, in decorrelated colours.

    Like `fourier` this moves coarse structure as fast as fine (Burt and Adelson 1983; Mordvintsev 2016, DeepDream, normalises
    the gradient of each level instead), but every number belongs to a place. Every decay starts
    with the deviation sd over the picture.

    Args:
        sd: standard deviation of the levels' noise to start from; 0 starts from grey.
        levels: how many, from 1 (which is `pixel`); a level of one pixel is the last in any case.
        decay: a level of half the size has 2^(decay - 1) times the deviation: 1 gives every octave the same energy, as in
            natural pictures, less favours detail.
        colours: as in `fourier`.

    Raises:
        UsageError: fewer than one level, or `colours` does not suit the number of channels.

    >>> canvas = laplacian(levels=3)(1, 3, 10, 7, generators=[torch.Generator()], device=torch.device("cpu"))
    >>> [tuple(level.shape) for level in canvas.params]
    [(1, 3, 10, 7), (1, 3, 5, 4), (1, 3, 3, 2)]
    """

    sd: float = 0.01
    levels: int = 6
    decay: float = 0.75
    colours: Colours = "natural"

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise UsageError(f"levels must be at least 1, not {self.levels}")

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(self.levels)]
        sizes = sizes[: sizes.index((1, 1)) + 1] if (1, 1) in sizes else sizes
        shares = 2.0 ** ((self.decay - 1) * torch.arange(len(sizes)))
        shares = (DEVIATION * shares / shares.norm()).tolist()
        gains = [share / gain(sizes[level::-1]) for level, share in enumerate(shares)]
        params = [noise((channels, *size), self.sd, generators[:count], device) for size in sizes]

        def values() -> Float[Tensor, "n c h w"]:
            *finer, sum_so_far = [level * factor for level, factor in zip(params, gains, strict=True)]
            for level in reversed(finer):
                sum_so_far = enlarged(sum_so_far, (level.shape[2], level.shape[3])) + level
            return sum_so_far

        def put(given: Float[Tensor, "n c h w"]) -> None:
            coarser = None
            for level, factor, size in reversed(list(zip(params, gains, sizes, strict=True))):
                pooled = F.adaptive_avg_pool2d(given, size)
                level.copy_((pooled if coarser is None else pooled - enlarged(coarser, size)) / factor)
                coarser = pooled

        return coloured(params, values, put, mixing(self.colours, channels, device))


def enlarged(images: Float[Tensor, "n c p q"], size: tuple[int, int]) -> Float[Tensor, "n c h w"]:
    """Images of another size, interpolated bilinearly.

    >>> enlarged(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
    tensor([[[[0.0000, 0.2500, 0.7500, 1.0000]]]])
    """
    return F.interpolate(images, size, mode="bilinear", align_corners=False)


def gain(sizes: Sequence[tuple[int, int]]) -> float:
    """Standard deviation of white noise of deviation 1 that is `enlarged` from one size to the next, at the last.

    >>> gain([(8, 8)]), round(gain([(8, 8), (64, 64)]), 2)
    (1.0, 0.71)
    """
    variance = 1.0
    for few, *more in zip(*sizes, strict=True):  # rows, then columns
        weights = torch.eye(few)[None]
        for many in more:
            weights = F.interpolate(weights, many, mode="linear", align_corners=False)
        variance *= weights.square().sum().item() / weights.shape[2]
    return variance**0.5
