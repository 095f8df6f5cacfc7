"""What a channel answers over all of the data, from its least to its most: the ends, and even draws from what lies between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.examples import NAMES, Examples, top_examples
from pellucid.data.store import Store

NEAR = 0.05  # of a channel's farther end: nearer to zero counts as around zero
BETWEEN = ("negative", "zero", "positive")
BLOCK = 1 << 24  # activations that are looked at together


@dataclass(frozen=True)
class Bucket:
    """Examples from one part of every channel's spectrum.

    Attributes:
        name: "minimum", "negative", "zero", "positive" or "maximum".
        examples: by value, from the lowest; where a channel has fewer than asked for, the rest are -1 in `images`, NaN in `values`.
        share: of the sampled activations of each channel that lie in the bucket; None for the two ends.
    """

    name: str
    examples: Examples
    share: Float[np.ndarray, " c"] | None = None


def spectrum(store: Store, layer: str, k: int, *, seed: int = 0) -> list[Bucket]:
    """Every channel's spectrum in five buckets: its k lowest pictures, k drawn evenly from each of three between, its k highest.

    The ends are exact, over all positions of all pictures. What lies between is drawn from the store's samples: below, around and
    above zero, "around" being nearer than a twentieth of the end that is farther from it. (Olah et al., "Feature Visualization",
    Distill 2017, "The Spectrum of Dataset Examples".) One pass in memory that does not grow with the pictures.

    Args:
        store: a collection that `TopExamples` observed at both ends.
        layer: one of its layers.
        k: pictures a bucket, at most what was kept.
        seed: of the draws.

    Raises:
        NotFoundError: the layer was not collected, or one of the ends was not observed.
        UsageError: k is less than 1 or more than was kept.
    """
    low, high = (top_examples(store, layer, k, least=least) for least in (True, False))
    near = NEAR * torch.from_numpy(np.maximum(np.abs(low.values[:, 0]), np.abs(high.values[:, 0])))
    drawn, counts = _drawn(store, layer, near, k, seed)
    samples = store.samples()
    middle = [
        Bucket(name, _examples(store, layer, samples, rows), (count / max(1, len(store))).numpy())
        for name, rows, count in zip(BETWEEN, drawn, counts, strict=True)
    ]
    return [Bucket("minimum", low), *middle, Bucket("maximum", Examples(*(each[:, ::-1] for each in _fields(high))))]


def constants(store: Store, layer: str) -> dict[int, float]:
    """The channels that answer the same at every position of every picture, and what; none where an end was not observed.

    Args:
        store: a collection that `TopExamples` observed at both ends.
        layer: one of its layers.

    Raises:
        NotFoundError: the layer was not collected.
    """
    store.layer(layer)
    if not {*NAMES.values()} <= {*store.settings["observers"]}:
        return {}
    low, high = (top_examples(store, layer, 1, least=least).values[:, 0] for least in (True, False))
    return {int(channel): float(high[channel]) for channel in np.flatnonzero(low == high)}


def falls_below_zero(buckets: Sequence[Bucket], channel: int) -> bool:
    """Whether a channel's spectrum has anything below zero, and not only next to it as after a ReLU or a GELU."""
    share = next(each for each in buckets if each.name == "negative").share
    return share is not None and bool(share[channel] > 0)


def _drawn(store: Store, layer: str, near: Float[Tensor, " c"], k: int, seed: int) -> tuple[list[Tensor], Tensor]:
    """Rows of the store, (c k) for each bucket and -1 where there are fewer; and how many there are, (3 c).

    Every row gets a random number, and the k lowest of those in the bucket are kept: a sample without replacement.
    """
    numbers = torch.Generator().manual_seed(seed)
    keys = torch.full((len(BETWEEN), k, len(near)), torch.inf, dtype=torch.float64)
    rows = torch.full_like(keys, -1, dtype=torch.int64)
    counts = torch.zeros(len(BETWEEN), len(near), dtype=torch.int64)
    for start, values in _blocks(store, layer):
        key = torch.rand(len(values), 1, generator=numbers, dtype=torch.float64)
        for bucket, inside in enumerate((values < -near, values.abs() <= near, values > near)):
            counts[bucket] += inside.sum(0)
            candidates = torch.cat([keys[bucket], key.where(inside, torch.inf)])
            order = candidates.topk(k, dim=0, largest=False)
            own = (start + torch.arange(len(values)))[:, None].where(inside, -1)
            keys[bucket], rows[bucket] = order.values, torch.cat([rows[bucket], own]).gather(0, order.indices)
    return [each.T for each in rows], counts


def _blocks(store: Store, layer: str) -> Iterator[tuple[int, Float[Tensor, "n c"]]]:
    vectors = store.vectors(layer)
    step = max(1, BLOCK // store.layer(layer).channels)
    for start in range(0, len(vectors), step):
        yield start, torch.from_numpy(np.asarray(vectors[start : start + step], np.float32))


def _examples(store: Store, layer: str, samples: pa.Table, rows: Tensor) -> Examples:
    """What stands in these rows (c k) of the store, by value."""
    channels = np.arange(len(rows))[:, None]
    found = rows.numpy()
    there, safe = found >= 0, found.clip(min=0)
    used, back = np.unique(safe, return_inverse=True)
    values = np.asarray(store.vectors(layer)[used], np.float32)[back.reshape(safe.shape), channels]
    columns = [samples[name].to_numpy()[safe] for name in ("image", f"row {layer}", f"col {layer}")]
    order = np.where(there, values, np.inf).argsort(1, kind="stable")
    ranked = [np.where(there, each, missing) for each, missing in zip([values, *columns], (np.nan, -1, -1, -1), strict=True)]
    return Examples(*(np.take_along_axis(each, order, 1) for each in ranked))


def _fields(examples: Examples) -> list[np.ndarray]:
    return [examples.values, examples.images, examples.rows, examples.cols]
