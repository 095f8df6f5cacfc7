"""How many pictures are optimised at once: as many as help, and as memory holds."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence

import torch

from pellucid.models.model import Model

BATCH = 256  # pictures at once on an accelerator, where memory allows
PIXELS = 400_000  # at once on a CPU, between 8 and 32 pictures: more do not stay in its caches
COPIES = 3  # of a layer's output that exist at once: kept for the gradient, the gradient, and what lies between


def natural_batch(model: Model, size: tuple[int, int], depth: int) -> int:
    """How many pictures to optimise at once: as many as help on the device, and as half of its memory holds.

    Args:
        model: the network.
        size: of the pictures in pixels.
        depth: how many of the model's layers are run through.
    """
    helpful = max(8, min(32, PIXELS // (size[0] * size[1]))) if model.device.type == "cpu" else BATCH
    area = size[0] * size[1] / (model.size[0] * model.size[1])
    numbers = sum(layer.channels * layer.height * layer.width for layer in list(model.layers.values())[:depth])
    held = _memory(model.device) / 2 / (COPIES * 4 * area * max(1, numbers))
    return max(1, int(min(helpful, held)))


def _memory(device: torch.device) -> float:
    """Bytes: what is free on an accelerator; all of a machine's, so that the same call makes the same batches and bits."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        return math.inf


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)  # CUDA's, the CPU's


def first(indices: Sequence[int], pictures: Sequence[int], limit: int) -> list[int]:
    """As many of the first jobs as hold at most `limit` pictures together, at least one job."""
    fitting = sum(1 for total in itertools.accumulate(pictures) if total <= limit)
    return list(indices[: max(1, fitting)])
