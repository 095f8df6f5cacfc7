"""What a layer says at each place, in its own words: the semantic dictionary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.explain.cells import MOST, Cells, cells_of
from pellucid.explain.tape import Tape

WORDS = 5  # channels a cell


@dataclass(frozen=True)
class Dictionary:
    """The channels that answer most in each cell of a layer.

    Attributes:
        layer: where.
        cells: how positions are taken together.
        channels: the strongest first.
        values: what they answer in the mean.
        lengths: of the whole vectors, in the mean.
    """

    layer: str
    cells: Cells
    channels: Int[Tensor, "p q s"]
    values: Float[Tensor, "p q s"]
    lengths: Float[Tensor, "p q"]

    @property
    def strongest(self) -> tuple[int, int]:
        """Row and column of the cell with the longest vectors, where a reader may begin."""
        row, col = divmod(int(self.lengths.argmax()), self.lengths.shape[1])
        return row, col

    def vocabulary(self, count: int | None = None) -> list[int]:
        """The channels whose pictures are needed, those first that say most over all cells; None for all of them."""
        said = torch.zeros(int(self.channels.max()) + 1).to(self.values)
        said.index_add_(0, self.channels.flatten(), self.values.clamp(min=0).flatten())
        found = said.argsort(descending=True, stable=True)[: int((said > 0).sum())].tolist()
        return found if count is None else found[:count]


def dictionary(tape: Tape, layer: str, count: int = WORDS, *, most: int = MOST) -> Dictionary:
    """The channels that answer most in each cell of a layer.

    Their optimised pictures beside their values say what the network sees there (Olah et al. 2018, "The Building Blocks of
    Interpretability", Distill, "Making Sense of Hidden Layers").

    Args:
        tape: from `record`.
        layer: one of the tape's.
        count: channels a cell, from 1; at most those that there are.
        most: cells a side.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
        >>> dictionary(tape, "mixed4b", 4).channels.shape
        torch.Size([12, 12, 4])
    """
    map = tape.maps[layer]
    cells = cells_of((map.shape[1], map.shape[2]), most)
    best = cells.means(map).permute(1, 2, 0).topk(min(count, len(map)))
    return Dictionary(layer, cells, best.indices, best.values, cells.means(map.norm(dim=0)[None])[0])
