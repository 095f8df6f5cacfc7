"""What a region of an atlas says about the classes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def cell_classes(attribution: Float[np.ndarray, " k"], top: int = 5) -> list[tuple[int, float]]:
    """The classes that a cell's mean attribution supports most, best first; the first one is the cell's label.

    Args:
        attribution: the mean attribution to every class of the samples in a cell.
        top: how many classes, at least 1.

    >>> cell_classes(np.array([0.5, 2.0, -1.0, 2.0]), 2)
    [(1, 2.0), (3, 2.0)]
    """
    order = np.argsort(-attribution, kind="stable")[:top]
    return [(int(index), float(attribution[index])) for index in order]
