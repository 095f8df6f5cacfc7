"""Network Dissection: which units are detectors of something that has a name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.concepts import Concepts
from pellucid.analysis.overlap import Highest, Overlap
from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import capture, prepared
from pellucid.models.model import Layer, Model
from pellucid.models.untrained import untrained
from pellucid.vis.recipes.directions import bootstrap, rotated

SHARE = 0.005  # of a unit's activations, the highest, that count as its answer
LIMIT = 0.04  # intersection over union above which a unit is a detector
BATCH = 16

Read = Callable[[Float[Tensor, "n _ h w"]], list[Float[Tensor, "n c h w"]]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Dissection:
    """How well the units of a layer agree with concepts.

    Attributes:
        layer: where the units are.
        concepts: their names.
        pictures: how many were looked at.
        limit: IoU above which a unit is a detector.
        thresholds: of each unit; infinite where it gives the same everywhere and says nothing.
        shares: of each unit's activations that reach its threshold, counted before they are upsampled.
        iou: of each unit with each concept over all pictures.
    """

    layer: str
    concepts: tuple[str, ...]
    pictures: int
    limit: float
    thresholds: Float[Tensor, " c"] = field(repr=False)
    shares: Float[Tensor, " c"] = field(repr=False)
    iou: Float[Tensor, "c k"] = field(repr=False)

    @property
    def scores(self) -> Float[Tensor, " c"]:
        """The IoU of each unit with its best concept."""
        return self.iou.amax(1)

    @property
    def best(self) -> tuple[str | None, ...]:
        """The best concept of each unit, None where it meets none."""
        places = self.iou.argmax(1).tolist()
        return tuple(self.concepts[at] if score > 0 else None for at, score in zip(places, self.scores.tolist(), strict=True))

    @property
    def detectors(self) -> tuple[int, ...]:
        """The units that are detectors."""
        return tuple((self.scores > self.limit).nonzero().flatten().tolist())

    @property
    def unique(self) -> tuple[str, ...]:
        """The concepts that have a detector: how many measures how much of a layer can be named."""
        best = self.best
        found = {best[unit] for unit in self.detectors}
        return tuple(name for name in self.concepts if name in found)

    @property
    def constant(self) -> tuple[int, ...]:
        """The units that give the same everywhere."""
        return tuple(self.thresholds.isinf().nonzero().flatten().tolist())

    def facts(self) -> dict[str, Any]:
        """What was found, ready for JSON."""
        rows = zip(self.best, self.scores.tolist(), self.thresholds.tolist(), self.shares.tolist(), strict=True)
        return {
            "layer": self.layer,
            "pictures": self.pictures,
            "concepts": len(self.concepts),
            "limit": self.limit,
            "detectors": len(self.detectors),
            "unique": list(self.unique),
            "units": [
                {
                    "unit": unit,
                    "concept": concept,
                    "iou": iou,
                    "threshold": None if math.isinf(threshold) else threshold,
                    "share": share,
                }
                for unit, (concept, iou, threshold, share) in enumerate(rows)
            ],
        }


@dataclass(frozen=True)
class Comparison:
    """A layer's units beside as many random directions of it, and beside the units of the same network before it learned.

    Attributes:
        channels: the units themselves.
        rotated: the layer in random orthogonal bases, one each.
        untrained: the same layer with random weights.
        intervals: in which the channels' mean score less that of the others lies with 95 % confidence (bootstrap).
    """

    channels: Dissection
    rotated: tuple[Dissection, ...]
    untrained: Dissection
    intervals: dict[str, tuple[float, float]]

    def facts(self) -> dict[str, Any]:
        """What was found, ready for JSON."""
        return {
            "channels": self.channels.facts(),
            "rotated": [each.facts() for each in self.rotated],
            "untrained": self.untrained.facts(),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
        }


def dissect(
    model: Model, layer: str, concepts: Concepts, *, share: float = SHARE, limit: float = LIMIT, progress: Progress | None = None
) -> Dissection:
    """Compare where each unit of a layer answers most with where pictures show each concept.

    Network Dissection (Bau et al. 2017, arXiv:1704.05796, section 2): a unit's threshold is reached by the top share of its
    activations over all positions of all pictures; its map, upsampled bilinearly between the centres of its receptive fields,
    is compared with that; the intersection over union of what it selects with a concept's masks is that of all pictures
    together. The pictures are read twice, and what is kept does not grow with them. Thresholds are exact up to 2¹⁴ / share
    positions (3.3 million); of more, as many are drawn, which puts the share off by about 1 / √2¹⁴, 0.8 % of itself. A unit
    that rises above its lowest activation at fewer positions than the share answers at all of those.

    Args:
        model: the network.
        layer: one of its layers.
        concepts: of the model's size and channels.
        share: of a unit's activations that count as its answer, above 0 and below 1.
        limit: IoU above which a unit is a detector.
        progress: called with (pictures done, pictures), each picture counted twice.

    Raises:
        NotFoundError: no such layer.
        UsageError: pictures of another size than the model's; a share out of range; what `Concepts` says of its masks.
        PellucidError: no picture can be read, or an activation is not finite.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.analysis.concepts import terrarium_concepts
        >>> model = models.load("terrarium")
        >>> found = dissect(model, "mixed4b", terrarium_concepts(18, size=model.size))
        >>> found.iou.shape
        torch.Size([192, 89])
    """
    _check(model, concepts, share)
    place = model.layer(layer)
    return _dissected(lambda images: [_answers(model, layer, images)], [model], place, concepts, share, limit, progress)[0]


def dissection(
    model: Model,
    layer: str,
    concepts: Concepts,
    *,
    share: float = SHARE,
    limit: float = LIMIT,
    rotations: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Dissect a layer, the same layer in random orthogonal bases, and that of the network with random weights.

    If concepts lie along the units and not just anywhere in the layer, its rotations have fewer unique detectors; if they were
    learned, the untrained network has (Bau et al. 2017, section 3.2).

    Args:
        model: the network.
        layer: one of its layers.
        concepts: of the model's size and channels.
        share: of a unit's activations that count as its answer, above 0 and below 1.
        limit: IoU above which a unit is a detector.
        rotations: how many bases, at least 1.
        seed: of the rotations, of the random weights and of the bootstrap.
        progress: called with (pictures done, pictures), each picture counted twice.

    Raises:
        NotFoundError: no such layer.
        UsageError: pictures of another size than the model's; a number out of range; what `Concepts` says of its masks.
        PellucidError: no picture can be read, or an activation is not finite.
    """
    _check(model, concepts, share)
    if rotations < 1:
        raise UsageError(f"rotations={rotations}: at least 1 is needed")
    place, generator, blank = model.layer(layer), torch.Generator().manual_seed(seed), untrained(model, seed=seed)
    bases = rotated(place.channels, rotations * place.channels, generator).split(place.channels)

    def read(images: Tensor) -> list[Tensor]:
        maps = _answers(model, layer, images)
        return [maps, *(torch.einsum("nchw,kc->nkhw", maps, basis) for basis in bases), _answers(blank, layer, images)]

    channels, *turned, random = _dissected(read, [model, blank], place, concepts, share, limit, progress)
    others = {"rotated": torch.cat([each.scores for each in turned]), "untrained": random.scores}
    intervals = {name: bootstrap(channels.scores, scores, generator) for name, scores in others.items()}
    return Comparison(channels, tuple(turned), random, intervals)


