"""The largest activation of each channel and where it is, in one pass."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.kernels.threads import compiled, spread


def extremes(maps: Float[Tensor, "n c h w"], *, least: bool = False) -> tuple[Float[Tensor, "n c"], Int[Tensor, "n c"]]:
    """The largest of each map, in float32, and the first position in reading order where it is.

    Args:
        maps: finite, with one position at least.
        least: whether to look for the smallest instead.

    >>> values, places = extremes(torch.tensor([[[[1.0, 3.0], [3.0, 0.0]]]]))
    >>> values.item(), places.item()
    (3.0, 1)
    """
    rows = maps.detach().float().permute(0, 2, 3, 1).flatten(1, 2)  # n p c
    if rows.device.type == "cpu" and rows.is_contiguous() and compiled():
        values, places = rows.new_empty(len(rows), rows.shape[2]), torch.empty(len(rows), rows.shape[2], dtype=torch.int32)
        sign = values.new_tensor(-1 if least else 1).numpy()[()]
        arrays = rows.numpy(), sign, values.numpy(), places.numpy()
        spread(lambda first, last: compiled().extremes(*arrays, first, last), len(rows))
        return values, places.long()
    found = rows.min(1) if least else rows.max(1)
    return found.values, found.indices
