"""How many pictures are optimised at once: as many as help, and as memory holds."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence

import torch

from pellucid.models.model import Model

BATCH = {"cpu": 8, "cuda": 256}  # pictures at once, where memory allows; more do not help
COPIES = 3  # of a layer's output that exist at once: kept for the gradient, the gradient, and what lies between


def natural_batch(model: Model, size: tuple[int, int], depth: int) -> int:
    """How many pictures to optimise at once: as many as help on the device, and as half of the free memory holds.

    Args:
        model: the network.
        size: of the pictures in pixels.
        depth: how many of the model's layers are run through.
    """
    area = size[0] * size[1] / (model.size[0] * model.size[1])
    numbers = sum(layer.channels * layer.height * layer.width for layer in list(model.layers.values())[:depth])
    each = COPIES * 4 * area * max(1, numbers)
    return max(1, min(BATCH.get(model.device.type, 32), int(_free_memory(model.device) / 2 / each)))


def _free_memory(device: torch.device) -> float:
    """Bytes; unbounded where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        return math.inf


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)  # CUDA's, the CPU's


def first(indices: Sequence[int], pictures: Sequence[int], limit: int) -> list[int]:
    """As many of the first jobs as hold at most `limit` pictures together, at least one job."""
    fitting = sum(1 for total in itertools.accumulate(pictures) if total <= limit)
    return list(indices[: max(1, fitting)])
