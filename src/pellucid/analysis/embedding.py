"""What a map of vectors is worth: whether alike things lie together, and where each picture of a wall of pictures goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.neighbours import neighbours
from pellucid.analysis.ranks import ranks
from pellucid.errors import UsageError


def tiles(points: Any, *, columns: int | None = None) -> tuple[Int[np.ndarray, "n 2"], tuple[int, int]]:
    """Every point to a tile of its own, near where it was, for a wall of pictures that do not overlap.

    The wall is halved again and again across its longer side, and the points in the order along that side with it. (A picture
    wall as in Karpathy's "t-SNE visualization of CNN codes", 2014, without overlaps and holes: only the last row may end early.)

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
    _spread(places, np.arange(len(places)), (0, 0), size, size[0] * wide - len(places), found)
    return found, size


def _spread(
    points: Float[np.ndarray, "n 2"],
    some: Int[np.ndarray, " m"],
    corner: tuple[int, int],
    size: tuple[int, int],
    free: int,
    found: np.ndarray,
) -> None:
    """Give some of the points the tiles of a part of the wall; as many as are `free` stay so, at the end of its last row."""
    if len(some) <= 1:
        found[some] = corner
        return
    axis = 0 if size[0] > size[1] else 1  # rows go with y, columns with x
    first, second, after = list(size), list(size), list(corner)
    first[axis] //= 2
    second[axis] -= first[axis]
    after[axis] += first[axis]
    left = max(0, free - second[1]) if axis == 1 else 0
    count = first[0] * first[1] - left
    order = some[np.lexsort((some, points[some, axis], points[some, 1 - axis]))]  # along the axis
    _spread(points, order[:count], corner, (first[0], first[1]), left, found)
    _spread(points, order[count:], (after[0], after[1]), (second[0], second[1]), free - left, found)


def neighbour_accuracy(points: Any, labels: Any, k: int = 10, *, sample: int = 2000, seed: int = 0) -> float:
    """How often the k nearest points of a point vote for its label: 1 for always.

    Args:
        points: n rows.
        labels: of each; points whose label is negative are left out.
        k: neighbours that vote, from 1 to fewer than the labelled points; of as many votes the lower label wins.
        sample: points that are voted on, drawn from the seed.
        seed: of the sample.

    Raises:
        UsageError: k is out of range, or labels of another number.

    >>> neighbour_accuracy(np.array([[0.0], [0.1], [5.0], [5.1]]), [0, 0, 1, 1], k=1)
    1.0
    """
    rows, own = _labelled(points, labels)
    if not 1 <= k < len(rows):
        raise UsageError(f"k={k}: {len(rows)} labelled points have 1 to {len(rows) - 1} neighbours")
    judged = torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(len(rows))[:sample]))
    near = neighbours(rows, k + 1, metric="euclidean", queries=rows[judged])[0]
    itself = near == judged[:, None]
    itself[:, -1] |= ~itself.any(1)  # among duplicates it may not be there
    labels_near = own[near[~itself].view(-1, k)]
    votes = torch.zeros(len(judged), int(own.max()) + 1).scatter_add(1, labels_near, torch.ones(labels_near.shape))
    return float((votes.argmax(1) == own[judged]).float().mean())


def class_pairs(
    points: Any, labels: Any, predicted: Any
) -> tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """All pairs of classes, how often a network takes one for the other, and how far apart they lie.

    Args:
        points: n rows.
        labels: the true class of each; points whose label is negative are left out.
        predicted: the class that the network says.

    Returns:
        (the two classes, the share of both that is taken for the other, the distance of the means of their points)

    Raises:
        UsageError: fewer than three classes, or labels or predictions of another number.

    >>> points = np.array([[0.0, 0], [0.1, 0], [0.3, 0], [0.5, 0], [9.0, 0], [9.2, 0]])
    >>> pairs, confused, apart = class_pairs(points, [0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 2, 2])
    >>> pairs.tolist(), confused.tolist(), apart.round(2).tolist()
    ([[0, 1], [0, 2], [1, 2]], [0.5, 0.0, 0.0], [0.35, 9.05, 8.7])
    """
    rows, own = _labelled(points, labels)
    if len(predicted) != len(labels):
        raise UsageError(f"predicted: {len(predicted)} classes for {len(labels)} points")
    said = torch.as_tensor(np.asarray(predicted))[torch.as_tensor(np.asarray(labels)) >= 0]
    known, place, count = own.unique(return_inverse=True, return_counts=True)
    if len(known) < 3:
        raise UsageError(f"labels: {len(known)} classes, of which pairs cannot be compared; 3 or more are needed")
    means = torch.zeros(len(known), rows.shape[1], dtype=torch.float64).index_add(0, place, rows.double()) / count[:, None]
    answer = torch.searchsorted(known, said).clamp_max(len(known) - 1)
    met = known[answer] == said
    shares = torch.zeros(len(known), len(known), dtype=torch.float64)
    shares.index_put_((place[met], answer[met]), 1 / count[place[met]].double(), accumulate=True)
    first, second = torch.triu_indices(len(known), len(known), 1)
    confused = (shares + shares.T)[first, second] / 2
    return known[torch.stack([first, second], 1)].numpy(), confused.numpy(), torch.pdist(means).numpy()


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
    _, confused, apart = class_pairs(points, labels, predicted)
    if np.ptp(confused) == 0 or np.ptp(apart) == 0:
        return 0.0
    return float(np.corrcoef(ranks(confused), ranks(-apart))[0, 1])


def confused_nearer(points: Any, labels: Any, predicted: Any) -> float:
    """How often two classes that a network ever takes for each other lie nearer than two that it never does: 0.5 by chance.

    Where most pairs are never confused, ranks are mostly ties and their correlation stays small whatever the map; this does not.
    (The area under the ROC curve of nearness as a detector of confusion.)

    Args:
        points: n rows.
        labels: the true class of each; points whose label is negative are left out.
        predicted: the class that the network says.

    Returns:
        0 to 1; 0.5 where all pairs are confused, or none.

    Raises:
        UsageError: fewer than three classes, or labels or predictions of another number.

    >>> points = np.array([[0.0, 0], [0.1, 0], [0.2, 0], [0.3, 0], [9.0, 0], [9.1, 0]])
    >>> confused_nearer(points, [0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 2, 2])
    1.0
    """
    _, confused, apart = class_pairs(points, labels, predicted)
    met = confused > 0
    if met.all() or not met.any():
        return 0.5
    return float((ranks(-apart)[met].mean() - (met.sum() - 1) / 2) / (~met).sum())


def _labelled(points: Any, labels: Any) -> tuple[Float[Tensor, "m d"], Int[Tensor, " m"]]:
    rows, own = torch.as_tensor(np.asarray(points)), torch.as_tensor(np.asarray(labels, np.int64))
    if len(rows) != len(own):
        raise UsageError(f"labels: {len(own)} for {len(rows)} points")
    return rows[own >= 0], own[own >= 0]
