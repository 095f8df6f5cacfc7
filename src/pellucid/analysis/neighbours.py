"""The exact nearest rows of a matrix, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.index import Index, Metric


def neighbours(vectors: Any, k: int, *, metric: Metric = "cosine", queries: Any = None) -> tuple[Tensor, Tensor]:
    """The k nearest rows of each row, itself first, then nearest first: exact, in blocks of bounded memory.

    Args:
        vectors: n rows (an array, or rows of a store).
        k: neighbours, at most n.
        metric: "cosine" (1 - cosine; a row of zeros is 1 from all but its like) or "euclidean".
        queries: other rows to look up; None for the rows themselves.

    Returns:
        (indices, distances), one row a query; of those kept, equal distances come in the order of their rows.

    Raises:
        UsageError: k is below 1 or above n.

    >>> indices, distances = neighbours(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1]]), 2)
    >>> indices.tolist()
    [[0, 2], [1, 2], [2, 0]]
    """
    index = Index.build(vectors, metric=metric, approximate=False)
    rows, apart = index.query(vectors if queries is None else queries, k)
    indices, distances = torch.from_numpy(rows), torch.from_numpy(apart).float()
    return _self_first(indices, distances) if queries is None else (indices, distances)


def _self_first(indices: Int[Tensor, "n k"], distances: Float[Tensor, "n k"]) -> tuple[Tensor, Tensor]:
    """Among duplicates a row may not come first, or not at all; layouts count on it."""
    own = torch.arange(len(indices))[:, None]
    place = torch.where((indices == own).any(1), (indices == own).int().argmax(1), indices.shape[1] - 1)[:, None]
    column = torch.arange(indices.shape[1])[None]
    shifted = (column - (column <= place).int()).clamp_min(0)
    indices, distances = indices.gather(1, shifted), distances.gather(1, shifted)
    indices[:, 0], distances[:, 0] = own[:, 0], 0
    return indices, distances


def as_tensor(vectors: Any) -> Float[Tensor, "n c"]:
    """Rows in single precision on the CPU.

    >>> as_tensor([[1, 2]]).tolist()
    [[1.0, 2.0]]
    """
    return vectors.float().cpu() if isinstance(vectors, Tensor) else torch.from_numpy(np.array(vectors, np.float32))


def unit(vectors: Any) -> Float[Tensor, "n d"]:
    """Rows of length one; rows of zeros, which have no direction, share one of their own in a column more.

    >>> unit([[0, 2], [0, 0]]).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows = as_tensor(vectors)
    norm = rows.norm(dim=1, keepdim=True)
    return torch.cat([rows / norm.clamp_min(1e-12), (norm == 0).float()], 1)
