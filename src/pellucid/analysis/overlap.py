"""Where the thresholds of units lie, and how far what reaches them and what is labelled agree; counted picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.concepts import Masks
from pellucid.analysis.maps import upsample
from pellucid.models.model import Layer

KEPT = 1 << 14  # activations of each unit that its threshold is found among
BLOCK = 1 << 22  # pixels of upsampled maps that are looked at together
ROUNDING = 1e-6  # of a threshold: interpolation between two equal numbers may fall short of them


@dataclass
class Highest:
    """The highest activations of every unit, among which its threshold is found.

    Args:
        share: of the activations that shall reach the threshold.
        positions: how many will come, of each unit.
    """

    share: float
    positions: int
    _kept: Float[Tensor, "c m"] | None = field(default=None, init=False, repr=False)
    _lowest: Float[Tensor, " c"] | None = field(default=None, init=False, repr=False)
    _seen: int = field(default=0, init=False, repr=False)
    _numbers: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0), init=False, repr=False)

    def see(self, maps: Float[Tensor, "n c h w"]) -> None:
        values = maps.transpose(0, 1).flatten(1)
        lowest = values.amin(1)
        self._lowest = lowest if self._lowest is None else torch.minimum(self._lowest, lowest)
        if (drawn := KEPT / (self.share * self.positions)) < 1:
            values = values[:, torch.rand(values.shape[1], generator=self._numbers) < drawn]
        self._seen += values.shape[1]
        joined = values if self._kept is None else torch.cat([self._kept, values], 1)
        room = min(KEPT, int(self.share * self.positions) + 1, joined.shape[1])
        self._kept = joined.topk(room, dim=1).values

    def thresholds(self) -> Float[Tensor, " c"]:
        """What the highest share of each unit's activations reach.

        The least that is above its lowest where fewer are; infinite where none is.
        """
        assert self._kept is not None and self._lowest is not None
        rank = min(max(1, int(self.share * self._seen)), self._kept.shape[1])
        reached, floor = self._kept[:, rank - 1], self._lowest
        rare = self._kept.where(self._kept > floor[:, None], torch.inf).amin(1)
        return torch.where(reached > floor, reached, rare)


@dataclass
class Overlap:
    """Counts, over all pictures, the pixels that units select, that concepts cover, and both.

    Args:
        thresholds: of the units.
        layer: whose receptive fields say where a position of the maps lies.
        concepts: how many there are.
    """

    thresholds: Float[Tensor, " c"]
    layer: Layer
    concepts: int

    def __post_init__(self) -> None:
        units = len(self.thresholds)
        self._both = torch.zeros(units, self.concepts, dtype=torch.float64)
        self._units, self._shown = self._both.sum(1), self._both.sum(0)
        self._reached, self._positions = torch.zeros(units, dtype=torch.int64), 0
        self._limits = self.thresholds * (1 - ROUNDING * self.thresholds.sign())

    def see(self, maps: Float[Tensor, "n c h w"], masks: Sequence[Masks]) -> None:
        self._reached += (maps >= self.thresholds[:, None, None]).sum((0, 2, 3))
        self._positions += maps[:, 0].numel()
        for map, (numbers, where) in zip(maps, masks, strict=True):
            self._add(map, numbers, where.flatten(1).float(), (where.shape[1], where.shape[2]))

    def _add(
        self, map: Float[Tensor, "c h w"], numbers: Int[Tensor, " m"], covered: Float[Tensor, "m p"], size: tuple[int, int]
    ) -> None:
        self._shown[numbers] += covered.sum(1)
        # no pixel of an upsampled map is above its highest position, so most units need not be looked at
        answering = (map.amax((1, 2)) >= self._limits).nonzero().flatten()
        for units in answering.split(max(1, BLOCK // (size[0] * size[1]))):
            chosen = (upsample(map[units], self.layer, size) >= self._limits[units, None, None]).flatten(1).float()
            self._units[units] += chosen.sum(1)
            self._both[units[:, None], numbers] += (chosen @ covered.T).double()  # each of these counts is exact in float32

    def shares(self) -> Float[Tensor, " c"]:
        return self._reached.float() / self._positions

    def iou(self) -> Float[Tensor, "c k"]:
        union = self._units[:, None] + self._shown - self._both
        return (self._both / union.clamp_min(1)).float()
