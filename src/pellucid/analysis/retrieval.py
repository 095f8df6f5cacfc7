"""How often what a search finds has the label of what was asked: by a layer's means, by pixels, by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from pellucid.analysis.index import Index
from pellucid.analysis.queries import check_network
from pellucid.analysis.search import means
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Model

SIDE = 32  # pixels of the pictures that are compared as they are


@dataclass(frozen=True)
class Agreement:
    """Of what is found nearest, the share with the label of what was asked: by a layer's means, by pixels, by chance."""

    features: float
    pixels: float
    chance: float


def agreement(
    store: Store, layer: str, model: Model, stream: Stream, *, k: int = 5, shift: int = 8, batch: int = 16
) -> dict[str, Agreement]:
    """Search by every labelled picture of a collection, as it is, shifted and mirrored; the picture itself does not count.

    Features are compared by the cosine of a layer's mean maps, pictures of 32 x 32 pixels by their Euclidean distance.

    Args:
        store: the collection.
        layer: one of its layers.
        model: its network.
        stream: its pictures; their labels count.
        k: neighbours of each.
        shift: pixels down and to the right, at whose edge the border is repeated.
        batch: pictures that go through the network together.

    Returns:
        Agreement by "same", "shifted" and "mirrored".

    Raises:
        NotFoundError: the layer was not collected.
        UsageError: another network; fewer than two labels; k is not below the number of pictures.
    """
    check_network(store, model)
    variations: dict[str, Callable[[Tensor], Tensor]] = {
        "same": lambda images: images,
        "shifted": lambda images: F.pad(images, (shift, 0, shift, 0), mode="replicate")[..., : images.shape[2], : images.shape[3]],
        "mirrored": lambda images: images.flip(3),
    }
    features, small, images = {name: [] for name in variations}, {name: [] for name in variations}, []
    for samples, pictures in stream.batches(0, len(stream), batch=batch):
        images += [sample.index for sample in samples]
        for name, vary in variations.items():
            varied = vary(pictures)
            with torch.no_grad():
                features[name].append(capture(model, varied.to(model.device), [layer])[layer].float().mean((2, 3)).cpu())
            small[name].append(pixels(varied))
    labels = np.array([-1 if (label := stream.samples[image].label) is None else label for image in images])
    if len(np.unique(labels[labels >= 0])) < 2:
        raise UsageError("agreement needs pictures of two labels at least")
    known = means(store, layer)
    if len(known) != len(images):
        raise UsageError(
            f"the store {str(store.folder)!r} has {len(known)} pictures, the stream {len(images)}: give the store's own"
        )
    by_layer = Index.build(known, approximate=False)
    by_pixels = Index.build(torch.cat(small["same"]), metric="euclidean", approximate=False)
    chance = _chance(labels)
    return {
        name: Agreement(
            _share(by_layer, torch.cat(features[name]), labels, k), _share(by_pixels, torch.cat(small[name]), labels, k), chance
        )
        for name in variations
    }


def pixels(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n _"]:
    """Pictures of 32 x 32 pixels as rows: what a search without a network compares.

    >>> pixels(torch.ones(2, 3, 48, 64)).shape
    torch.Size([2, 3072])
    """
    return F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False).flatten(1)


def _share(index: Index, queries: Float[Tensor, "n c"], labels: Int[np.ndarray, " n"], k: int) -> float:
    rows, _ = index.query(queries, k + 1)
    own = rows == np.arange(len(rows))[:, None]
    own[:, -1] |= ~own.any(1)
    found = rows[~own].reshape(len(rows), k)
    asked = labels >= 0
    return float((labels[found] == labels[:, None])[asked].mean())


def _chance(labels: Int[np.ndarray, " n"]) -> float:
    """The share of the other pictures that have a picture's label, in the mean over the pictures."""
    known = labels[labels >= 0]
    return float((np.bincount(known)[known] - 1).mean() / (len(labels) - 1))
