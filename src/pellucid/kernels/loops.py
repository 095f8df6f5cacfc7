"""The loops themselves, compiled by numba when first run and kept on disk; each works on a range of rows or planes, for threads.

They read and write contiguous arrays: maps as n h w c, planes as p h w. Numbers in bfloat16 come as their bits in int16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable
from numpy.typing import NDArray

Array = NDArray[Any]

NAN = np.int16(0x7FFF)  # the largest of all keys
LEAST = np.int16(-0x80)  # the bits of minus infinity, above which are, of the negative ones, those of what is no number
INFINITE = np.int16(0x7F80)  # the bits of bfloat16's infinity; those of what is no number are above
NOWHERE = np.uint8(255)


def compiled(function: Callable[..., None]) -> Any:
    """The loop as machine code, for threads and with IEEE's divisions."""
    options: Any = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # there is no folder that may be written to
        return numba.njit(function, **options)


def _reinterpreted(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


@intrinsic
def _as_float(context, bits):
    return types.float32(types.uint32), _reinterpreted


@intrinsic
def _as_bits(context, number):
    return types.uint32(types.float32), _reinterpreted


def _ordered(number: Any) -> Any:
    """What is ordered like the number, and its own inverse: of bfloat16's bits an integer, the highest where they are no number."""
    raise NotImplementedError


@overload(_ordered)
def _(number):
    def of_bits(number):
        key = np.int16(number ^ ((number >> np.int16(15)) & NAN))
        return NAN if np.int16(number & NAN) > INFINITE else key

    return of_bits if isinstance(number, types.Integer) else lambda number: number


def _widened(number: Any) -> Any:
    """The number in float32."""
    raise NotImplementedError


@overload(_widened)
def _(number):
    def of_bits(number):
        return _as_float(np.uint32(np.uint16(number)) << np.uint32(16))  # pyright: ignore[reportCallIssue]

    return of_bits if isinstance(number, types.Integer) else lambda number: number


def _narrowed(number: Any, like: Any) -> Any:
    """A float32 as a number of the kind of another: the nearest one, of two as near the even one."""
    raise NotImplementedError


@overload(_narrowed)
def _(number, like):
    def as_bits(number, like):
        bits = _as_bits(number)  # pyright: ignore[reportCallIssue]
        even = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        return np.int16(even)

    return as_bits if isinstance(like, types.Integer) else lambda number, like: number


@compiled
def pool(
    maps: Array, kernel: Any, stride: Any, padding: Any, pooled: Array, taps: Array, masks: bool, first: int, last: int
) -> None:
    """Rows of the largest of each window, and at which place of the window it is; at none where it masks and that is zero."""
    height, width, channels = maps.shape[1:]
    for row in range(first, last):
        picture, i = divmod(row, pooled.shape[1])
        top = i * stride[0] - padding[0]
        for j in range(pooled.shape[2]):
            left = j * stride[1] - padding[1]
            best, place = pooled[picture, i, j], taps[picture, i, j]
            fresh = True
            for r in range(max(0, -top), min(kernel[0], height - top)):
                for s in range(max(0, -left), min(kernel[1], width - left)):
                    values, tap = maps[picture, top + r, left + s], np.uint8(r * kernel[1] + s)
                    if fresh:
                        for c in range(channels):
                            best[c], place[c] = _ordered(values[c]), tap
                        fresh = False
                        continue
                    for c in range(channels):
                        value = _ordered(values[c])
                        larger = (value > best[c]) | (value != value)
                        best[c] = value if larger else best[c]
                        place[c] = tap if larger else place[c]
            for c in range(channels):
                best[c] = _ordered(best[c])
            if masks:
                for c in range(channels):
                    place[c] = NOWHERE if best[c] == 0 else place[c]


@register_jitable
def _over(place: int, kernel: int, stride: int, count: int) -> Any:
    """Of so many windows in a row, the first that holds a place, margin included, and the first after it that does not."""
    return max(0, (place - kernel) // stride + 1), min(count, place // stride + 1)


@compiled
def unpool(gradient: Array, taps: Array, kernel: Any, stride: Any, padding: Any, result: Array, first: int, last: int) -> None:
    """Rows of the gradient of pooling: each position adds up what the windows give in which it was the largest."""
    height, width, channels = result.shape[1:]
    total = np.empty(channels, np.float32)
    for row in range(first, last):
        picture, y = divmod(row, height)
        down = y + padding[0]
        top, bottom = _over(down, kernel[0], stride[0], gradient.shape[1])
        for x in range(width):
            along = x + padding[1]
            total[:] = 0
            left, right = _over(along, kernel[1], stride[1], gradient.shape[2])
            for i in range(top, bottom):
                for j in range(left, right):
                    given, place = gradient[picture, i, j], taps[picture, i, j]
                    tap = np.uint8((down - i * stride[0]) * kernel[1] + along - j * stride[1])
                    for c in range(channels):
                        value = _widened(given[c])
                        total[c] += value if place[c] == tap else np.float32(0)
            here = result[picture, y, x]
            for c in range(channels):
                here[c] = _narrowed(total[c], here[c])


@compiled
def unaverage(gradient: Array, shares: Array, kernel: Any, stride: Any, padding: Any, result: Array, first: int, last: int) -> None:
    """Rows of the gradient of average pooling, where each window weighs what it gives by its share."""
    height, width, channels = result.shape[1:]
    total = np.empty(channels, np.float32)
    for row in range(first, last):
        picture, y = divmod(row, height)
        down = y + padding[0]
        top, bottom = _over(down, kernel[0], stride[0], gradient.shape[1])
        for x in range(width):
            along = x + padding[1]
            total[:] = 0
            left, right = _over(along, kernel[1], stride[1], gradient.shape[2])
            for i in range(top, bottom):
                for j in range(left, right):
                    given, share = gradient[picture, i, j], shares[i, j]
                    for c in range(channels):
                        total[c] += _widened(given[c]) * share
            here = result[picture, y, x]
            for c in range(channels):
                here[c] = _narrowed(total[c], here[c])


@compiled
def rectify(maps: Array, signs: Array, first: int, last: int) -> None:
    """Eight runs of bfloat16's bits for each row of signs: what is below zero becomes zero, and what is no number stays.

    Bit r of a row is set where run r is not zero then.
    """
    run = signs.shape[1]
    for row in range(first, last):
        bits = signs[row]
        bits[:] = 0
        for r in range(8):
            values = maps[(8 * row + r) * run : (8 * row + r + 1) * run]
            for k in range(len(values)):
                values[k] = values[k] if values[k] > LEAST else np.int16(0)
                bits[k] |= np.uint8(values[k] != 0) << np.uint8(r)


@compiled
def let_through(gradient: Array, signs: Array, result: Array, first: int, last: int) -> None:
    """The gradient of `rectify`: as it is where a bit is set, and zero elsewhere."""
    run = signs.shape[1]
    passes = np.empty(run, np.int16)
    for row in range(first, last):
        bits = signs[row]
        for r in range(8):
            start, end = (8 * row + r) * run, (8 * row + r + 1) * run
            given, found, bit = gradient[start:end], result[start:end], np.uint8(1 << r)
            for k in range(run):
                passes[k] = np.int16(-1) if bits[k] & bit else np.int16(0)
            for k in range(len(given)):  # reads all; choosing what to read takes three times as long where it is in no cache
                found[k] = given[k] & passes[k]


@register_jitable
def _reflected(place: float, side: int) -> float:
    """Where a mirrored picture is read, in pixels from the centre of the first one."""
    along = abs(place + 0.5) % (2 * side)
    inside = min(min(along, 2 * side - along) - 0.5, side - 1.0)
    return inside if inside > 0 else 0.0  # and where it is no number


@compiled
def places(matrix: Array, size: Any, rows: Array, right: Array, down: Array, first: int, last: int) -> None:
    """Where rows of a warped picture are read: the index of the upper left of four pixels, and how far beyond it."""
    height, width = size
    for i in range(first, last):
        y = i - (rows.shape[0] - 1) / 2
        for j in range(rows.shape[1]):
            x = j - (rows.shape[1] - 1) / 2
            depth = matrix[2, 0] * y + matrix[2, 1] * x + matrix[2, 2]
            row = _reflected((matrix[0, 0] * y + matrix[0, 1] * x + matrix[0, 2]) / depth + (height - 1) / 2, height)
            col = _reflected((matrix[1, 0] * y + matrix[1, 1] * x + matrix[1, 2]) / depth + (width - 1) / 2, width)
            above, before = min(int(row), height - 2), min(int(col), width - 2)
            rows[i, j] = above * width + before
            right[i, j], down[i, j] = col - before, row - above


@compiled
def sample(planes: Array, width: int, index: Array, right: Array, down: Array, result: Array, first: int, last: int) -> None:
    """Bilinear samples of planes, of which each row is one."""
    image = np.empty(planes.shape[1], planes.dtype)
    for plane in range(first, last):
        image[:], out = planes[plane], result[plane]  # a copy, read from end to end, lies close when it is read crosswise
        for k in range(len(index)):
            at = index[k]
            above = image[at] + right[k] * (image[at + 1] - image[at])
            below = image[at + width] + right[k] * (image[at + width + 1] - image[at + width])
            out[k] = above + down[k] * (below - above)


@compiled
def scatter(given: Array, width: int, index: Array, right: Array, down: Array, result: Array, first: int, last: int) -> None:
    """The transpose of `sample`: every sample goes back to the four pixels that it was read from."""
    for plane in range(first, last):
        image, out = result[plane], given[plane]
        image[:] = 0
        for k in range(len(index)):
            at = index[k]
            below = out[k] * down[k]
            above = out[k] - below
            image[at] += above - above * right[k]
            image[at + 1] += above * right[k]
            image[at + width] += below - below * right[k]
            image[at + width + 1] += below * right[k]


@compiled
def count(planes: Array, dropped: int, lowest: int, half: int, counts: Array, first: int, last: int) -> None:
    """Add up the bins of float32's bits (n c p) for channels; a bin is what is left of the bits, from `lowest` to so many more."""
    for picture in range(len(planes)):
        for channel in range(first, last):
            bits, own = planes[picture, channel], counts[channel]
            for k in range(len(bits)):
                size = min(max(int((bits[k] & np.uint32(0x7FFFFFFF)) >> np.uint32(dropped)) - lowest, 0), half)
                own[half - size if bits[k] >> np.uint32(31) else half + size] += 1


@compiled
def extremes(maps: Array, sign: Any, values: Array, places: Array, first: int, last: int) -> None:
    """Of pictures (n p c), the largest of each channel times sign, and the first position where it is."""
    for picture in range(first, last):
        largest, place = values[picture], places[picture]
        for c in range(len(largest)):
            largest[c], place[c] = sign * maps[picture, 0, c], 0
        for p in range(1, maps.shape[1]):
            here = maps[picture, p]
            for c in range(len(largest)):
                value = sign * here[c]
                larger = value > largest[c]
                largest[c] = value if larger else largest[c]
                place[c] = p if larger else place[c]
        for c in range(len(largest)):
            largest[c] *= sign
