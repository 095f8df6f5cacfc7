"""Places in an order, of which equal values share one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The place of each value from the lowest, equal values sharing the mean of theirs.

    >>> ranks(np.array([5.0, 2.0, 5.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]
