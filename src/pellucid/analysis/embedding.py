"""What a map of vectors is worth: whether alike things lie together, and where each picture of a wall of pictures goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.reduce import neighbours
from pellucid.errors import UsageError


def tiles(points: Any, *, columns: int | None = None) -> tuple[Int[np.ndarray, "n 2"], tuple[int, int]]:
    """Every point to a tile of its own, near where it was, for a wall of pictures that do not overlap.

    The wall is halved again and again across its longer side, and the points in the order along that side with it. (A picture
    wall as in Karpathy's "t-SNE visualization of CNN codes", 2014, without holes and overlaps.)

    Args:
        points: n rows (x, y).
        columns: of the wall; None for as many as rows, or one more.

    Returns:
        (row, col) of each point, no two alike, and the (rows, columns) of the wall; y grows with the rows.

    Raises:
        UsageError: no points, or no columns.

    >>> found, size = tiles(np.array([[0.9, 0.1], [0.1, 0.2], [0.2, 0.8], [0.8, 0.9]]))
    >>> found.tolist(), size
    ([[0, 1], [0, 0], [1, 0], [1, 1]], (2, 2))
    """
    places = np.asarray(points, np.float64)
    if not len(places):
        raise UsageError("there are no points to give tiles to")
    wide = math.ceil(math.sqrt(len(places))) if columns is None else columns
    if wide < 1:
        raise UsageError(f"columns={columns}: a wall has at least one")
    size = (-(-len(places) // wide), wide)
    found = np.zeros((len(places), 2), np.int64)
    _spread(places, np.arange(len(places)), (0, 0), size, found)
    return found, size


def _spread(
    points: Float[np.ndarray, "n 2"], some: Int[np.ndarray, " m"], corner: tuple[int, int], size: tuple[int, int], found: np.ndarray
) -> None:
    """Give some of the points the tiles of a part of the wall, which has at least as many."""
    if size == (1, 1) or not len(some):
        found[some] = corner
        return
    axis = 0 if size[0] > size[1] else 1  # rows go with y, columns with x
    first = size[axis] // 2
    share = first / size[axis]
    across = size[1 - axis]
    count = min(max(round(len(some) * share), len(some) - (size[axis] - first) * across), first * across)
    order = some[np.lexsort((some, points[some, axis], points[some, 1 - axis]))]  # along the axis
    sizes = [list(size), list(size)]
    sizes[0][axis], sizes[1][axis] = first, size[axis] - first
    second = list(corner)
    second[axis] += first
    _spread(points, order[:count], corner, (sizes[0][0], sizes[0][1]), found)
    _spread(points, order[count:], (second[0], second[1]), (sizes[1][0], sizes[1][1]), found)


def neighbour_accuracy(points: Any, labels: Any, k: int = 10) -> float:
    """How often the k nearest points of a point vote for its label: 1 for always.

    Args:
        points: n rows.
        labels: of each; points whose label is negative are left out.
        k: neighbours that vote, from 1 to fewer than the labelled points; of as many votes the lower label wins.

    Raises:
        UsageError: k is out of range, or labels of another number.

    >>> neighbour_accuracy(np.array([[0.0], [0.1], [5.0], [5.1]]), [0, 0, 1, 1], k=1)
    1.0
    """
    rows, own = _labelled(points, labels)
    if not 1 <= k < len(rows):
        raise UsageError(f"k={k}: {len(rows)} labelled points have 1 to {len(rows) - 1} neighbours")
    nearest = neighbours(rows, k + 1, metric="euclidean")[0][:, 1:]
    votes = torch.nn.functional.one_hot(own[nearest], int(own.max()) + 1).sum(1)
    return float((votes.argmax(1) == own).float().mean())


def confusion_with_nearness(points: Any, labels: Any, predicted: Any) -> float:
    """Whether classes that a network takes for each other lie near each other on its map: Spearman's correlation of ranks.

    Over all pairs of classes, between how often one is taken for the other (both ways) and how near the means of their points
    are: 1 where the pairs come in the same order, 0 where the one says nothing of the other.

    Args:
        points: n rows (x, y).
        labels: the true class of each; points whose label is negative are left out.
        predicted: the class that the network says.

    Raises:
        UsageError: fewer than three classes, or labels or predictions of another number.

    >>> points = np.array([[0.0, 0], [0.1, 0], [0.2, 0], [0.3, 0], [9.0, 0], [9.1, 0]])
    >>> round(confusion_with_nearness(points, [0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 2, 2]), 2)
    0.87
    """
    rows, own = _labelled(points, labels)
    if len(predicted) != len(labels):
        raise UsageError(f"predicted: {len(predicted)} classes for {len(labels)} points")
    said = torch.as_tensor(np.asarray(predicted))[torch.as_tensor(np.asarray(labels)) >= 0]
    known = own.unique()
    if len(known) < 3:
        raise UsageError(f"labels: {len(known)} classes, of which pairs cannot be compared; 3 or more are needed")
    means = torch.stack([rows[own == each].mean(0) for each in known])
    first, second = torch.triu_indices(len(known), len(known), 1)
    apart = (means[first] - means[second]).norm(dim=1)
    shares = torch.stack([torch.stack([(said[own == a] == b).double().mean() for b in known]) for a in known])
    return float(torch.corrcoef(torch.stack([_ranks((shares + shares.T)[first, second]), _ranks(-apart)]))[0, 1])


def _labelled(points: Any, labels: Any) -> tuple[Float[Tensor, "m d"], Int[Tensor, " m"]]:
    rows, own = torch.as_tensor(np.asarray(points, np.float64)), torch.as_tensor(np.asarray(labels, np.int64))
    if len(rows) != len(own):
        raise UsageError(f"labels: {len(own)} for {len(rows)} points")
    return rows[own >= 0], own[own >= 0]


def _ranks(values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """From the lowest, equal values sharing the mean of theirs."""
    below, same = values[:, None] > values, values[:, None] == values
    return below.sum(1) + (same.sum(1) - 1) / 2