def _check(model: Model, concepts: Concepts, share: float) -> None:
    stream = concepts.stream
    if (stream.channels, *stream.size) != (model.channels, *model.size):
        raise UsageError(
            f"the concepts' pictures are {stream.channels} x {stream.size}, the model takes {model.channels} x {model.size}: "
            "make the concepts with size=model.size, channels=model.channels"
        )
    if not 0 < share < 1:
        raise UsageError(f"share={share}: must lie between 0 and 1")


def _answers(model: Model, layer: str, images: Float[Tensor, "n _ h w"]) -> Float[Tensor, "n c p q"]:
    with torch.no_grad():
        maps = capture(model, images.to(model.device), [layer])[layer].float().cpu()
    if not maps.isfinite().all():
        raise PellucidError(f"layer {layer!r} of {model.name} gives NaN or infinite values")
    return maps


def _dissected(
    read: Read, models: Sequence[Model], layer: Layer, concepts: Concepts, share: float, limit: float, progress: Progress | None
) -> list[Dissection]:
    """Both passes, for all of the bases that `read` gives at once."""
    stream, said = concepts.stream, (lambda done, total: None) if progress is None else progress
    count, tops, overlaps = len(stream), [], []
    with prepared(models[0]), prepared(models[-1]):
        for samples, images in stream.batches(0, count, batch=BATCH):
            bases = read(images)
            tops = tops if tops else [Highest(share, count * maps[0, 0].numel()) for maps in bases]
            for top, maps in zip(tops, bases, strict=True):
                top.see(maps)
            said(samples[-1].index + 1, 2 * count)
        if not tops:
            raise PellucidError(f"no picture of {stream.source!r} can be read; the first: {stream.skipped[0][1]}")
        overlaps = [Overlap(top.thresholds(), layer, len(concepts.names)) for top in tops]
        for samples, images in stream.batches(0, count, batch=BATCH):
            masks = [concepts.masks(sample.index) for sample in samples]
            for overlap, maps in zip(overlaps, read(images), strict=True):
                overlap.see(maps, masks)
            said(count + samples[-1].index + 1, 2 * count)
    return [
        Dissection(layer.name, concepts.names, count - len(stream.broken), limit, each.thresholds, each.shares(), each.iou())
        for each in overlaps
    ]
