"""How often each channel gives which activation, counted over all positions of all pictures in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.data.store import Store
from pellucid.errors import UsageError
from pellucid.kernels import tally
from pellucid.kernels.tallying import BINS, edges

NAME = "histograms"


@dataclass(frozen=True)
class Histogram:
    """Counts of the activations of every channel, in bins of equal width relative to their values: eight between v and 2 v.

    Attributes:
        edges: from the lowest to the highest, symmetrical around a bin at 0 that holds what is nearer to it than 2⁻¹⁴; the
            outermost bins hold all that lies beyond.
        counts: bin i lies between edges i and i + 1.
    """

    edges: Float[np.ndarray, " b1"]
    counts: Int[np.ndarray, "c b"]

    def quantile(self, share: float) -> Float[np.ndarray, " c"]:
        """The value below which this share of a channel's activations lie, linear within a bin: at most an eighth of itself off.

        Args:
            share: from 0 to 1.

        Raises:
            UsageError: another share, or nothing was counted.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"share must be from 0 to 1, not {share}")
        below = self.counts.cumsum(1)
        total = below[:, -1]
        if not total.all():
            raise UsageError("no activation was counted: the collection has no pictures that could be read")
        wanted = share * total
        place = (below < wanted[:, None]).sum(1)
        place = np.where(share == 0, (self.counts > 0).argmax(1), place)
        inside = np.take_along_axis(self.counts, place[:, None], 1)[:, 0]
        before = np.take_along_axis(below, place[:, None], 1)[:, 0] - inside
        low, high = self.edges[place], self.edges[place + 1]
        return (low + (high - low) * (wanted - before) / inside).astype(np.float32)

    def bars(self, count: int) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"], Float[np.ndarray, "c n"]]:
        """For people: each channel's counts as so many bars of one width, over its own range, a bin being spread evenly.

        Args:
            count: of bars, from 1.

        Returns:
            Where the first bar begins, where the last one ends, and the share of all activations in each; zeros where nothing
            was counted.

        Raises:
            UsageError: no bars.
        """
        if count < 1:
            raise UsageError(f"count={count}: at least 1 bar is needed")
        used = self.counts > 0
        first, last = used.argmax(1), self.counts.shape[1] - used[:, ::-1].argmax(1)
        low, high = self.edges[first], self.edges[last]
        below = np.pad(self.counts.cumsum(1), ((0, 0), (1, 0))) / np.maximum(self.counts.sum(1, keepdims=True), 1)
        places = np.linspace(low, high, count + 1, axis=1)
        shares = [np.diff(np.interp(place, self.edges, share)) for place, share in zip(places, below, strict=True)]
        nought = self.edges[self.counts.shape[1] // 2 + 1]  # half the width of the bin around zero, which is said as zero
        return np.where(low == -nought, 0, low), np.where(high == nought, 0, high), np.stack(shares)


@dataclass
class Histograms:
    """Counts the activations of every channel of a collection; what is kept does not grow with the pictures."""

    name: str = field(default=NAME, init=False, repr=False)
    _counts: dict[str, Int[np.ndarray, "c b"]] = field(default_factory=dict, init=False, repr=False)

    def start(self, layers: Mapping[str, int]) -> None:
        self._counts = {name: np.zeros((channels, BINS), np.int64) for name, channels in layers.items()}

    def see(self, ids: Int[Tensor, " n"], maps: Mapping[str, Float[Tensor, "n c h w"]]) -> None:
        for name, map in maps.items():
            tally(map, self._counts[name])

    def part(self) -> dict[str, Tensor]:
        found = {}
        for name, counts in self._counts.items():
            used = np.flatnonzero(counts.sum(0))
            first, last = (used[0], used[-1] + 1) if len(used) else (0, 0)
            found |= {f"{name}/first": torch.tensor(first), f"{name}/counts": torch.from_numpy(counts[:, first:last].copy())}
        return found


def histogram(store: Store, layer: str) -> Histogram:
    """The counts of a layer, added up over the parts of a collection that `Histograms` observed.

    Args:
        store: the collection.
        layer: one of its layers.

    Raises:
        NotFoundError: the layer was not collected, or histograms were not observed.
    """
    counts = np.zeros((store.layer(layer).channels, BINS), np.int64)
    for part in store.extras(NAME):
        first, found = int(part[f"{layer}/first"]), part[f"{layer}/counts"]
        counts[:, first : first + found.shape[1]] += found
    return Histogram(edges(), counts)
