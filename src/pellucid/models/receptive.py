"""Receptive fields by arithmetic: which input pixels a position of a layer can see."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ReceptiveField:
    """The box of input pixels that each position of a layer sees.

    Attributes:
        size: height and width of the box in pixels.
        stride: how far the box moves down and right from one position to the next, in pixels.
        offset: where the centre of the box of position (0, 0) lies, in pixels; pixel i spans [i, i + 1).

    Example:
        >>> field = ReceptiveField(size=(7, 7), stride=(2, 2), offset=(1.5, 1.5))
        >>> field.box(3, 0)
        (4, -2, 11, 5)
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    offset: tuple[float, float]

    def box(self, row: int, col: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the field of one position, in input pixels, half-open, not clipped to the picture."""
        top, left = (
            round(offset - size / 2) + place * stride
            for offset, size, stride, place in zip(self.offset, self.size, self.stride, (row, col), strict=True)
        )
        return top, left, top + self.size[0], left + self.size[1]


@dataclass(frozen=True)
class Span:
    """Along one direction: the input pixels [start, stop) that position 0 sees, and the step to the next position."""

    start: int = 0
    stop: int = 1
    stride: int = 1

    def window(self, size: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Span:
        """Through a window of `size` taps, `dilation` apart, after padding by `before`.

        Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.

        >>> Span().window(7, stride=2, before=3).window(3, stride=2)
        Span(start=-3, stop=8, stride=4)
        """
        reach = (size - 1) * dilation - before
        return Span(self.start - before * self.stride, self.stop + reach * self.stride, self.stride * stride)


@dataclass(frozen=True)
class Field:
    """The spans of rows and columns."""

    rows: Span = Span()
    columns: Span = Span()

    def window(self, size: Pair, stride: Pair = 1, before: Pair = 0, dilation: Pair = 1) -> Field:
        """Through a window of a convolution or a pooling."""
        arguments = zip(*(pair(value) for value in (size, stride, before, dilation)), strict=True)
        rows, columns = (span.window(*values) for span, values in zip((self.rows, self.columns), arguments, strict=True))
        return Field(rows, columns)

    def cropped(self, top: int, left: int) -> Field:
        """After `top` rows and `left` columns are cut off; negative numbers add some."""
        return Field(_moved(self.rows, top), _moved(self.columns, left))

    def thinned(self, rows: int, columns: int) -> Field:
        """After only each `rows`-th row and `columns`-th column is kept."""
        return Field(
            replace(self.rows, stride=self.rows.stride * rows), replace(self.columns, stride=self.columns.stride * columns)
        )

    def public(self) -> ReceptiveField:
        """As size, stride and offset."""
        spans = (self.rows, self.columns)
        height, width = (span.stop - span.start for span in spans)
        middle, centre = ((span.start + span.stop) / 2 for span in spans)
        return ReceptiveField((height, width), (self.rows.stride, self.columns.stride), (middle, centre))


Pair = int | tuple[int, ...] | list[int]


def pair(value: Pair) -> tuple[int, int]:
    """Rows and columns out of one number, or one or two in a sequence.

    >>> pair(3), pair([1]), pair((1, 2))
    ((3, 3), (1, 1), (1, 2))
    """
    first, *rest = (value,) if isinstance(value, int) else value
    return first, rest[0] if rest else first


def union(fields: Iterable[Field | None]) -> Field | None:
    """The smallest field that holds all of them; None where one is unknown or where they move at different strides."""
    known = list(fields)
    if not known or any(field is None for field in known):
        return None
    directions = [[getattr(field, name) for field in known] for name in ("rows", "columns")]
    if any(len({span.stride for span in spans}) > 1 for spans in directions):
        return None
    rows, columns = (Span(min(s.start for s in spans), max(s.stop for s in spans), spans[0].stride) for spans in directions)
    return Field(rows, columns)


def same_padding(size: int, dilation: int) -> int:
    """Padding before, where a convolution is asked for padding "same"."""
    return math.floor((size - 1) * dilation / 2)


def _moved(span: Span, positions: int) -> Span:
    shift = positions * span.stride
    return Span(span.start + shift, span.stop + shift, span.stride)
