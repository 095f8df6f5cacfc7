"""Neighbouring positions of a map taken together, so that what is asked of each stays bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

MOST = 14  # cells a side: the maps of a deep layer of a network for 224 px


@dataclass(frozen=True)
class Cells:
    """Square cells that cover a map; those at its right and lower edge may be smaller.

    Attributes:
        height: positions of the map.
        width: positions of the map.
        side: positions of a cell.

    >>> cells = cells_of((27, 20))
    >>> cells.side, cells.rows, cells.cols
    (2, 14, 10)
    """

    height: int
    width: int
    side: int

    @property
    def rows(self) -> int:
        return math.ceil(self.height / self.side)

    @property
    def cols(self) -> int:
        return math.ceil(self.width / self.side)

    def sums(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n p q"]:
        """The sum over each cell."""
        return avg_pool2d(maps[None], self.side, ceil_mode=True, divisor_override=1)[0]

    def means(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n p q"]:
        """The mean over each cell."""
        return self.sums(maps) / self.sums(torch.ones_like(maps[:1]))

    def masks(self) -> Float[Tensor, "m h w"]:
        """Ones within each cell, in reading order."""
        rows, cols = torch.arange(self.height) // self.side, torch.arange(self.width) // self.side
        return (rows[:, None] * self.cols + cols == torch.arange(self.rows * self.cols)[:, None, None]).float()


def cells_of(size: tuple[int, int], most: int = MOST) -> Cells:
    """The smallest cells of which at most so many lie side by side."""
    return Cells(*size, math.ceil(max(size) / most))
