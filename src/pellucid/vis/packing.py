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
HEAVY = 100_000  # weights of a layer, in the mean: from there on fewer pictures at once take a CPU hardly any longer (3 %)
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


def natural_portion(model: Model, size: tuple[int, int]) -> int | None:
    """How many of a batch's pictures go through the network at once: on a CPU half of its `natural_batch` where layers are large.

    What the network keeps for the gradient is most of the memory that a step needs. None for all of the batch.

    >>> import pellucid.models as models
    >>> natural_portion(models.load("terrarium"), (96, 96)) is None
    True
    """
    weights = [each.numel() for each in model.network.parameters() if each.ndim > 1]
    if model.device.type != "cpu" or sum(weights) < HEAVY * len(weights):
        return None
    return max(4, min(16, PIXELS // 2 // (size[0] * size[1])))


def _memory(device: torch.device) -> float:
    """Bytes: what is free on an accelerator; all of a machine's, so that the same call makes the same batches and bits."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on every system
        return math.inf


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out: CUDA's, numpy's or torch's on a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def first(indices: Sequence[int], pictures: Sequence[int], limit: int) -> list[int]:
    """As many of the first jobs as hold at most `limit` pictures together, at least one job."""
    fitting = sum(1 for total in itertools.accumulate(pictures) if total <= limit)
    return list(indices[: max(1, fitting)])


def portions(pictures: Sequence[int], limit: int | None) -> list[slice]:
    """Jobs with so many pictures each, in runs of neighbours that hold at most `limit` pictures together, or are a single job.

    >>> portions([1, 1, 1, 5, 1], 2), portions([1, 1], None)
    ([slice(0, 2, None), slice(2, 3, None), slice(3, 4, None), slice(4, 5, None)], [slice(0, 2, None)])
    """
    rest, runs = list(range(len(pictures))), []
    while rest:
        run = rest if limit is None else first(rest, [pictures[index] for index in rest], limit)
        runs.append(slice(run[0], run[-1] + 1))
        rest = rest[len(run) :]
    return runs
