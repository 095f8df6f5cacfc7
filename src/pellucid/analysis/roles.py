"""One channel over many pictures: what excites it most, and whether that has a name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from pellucid.analysis.examples import TopExamples
from pellucid.analysis.maps import channel_of, mask, overlay
from pellucid.arrays import to_image, to_picture
from pellucid.data.stream import Stream
from pellucid.errors import UsageError
from pellucid.models.capture import capture, prepared
from pellucid.models.model import Model

BATCH = 16


def gallery(model: Model, unit: str, stream: Stream, *, k: int = 16, share: float = 0.05) -> list[Image.Image]:
    """The k pictures that excite a channel most, from the first, each with the channel's mask over it.

    Args:
        model: the network.
        unit: written `layer:channel`.
        stream: of pictures of the model's size.
        k: at most the number of pictures.
        share: of the pixels that stay bright.

    Raises:
        NotFoundError: no such layer.
        UsageError: the unit is no channel, a number is out of range.
    """
    shown = []
    for index in best_pictures(model, unit, stream, k).tolist():
        image = to_image(stream.picture(index), stream.channels)
        shown.append(to_picture(overlay(image, mask(model, image, unit, share).pixels)))
    return shown


def best_pictures(model: Model, unit: str, stream: Stream, k: int) -> Int[Tensor, " k"]:
    """The indices of the k pictures with the highest activations of a channel, from the first.

    Raises:
        NotFoundError: no such layer.
        UsageError: the unit is no channel, or there are fewer pictures than k that can be read.
    """
    layer, channel = channel_of(model, unit)
    best = TopExamples(k)
    best.start({layer.name: 1})
    with prepared(model), torch.no_grad():
        for samples, images in stream.batches(0, len(stream), batch=BATCH):
            maps = capture(model, images, [layer.name])[layer.name][:, channel, None].float().cpu()
            best.see(torch.tensor([sample.index for sample in samples]), {layer.name: maps})
    found = best.part()[f"{layer.name}/images"][:, 0]
    if len(found) < k:
        raise UsageError(f"k={k}: only {len(found)} pictures of {stream.source!r} can be read")
    return found


@dataclass(frozen=True)
class Role:
    """What a channel looks for, as the labels of its best pictures name it.

    Attributes:
        unit: the channel.
        name: the most frequent label among its best pictures.
        share: of these that have it.
        precision: share of the best held-out pictures that have it.
        chance: share of all held-out pictures that have it.
    """

    unit: str
    name: str
    share: float
    precision: float
    chance: float


def role(model: Model, unit: str, stream: Stream, held_out: Stream, *, k: int = 16) -> Role:
    """Name a channel by the labels of its k best pictures, and test the name on the k best of pictures that had no part in it.

    Args:
        model: the network.
        unit: written `layer:channel`.
        stream: labelled pictures that name it.
        held_out: other labelled pictures, with the same names of labels.
        k: pictures of each, at most as many as there are.

    Raises:
        NotFoundError: no such layer.
        UsageError: the unit is no channel; k is out of range; pictures without labels.
    """
    known, other = _labels(stream), _labels(held_out)
    ((name, count),) = Counter(known[at] for at in best_pictures(model, unit, stream, k).tolist()).most_common(1)
    hits = sum(other[at] == name for at in best_pictures(model, unit, held_out, k).tolist())
    return Role(unit, name, count / k, hits / k, other.count(name) / len(other))


def _labels(stream: Stream) -> list[str]:
    if bare := [sample.name for sample in stream.samples if sample.label is None]:
        raise UsageError(f"{len(bare)} of the {len(stream)} pictures of {stream.source!r} have no label; the first: {bare[0]}")
    return [stream.label_names[sample.label] for sample in stream.samples if sample.label is not None]
