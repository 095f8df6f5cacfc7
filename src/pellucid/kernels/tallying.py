"""Numbers counted into bins of equal relative width, which are read off their bits."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.kernels.threads import compiled, spread

FINE = 3  # bits of the mantissa that tell bins apart: eight bins between v and 2 v
DROPPED = 23 - FINE
LOWEST = ((127 - 14) << FINE) - 1  # of float32's bits without those dropped: below lies what counts as zero
HALF = 255  # bins on each side of zero
BINS = 2 * HALF + 1


def tally(maps: Float[Tensor, "n c h w"], counts: Int[np.ndarray, "c b"]) -> None:
    """Add to the counts of each channel how many of its activations lie in which bin; what is no number counts as the largest.

    Args:
        maps: on any device.
        counts: of int64, with `BINS` columns; changed in place.

    >>> counts = np.zeros((1, BINS), np.int64)
    >>> tally(torch.tensor([0.0, 1.0, 1.1, 2.0]).reshape(1, 1, 2, 2), counts)
    >>> counts[0, counts[0] > 0].tolist(), edges()[:-1][counts[0] > 0].tolist()
    ([1, 2, 1], [-6.103515625e-05, 1.0, 2.0])
    """
    plain = maps.detach().float().contiguous()
    if plain.device.type == "cpu" and compiled():
        planes = plain.flatten(2).numpy().view(np.uint32)
        spread(lambda first, last: compiled().count(planes, DROPPED, LOWEST, HALF, counts, first, last), len(counts))
    else:
        counts += _counted(plain.flatten(2).transpose(0, 1).flatten(1)).cpu().numpy()


def _counted(values: Float[Tensor, "c n"]) -> Int[Tensor, "c b"]:
    """The same by torch's own operators."""
    size = ((values.abs().view(torch.int32) >> DROPPED) - LOWEST).clamp(0, HALF)
    place = HALF + torch.where(values < 0, -size, size).long()
    offsets = torch.arange(len(values), device=values.device)[:, None] * BINS
    return torch.bincount((place + offsets).flatten(), minlength=len(values) * BINS).view(-1, BINS)


def edges() -> Float[np.ndarray, " b1"]:
    """Where the bins begin and end, `BINS + 1` of them.

    >>> edges()[HALF : HALF + 2].tolist()
    [-6.103515625e-05, 6.103515625e-05]
    """
    upper = ((np.arange(HALF + 1, dtype=np.uint32) + LOWEST + 1) << DROPPED).view(np.float32)
    return np.concatenate([-upper[::-1], upper])
