"""What one searches with: the mean of a picture, of a part of it, or of what excites a unit."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.inputs import check_images
from pellucid.data.store import Store
from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Layer, Model

STRONGEST = 16  # samples that stand for a unit
BLOCK = 1 << 14  # samples that are read together

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels, half-open


def picture_vector(model: Model, layer: str, image: Float[Tensor, "c h w"], box: Box | None = None) -> Float[Tensor, " c"]:
    """What a layer answers to a picture, or to a part of it, in the mean.

    Args:
        model: the network that the store was collected with.
        layer: one of its layers.
        image: in [0, 1], of the size that the model takes.
        box: (top, left, bottom, right) in pixels of the image, half-open; the positions count whose receptive fields have their
            centres in it, or the one nearest to its middle where there is none. None for all positions.

    Raises:
        NotFoundError: no such layer.
        UsageError: the box is empty or reaches out of the image, or it is no picture of the model's.

    Example:
        >>> import pellucid.models as models
        >>> picture_vector(models.load("terrarium"), "mixed4a", torch.rand(3, 96, 96), (0, 0, 48, 48)).shape
        torch.Size([160])
    """
    check_images(model, image[None])
    with torch.no_grad():
        map = capture(model, image[None], [layer])[layer][0].float().cpu()
    if box is None:
        return map.mean((1, 2))
    top, left, bottom, right = box
    height, width = image.shape[1:]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise UsageError(f"box={box}: top < bottom and left < right within the picture's {height} x {width} pixels are needed")
    rows, cols = centres(model.layer(layer), (height, width), (map.shape[1], map.shape[2]))
    return map[:, _between(rows, top, bottom)][:, :, _between(cols, left, right)].mean((1, 2))


def centres(layer: Layer, size: tuple[int, int], grid: tuple[int, int]) -> list[Float[Tensor, " _"]]:
    """Where the receptive fields of a map's rows and of its columns have their centres, in pixels; spread evenly where not known.

    Args:
        layer: from the model.
        size: (height, width) of the picture.
        grid: rows and columns of the map.
    """
    known = layer.receptive_field
    offsets = [side / count / 2 for side, count in zip(size, grid, strict=True)] if known is None else known.offset
    strides = [side / count for side, count in zip(size, grid, strict=True)] if known is None else known.stride
    return [offset + step * torch.arange(count) for offset, step, count in zip(offsets, strides, grid, strict=True)]


def unit_vector(store: Store, layer: str, channel: int) -> Float[Tensor, " c"]:
    """What a layer answers, in the mean, at the 16 sampled positions that excite a channel most.

    The channel's own axis would not do: nearest to it by cosine are places where next to nothing is answered, and that little by
    the channel. On a layer of SqueezeNet what is found near the mean excites the channel to 0.87 of its strongest, near its axis to
    0.66. Those that excite it most, whatever else is there, `top_examples` gives exactly.

    Args:
        store: a collection.
        layer: one of its layers.
        channel: of the layer.

    Raises:
        NotFoundError: the layer was not collected.
        UsageError: it has no such channel, or the channel is the same everywhere.
    """
    channels, vectors = store.layer(layer).channels, store.vectors(layer)
    if not 0 <= channel < channels:
        raise UsageError(f"layer {layer!r} has the channels 0 to {channels - 1}, not {channel}")
    values = np.concatenate([vectors[start : start + BLOCK][:, channel] for start in range(0, len(vectors), BLOCK)])
    if values.min() == values.max():
        raise UsageError(f"{layer}:{channel} answers {values[0]:g} to every sample: nothing is like it more than anything else")
    strongest = np.argsort(-values.astype(np.float32), kind="stable")[:STRONGEST]
    return torch.from_numpy(vectors[strongest].astype(np.float32)).mean(0)


def check_network(store: Store, model: Model) -> None:
    """Refuse a network that a store was not collected with.

    Raises:
        UsageError: the network, its weights or its preprocessing differ.
    """
    if store.settings["model"] != model.fingerprint():
        raise UsageError(
            f"the store {str(store.folder)!r} was collected with another network than {model.name!r}, or with other weights, size, "
            "mean, std or --sparse file: give those that it was collected with"
        )


def _between(places: Float[Tensor, " n"], first: int, last: int) -> Int[Tensor, " m"]:
    inside = ((places >= first) & (places < last)).nonzero().flatten()
    return inside if len(inside) else (places - (first + last) / 2).abs().argmin()[None]
