"""Neuron arithmetic: pictures of two units at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method
from pellucid.vis.objectives import Objective
from pellucid.vis.recipes.measures import answers, gained, one
from pellucid.vis.recipes.photos import Progress, part
from pellucid.vis.recipes.suited import shared_size
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Arithmetic:
    """Pictures of some units, of others, and of each pair at once.

    Attributes:
        rows: pictures of the first units alone.
        columns: pictures of the second units alone.
        joint: for each first unit, its pictures with each second unit.
        row_shares: how much of what the first unit gains over noise alone it gains in the joint picture: 1 for as much.
        column_shares: the same for the second unit.
    """

    rows: tuple[Rendering, ...]
    columns: tuple[Rendering, ...]
    joint: tuple[tuple[Rendering, ...], ...]
    row_shares: Table
    column_shares: Table

    @property
    def weakest(self) -> float:
        """The smallest share of a unit in any joint picture."""
        return min(share for table in (self.row_shares, self.column_shares) for row in table for share in row)

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "rows": [each.objective for each in self.rows],
            "columns": [each.objective for each in self.columns],
            "row_shares": [list(row) for row in self.row_shares],
            "column_shares": [list(row) for row in self.column_shares],
            "weakest": self.weakest,
            "row_saturation": [saturation(each.image) for each in self.rows],
            "column_saturation": [saturation(each.image) for each in self.columns],
            "joint_saturation": [[saturation(each.image) for each in row] for row in self.joint],
        }


def arithmetic(
    model: Model,
    rows: Sequence[str | Objective],
    columns: Sequence[str | Objective],
    *,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Arithmetic:
    """Add each of some units to each of others: pictures that both answer to (Olah et al. 2017, "Interaction").

    Each unit counts in units of what it gains over noise alone, so that both are heard whatever their scale.

    Args:
        model: the network.
        rows: the first units, one or more.
        columns: the second units, one or more.
        size: height and width of all pictures; None for what suits the unit that needs most.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the noise, from 0, the same for all pictures.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: no units, a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> made = arithmetic(models.load("terrarium"), ["mixed3a:5"], ["mixed3a:2", "mixed3a:6"], steps=4)
        >>> len(made.rows), len(made.columns), [len(row) for row in made.joint]
        (1, 2, [2])
    """
    if not rows or not columns:
        raise UsageError("rows and columns need one unit or more each")
    units = [one(unit, model) for unit in (*rows, *columns)]
    shape = shared_size(model, units, size)
    alone, pairs = len(units) * steps, len(rows) * len(columns) * steps

    def make(objectives: Sequence[Objective], done: int) -> list[Rendering]:
        heard = part(progress, done, alone + pairs)
        return render(model, objectives, size=shape, steps=steps, method=method, seeds=seed, progress=heard)

    singles = make(units, 0)
    gains = [gained(single) for single in singles]
    scaled = [1 / gain * unit for unit, gain in zip(units, gains, strict=True)]
    made = make([a + b for a in scaled[: len(rows)] for b in scaled[len(rows) :]], alone)
    joint = tuple(tuple(made[start : start + len(columns)]) for start in range(0, len(made), len(columns)))
    pictures = torch.stack([each.image for each in made])
    shares = torch.stack(
        [  # of each unit, in each joint picture
            (answers(model, unit, pictures) - single.history[0]) / gain
            for unit, single, gain in zip(units, singles, gains, strict=True)
        ]
    ).reshape(len(units), len(rows), len(columns))
    return Arithmetic(
        tuple(singles[: len(rows)]),
        tuple(singles[len(rows) :]),
        joint,
        _table(shares[: len(rows)].diagonal(dim1=0, dim2=1).T),
        _table(shares[len(rows) :].diagonal(dim1=0, dim2=2)),
    )


def saturation(image: Float[Tensor, "c h w"]) -> float:
    """How colourful a picture is: the mean over all pixels of the largest channel minus the smallest, from 0 (grey) to 1.

    >>> saturation(torch.tensor([[[1.0, 0.5]], [[0.0, 0.5]], [[0.0, 0.5]]]))
    0.5
    """
    return float((image.amax(0) - image.amin(0)).mean())


def _table(values: Float[Tensor, "r c"]) -> Table:
    return tuple(tuple(row) for row in values.tolist())
