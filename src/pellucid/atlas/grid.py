"""Points of a layout to cells: what lies in each, its mean, its nearest samples; and the whitening of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.atlas.views import cell_classes
from pellucid.errors import UsageError

EXAMPLES = 6
MINIMUM = 5  # samples; fewer make a mean of chance (the published atlas asks for 5 to 10 of 100,000)
RIDGE = 1.0  # times the mean second moment; less shows rarer things and strays further from the mean
BLOCK = 1 << 24  # numbers read at once


class Matrix(Protocol):
    """Rows that can be picked by number: an array, or the rows of a store."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: np.ndarray | slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Cell:
    """One square of a grid.

    `row` counts from the top; `mean` is the cell's row in `Level.means`; `classes` are (class index, mean attribution), best first;
    `examples` are the sample rows whose vectors are nearest to the mean, of different pictures; `cosine` is what the icon reaches.
    """

    row: int
    col: int
    count: int
    mean: int
    classes: tuple[tuple[int, float], ...] = ()
    examples: tuple[int, ...] = ()
    cosine: float | None = None


@dataclass(frozen=True)
class Level:
    """A grid over the layout: its cells in reading order, and the mean vector of each."""

    grid: int
    cells: tuple[Cell, ...]
    means: Float[np.ndarray, "m c"]


def bins(points: Float[np.ndarray, "n 2"], grid: int) -> Int[np.ndarray, " n"]:
    """The cell of each point, numbered in reading order: row * grid + col. Every point of [0, 1]² is in exactly one.

    Raises:
        UsageError: the grid is below 1, or a point lies outside.

    >>> bins(np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]]), 2).tolist()
    [0, 1, 3]
    """
    if grid < 1:
        raise UsageError(f"grid={grid}: at least 1 is needed")
    if not ((points >= 0) & (points <= 1)).all():
        raise UsageError("the points of a layout lie in [0, 1]²; these do not")
    col, row = np.minimum((points * grid).astype(np.int64), grid - 1).T
    return row * grid + col


def levels(
    points: Float[np.ndarray, "n 2"],
    vectors: Matrix,
    attributions: Matrix | None,
    *,
    grids: Sequence[int] = (8, 16),
    minimum: int = MINIMUM,
    images: Int[np.ndarray, " n"] | None = None,
) -> list[Level]:
    """The cells of an atlas at several zooms; cells with fewer samples than `minimum`, and silent ones, are left out.

    Args:
        points: where each sample lies.
        vectors: their activations, such as `Store.vectors(layer)`.
        attributions: their attributions to the classes; None where there are none.
        grids: cells along a side, one level each.
        minimum: samples that make a cell, at least 1.
        images: the picture of each sample, so that a cell's examples are of different ones; None where every sample has its own.

    Raises:
        UsageError: numbers of rows that differ, a minimum below 1.
    """
    lengths = {len(each) for each in (points, vectors, attributions, images) if each is not None}
    if len(lengths) > 1 or minimum < 1:
        raise UsageError(f"all need as many rows each (there are {sorted(lengths)}), and minimum={minimum} must be at least 1")
    pictures = np.arange(len(points)) if images is None else images
    return [_level(bins(points, grid), grid, vectors, attributions, minimum, pictures) for grid in grids]


def _level(where: np.ndarray, grid: int, vectors: Matrix, attributions: Matrix | None, minimum: int, pictures: np.ndarray) -> Level:
    order = np.argsort(where, kind="stable")
    numbers, starts = np.unique(where[order], return_index=True)
    cells, means = [], []
    for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        mean = mean_row(vectors, rows) if len(rows) >= minimum else np.zeros(0)
        if not mean.any():  # too few samples, or a layer that is silent there: nothing to show
            continue
        classes = () if attributions is None else tuple(cell_classes(mean_row(attributions, rows)))
        cells.append(Cell(number // grid, number % grid, len(rows), len(cells), classes, nearest(vectors, rows, mean, pictures)))
        means.append(mean)
    return Level(grid, tuple(cells), np.array(means, np.float32).reshape(len(means), vectors.shape[1]))


def mean_row(matrix: Matrix, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " c"]:
    """The mean of some rows, a block at a time, summed in double precision.

    >>> mean_row(np.array([[1.0], [2.0], [6.0]]), np.array([0, 2]))
    array([3.5], dtype=float32)
    """
    blocks = np.array_split(rows, -(-len(rows) * matrix.shape[1] // BLOCK))
    total = np.sum([matrix[block].sum(0, dtype=np.float64) for block in blocks], axis=0)
    return (total / len(rows)).astype(np.float32)


def nearest(
    vectors: Matrix,
    rows: Int[np.ndarray, " m"],
    mean: Float[np.ndarray, " c"],
    pictures: Int[np.ndarray, " n"],
    count: int = EXAMPLES,
) -> tuple[int, ...]:
    """The rows of smallest angle to a mean, one a picture, nearest first."""
    blocks = np.array_split(rows, -(-len(rows) * vectors.shape[1] // BLOCK))
    cosines = np.concatenate([cosine(vectors[block].astype(np.float32), mean) for block in blocks])
    best: dict[int, int] = {}
    for row in rows[np.argsort(-cosines, kind="stable")].tolist():
        best.setdefault(int(pictures[row]), row)
        if len(best) == count:
            break
    return tuple(islice(best.values(), count))


def cosine(vectors: Float[np.ndarray, "n c"], direction: Float[np.ndarray, " c"]) -> Float[np.ndarray, " n"]:
    """The cosine between each vector and a direction; 0 where either is zero.

    >>> cosine(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([1.0, 0.0])).tolist()
    [0.6, 0.0]
    """
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(direction)
    return (vectors @ direction) / np.where(lengths > 0, lengths, 1)


def whitening(vectors: Matrix, ridge: float = RIDGE) -> Float[Tensor, "c c"]:
    """The inverse of a layer's uncentred second moment, which turns a vector into the direction that is particular to it.

    (Carter et al. 2019, Activation Atlas, "Aggregating multiple images"; with a ridge, so that rank-deficient layers have one too.)

    Args:
        vectors: activations, n rows.
        ridge: added to the diagonal, as a share of its mean; above 0.

    Raises:
        UsageError: a ridge of 0 or below.

    >>> whitening(np.eye(2, dtype=np.float32), ridge=1.0)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if ridge <= 0:
        raise UsageError(f"ridge={ridge}: must be above 0")
    channels = vectors.shape[1]
    moment = torch.zeros(channels, channels, dtype=torch.float64)
    step = max(1, BLOCK // channels)
    for start in range(0, len(vectors), step):
        block = torch.from_numpy(vectors[start : start + step].astype(np.float64))
        moment += block.T @ block / len(vectors)
    scale = moment.diagonal().mean()
    if scale == 0:  # a dead layer has no direction of its own
        return torch.eye(channels)
    return torch.linalg.inv(moment + ridge * scale * torch.eye(channels, dtype=torch.float64)).float()
