"""The pictures that excite each channel most, or least, found in one pass, and the patch of each that the network saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.data.store import Store
from pellucid.errors import UsageError
from pellucid.kernels import extremes
from pellucid.models.model import Layer

NAMES = {False: "examples", True: "least"}  # of what is kept, by whether it is the least
FIELDS = ("values", "images", "rows", "cols")


@dataclass(frozen=True)
class Examples:
    """For each channel, from its end: the value, the picture's id, and where in the map it was reached.

    As many columns as were asked for, or as there are pictures.
    """

    values: Float[np.ndarray, "c k"]
    images: Int[np.ndarray, "c k"]
    rows: Int[np.ndarray, "c k"]
    cols: Int[np.ndarray, "c k"]


@dataclass
class TopExamples:
    """Keeps the k pictures that excite each channel most, each by the maximum of its map; memory does not grow with the pictures.

    Of equal values the picture of lower id wins, and within a picture the first position in reading order.

    Args:
        k: examples for each channel, at least 1.
        least: whether to keep those that excite it least instead, each by the minimum of its map.
        several: whether a picture may come several times, each of its positions counting for itself.

    Raises:
        UsageError: k is less than 1.
    """

    k: int = 16
    least: bool = False
    several: bool = False
    _best: dict[str, list[Tensor]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k={self.k}: at least 1 example is needed")

    @property
    def name(self) -> str:
        return NAMES[self.least]

    def start(self, layers: Mapping[str, int]) -> None:
        self._best = {
            name: [torch.empty(0, channels), *(torch.empty(0, channels, dtype=torch.int64) for _ in FIELDS[1:])]
            for name, channels in layers.items()
        }

    def see(self, ids: Int[Tensor, " n"], maps: Mapping[str, Float[Tensor, "n c h w"]]) -> None:
        merge = self._merge_positions if self.several else self._merge
        for name, map in maps.items():
            self._best[name] = merge([each.to(map.device) for each in self._best[name]], ids, map)

    def part(self) -> dict[str, Tensor]:
        found = {f"{name}/{key}": value for name, best in self._best.items() for key, value in zip(FIELDS, best, strict=True)}
        return {"k": torch.tensor(self.k), **found}

    def _merge(self, best: list[Tensor], ids: Int[Tensor, " n"], map: Float[Tensor, "n c h w"]) -> list[Tensor]:
        values, places = extremes(map, least=self.least)
        came = values, ids[:, None].expand_as(places), places // map.shape[3], places % map.shape[3]
        both = [torch.cat(pair) for pair in zip(best, came, strict=True)]
        order = _order(both[0], self.least)[: self.k]
        return [each.gather(0, order) for each in both]

    def _merge_positions(self, best: list[Tensor], ids: Int[Tensor, " n"], map: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Picture by picture; only of the channels of which it may be among the best."""
        ends, _ = extremes(map, least=self.least)
        for image, answers, end in zip(ids, map.flatten(2).float(), ends, strict=True):
            last = best[0][-1] if len(best[0]) == self.k else torch.full_like(end, torch.inf if self.least else -torch.inf)
            reached = (end < last if self.least else end > last).nonzero().flatten()
            kept = min(self.k, len(best[0]) + answers.shape[1])
            places = torch.arange(answers.shape[1], device=map.device)[:, None].expand(-1, len(reached))
            came = answers[reached].T, image.expand_as(places), places // map.shape[3], places % map.shape[3]
            both = [torch.cat([old[:, reached], new]) for old, new in zip(best, came, strict=True)]
            order = _order(both[0], self.least)[:kept]
            best = [_grown(old, kept).index_copy(1, reached, new.gather(0, order)) for old, new in zip(best, both, strict=True)]
        return best


def _grown(rows: Tensor, count: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(count - len(rows), rows.shape[1])])


def _order(values: Float[Tensor, "n c"], least: bool) -> Int[Tensor, "n c"]:
    """From the highest, or the lowest; equal values stay in the order in which their pictures came, which is that of their ids."""
    return values.sort(dim=0, descending=not least, stable=True).indices


def top_examples(store: Store, layer: str, k: int, *, least: bool = False) -> Examples:
    """The k best pictures of every channel, merged from what `TopExamples` kept of each part.

    Args:
        store: a collection that `TopExamples` observed.
        layer: one of its layers.
        k: examples for each channel, at most what was kept.
        least: whether to give those that excite it least, which `TopExamples(least=True)` kept.

    Raises:
        NotFoundError: the layer was not collected, or examples were not observed.
        UsageError: k is less than 1 or more than was kept.
    """
    store.layer(layer)
    parts = store.extras(NAMES[least])
    kept = int(parts[0]["k"])
    if not 1 <= k <= kept:
        raise UsageError(
            f"k={k}: the store {str(store.folder)!r} kept 1 to {kept} examples for each channel; collect more, as "
            f"`pellucid collect … --examples {max(k, 1)}` does"
        )
    values, images, rows, cols = (torch.from_numpy(np.concatenate([part[f"{layer}/{key}"] for part in parts])) for key in FIELDS)
    order = _order(values, least)[:k]
    return Examples(*(each.gather(0, order).T.numpy() for each in (values, images, rows, cols)))


def crop_box(layer: Layer, row: int, col: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a picture that a position of a layer sees: (top, left, bottom, right) in pixels, half-open.

    Args:
        layer: from the model; the whole picture where it knows no receptive field.
        row: of the layer's map.
        col: of the layer's map.
        size: (height, width) of the picture.
    """
    if layer.receptive_field is None:
        return 0, 0, *size
    top, left, bottom, right = layer.receptive_field.box(row, col)
    return max(top, 0), max(left, 0), min(bottom, size[0]), min(right, size[1])
