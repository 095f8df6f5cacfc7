"""What a unit goes with: other units that answer alike, and classes that are spoken for where it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from pellucid.errors import UsageError

ERRORS = 4.0  # standard errors that a class stands out by: of a thousand classes chance names one to one unit in thirty
BLOCK = 1 << 22  # numbers that are looked at together

Blocks = Iterator[tuple[Float[np.ndarray, "m a"], Float[np.ndarray, "m b"]]]


@dataclass(frozen=True)
class Favour:
    """One class that a unit speaks for.

    Attributes:
        index: of the class.
        correlation: between the unit's answers and what is attributed to the class.
    """

    index: int
    correlation: float


def correlations(vectors: Any, units: Sequence[int]) -> Float[np.ndarray, "u u"]:
    """How alike units answer: Pearson's correlation of their columns over all rows.

    Args:
        vectors: one row a picture, one column a unit: an array, or `analysis.search.means`.
        units: columns.

    Returns:
        From -1 to 1; 0 with a unit that answers the same to all.

    Raises:
        UsageError: no rows.

    >>> correlations(np.array([[0.0, 4.0, 1.0], [1.0, 2.0, 1.0], [2.0, 0.0, 1.0]]), [0, 1, 2]).round(2).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def blocks() -> Blocks:
        for rows in _rows(len(vectors), vectors.shape[1]):
            block = _columns(vectors, rows, units)
            yield block, block

    return _correlated(blocks, len(vectors))


def favours(vectors: Any, attributions: Any, units: Sequence[int], *, pictures: int) -> list[list[Favour]]:
    """The classes that each unit speaks for: where it answers most, the layer speaks most for them.

    Measured is the correlation, over all samples, of a unit's answer with what is attributed there to a class beyond the mean of
    all classes. A class counts whose correlation is four standard errors or more, as if each picture had given one sample.

    Args:
        vectors: one row a sample, one column a unit: `Store.vectors(layer)`.
        attributions: one row a sample, one column a class: `Store.attributions(layer)`.
        units: columns of the vectors.
        pictures: that the samples came from.

    Returns:
        For each unit its classes, from the highest correlation.

    Raises:
        UsageError: no rows, or attributions of another number of samples.

    >>> answers, spoken = np.array([[0.0], [1.0], [2.0]] * 9), np.array([[0.0, 5.0], [3.0, 5.0], [6.0, 5.0]] * 9)
    >>> [[favour]] = favours(answers, spoken, [0], pictures=27)
    >>> favour.index, round(favour.correlation, 3)
    (0, 1.0)
    """
    if len(attributions) != len(vectors):
        raise UsageError(f"attributions: {len(attributions)} rows for {len(vectors)} samples")

    def blocks() -> Blocks:
        for rows in _rows(len(vectors), vectors.shape[1] + attributions.shape[1]):
            spoken = np.asarray(attributions[rows], np.float64)
            yield _columns(vectors, rows, units), spoken - spoken.mean(1, keepdims=True)

    found, least = _correlated(blocks, len(vectors)), ERRORS / math.sqrt(pictures)
    return [
        [Favour(int(index), float(row[index])) for index in np.argsort(-row, kind="stable") if row[index] >= least] for row in found
    ]


def _correlated(blocks: Callable[[], Blocks], count: int) -> Float[np.ndarray, "a b"]:
    """Correlations of columns, in two passes: sums of squares alone lose the digits of what lies far from zero."""
    if count == 0:
        raise UsageError("there is nothing to compare units by: no rows")
    one, other = (np.sum(sums, 0) / count for sums in zip(*((a.sum(0), b.sum(0)) for a, b in blocks()), strict=True))
    products, first, second = np.zeros((len(one), len(other))), np.zeros(len(one)), np.zeros(len(other))
    for a, b in blocks():
        a, b = a - one, b - other
        products += a.T @ b
        first += np.square(a).sum(0)
        second += np.square(b).sum(0)
    both = np.sqrt(np.outer(first, second))
    return np.divide(products, both, out=np.zeros_like(products), where=both > 0).clip(-1, 1)


def _rows(count: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK // width)
    return (slice(start, start + step) for start in range(0, count, step))


def _columns(vectors: Any, rows: slice, units: Sequence[int]) -> Float[np.ndarray, "m u"]:
    return np.asarray(vectors[rows], np.float64)[:, list(units)]
