"""Arrays as a viewer reads them: a byte a number."""

from __future__ import annotations

import base64

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.explain.cells import Cells
from pellucid.models import Layer
from pellucid.schema import Packed

LEVELS = 127  # on each side of zero


def packed(values: Float[Tensor, "n ..."]) -> Packed:
    """Numbers by their share of the largest absolute value among those of the same place on the first axis.

    >>> packed(torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    Packed(shape=[2, 2], scales=[2.0, 0.0], bytes='QIEAAA==')
    """
    rows = values.detach().float().cpu().flatten(1)
    scales = rows.abs().amax(1, keepdim=True)
    shares = torch.where(scales > 0, rows / scales, 0.0) * LEVELS
    data = base64.b64encode(shares.round().to(torch.int8).numpy().tobytes()).decode("ascii")
    return Packed(list(values.shape), [short(each) for each in scales.flatten().tolist()], data)


def short(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def shorts(values: Tensor) -> list[float]:
    return [short(each) for each in values.flatten().tolist()]


def box_of(layer: Layer, cells: Cells, size: tuple[int, int]) -> list[float]:
    """Where the cells of a layer lie: top, left, bottom, right as fractions of a picture of (height, width).

    Each position is the middle of what it sees; where that is not known, positions lie evenly.

    >>> box_of(Layer("a", "Conv2d", 1, 4, 4, None), Cells(4, 4, 2), (8, 8))
    [0.0, 0.0, 1.0, 1.0]
    """
    field = layer.receptive_field
    ends = []
    for axis, (count, length) in enumerate(zip((cells.height, cells.width), size, strict=True)):
        stride = length / count if field is None else field.stride[axis]
        first = 0.0 if field is None else field.offset[axis] - stride / 2
        ends.append((first / length, (first + (cells.rows, cells.cols)[axis] * cells.side * stride) / length))
    (top, bottom), (left, right) = ends
    return [short(each) for each in (top, left, bottom, right)]
