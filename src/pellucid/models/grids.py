"""From what a layer returns (maps, tokens, vectors; channels first or last) to `n c h w`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError

# Tokens that stand before the grid where nothing better is known: none, class, class and distillation, class and four registers.
USUAL_PREFIXES = (0, 1, 2, 5)


@dataclass(frozen=True)
class Form:
    """How one layer's output lies in memory.

    Attributes:
        axis: of the channels.
        grid: rows and columns that the layer had for a picture of the size `picture`.
        picture: height and width of the picture that was looked at.
        prefix: tokens before those of the grid.
        extra: tokens that are not of the grid, before or after it.
    """

    axis: int
    grid: tuple[int, int]
    picture: tuple[int, int]
    prefix: int = 0
    extra: int = 0

    def to_map(self, output: Tensor, picture: tuple[int, int]) -> Float[Tensor, "n c h w"]:
        """A layer's output as a map (a view), for pictures of the given height and width.

        >>> import torch
        >>> Form(axis=2, grid=(2, 2), picture=(8, 8), prefix=1, extra=1).to_map(torch.zeros(3, 13, 7), (16, 12)).shape
        torch.Size([3, 7, 4, 3])
        """
        if output.ndim == 2:
            return output[:, :, None, None]
        channels_first = output.movedim(self.axis, 1)
        if output.ndim == 4:
            return channels_first
        rows, columns = self._grid(channels_first.shape[2] - self.extra, picture)
        return channels_first[:, :, self.prefix : self.prefix + rows * columns].unflatten(2, (rows, columns))

    def _grid(self, positions: int, picture: tuple[int, int]) -> tuple[int, int]:
        scaled = tuple(round(now * cells / then) for now, cells, then in zip(picture, self.grid, self.picture, strict=True))
        grid = scaled if math.prod(scaled) == positions else nearest_grid(positions, picture)
        if grid is None:
            raise PellucidError(f"{positions} tokens make no grid for a picture of {picture[0]} × {picture[1]}")
        return grid[0], grid[1]


def nearest_grid(positions: int, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns whose product is `positions` and whose ratio is nearest to the picture's, if it is near (within 4 to 3).

    >>> nearest_grid(196, (224, 224)), nearest_grid(12, (32, 24)), nearest_grid(197, (224, 224))
    ((14, 14), (4, 3), None)
    """
    wanted = math.log(picture[0] / picture[1])
    pairs = [(rows, positions // rows) for rows in range(1, positions + 1) if positions % rows == 0]
    distance, grid = min(
        ((abs(math.log(rows / columns) - wanted), (rows, columns)) for rows, columns in pairs), default=(math.inf, (0, 0))
    )
    return grid if distance <= math.log(4 / 3) else None
