"""What can be seen without optimising anything: the kernels of the first layer, and where channels answer in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor, nn

from pellucid.analysis.inputs import check_images
from pellucid.arrays import to_picture
from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Layer, Model
from pellucid.vis.objectives import parse_unit

DIM = 0.25  # brightness of what an overlay leaves out
TILE = 48  # pixels that small tiles are enlarged to, about


@dataclass(frozen=True)
class Filters:
    """The kernels of a network's first layer.

    Attributes:
        layer: whose they are.
        images: one each, 0.5 + weight / (2 scale): grey is 0, and the farthest weight of each kernel is at an end of [0, 1].
        scales: the largest absolute weight of each kernel; 1 for a kernel of zeros.
    """

    layer: str
    images: Float[Tensor, "n c h w"]
    scales: Float[Tensor, " n"]

    def weights(self) -> Float[Tensor, "n c h w"]:
        """The kernels again, exact but for rounding."""
        return (self.images - 0.5) * 2 * self.scales[:, None, None, None]

    def pictures(self) -> list[Image.Image]:
        """One picture a kernel, its weights as squares of several pixels."""
        return [enlarged(to_picture(each)) for each in self.images]


def filters(model: Model, layer: str | None = None) -> Filters:
    """The kernels of the convolution that reads the picture itself, as pictures.

    The weights are those that the network holds, for pictures from which its mean is subtracted and which are divided by its std.

    Args:
        model: the network.
        layer: the name of the convolution; None for the first one that reads the picture.

    Raises:
        NotFoundError: no such layer.
        UsageError: the layer is no convolution of the picture, so that its kernels are no pictures.

    Example:
        >>> import pellucid.models as models
        >>> found = filters(models.load("terrarium"))
        >>> found.layer, found.images.shape
        ('conv1.conv', torch.Size([32, 3, 5, 5]))
    """
    first = next((name for name in model.layers if _reads_picture(model, name)), None)
    if layer is not None:
        model.place(layer)
    if first is None:
        raise UsageError(f"{model.name} has no convolution that reads the picture itself, whose kernels could be shown")
    if layer not in (None, first):
        raise UsageError(
            f"the kernels of {layer!r} are no pictures: of {model.name} only {first!r} reads the picture itself, "
            "deeper layers read channels; `pellucid render` makes pictures of what those look for"
        )
    weights = _weights(model, first)
    highest = weights.abs().flatten(1).amax(1)
    scales = highest.where(highest > 0, 1.0)
    return Filters(first, 0.5 + weights / (2 * scales[:, None, None, None]), scales)


def _reads_picture(model: Model, name: str) -> bool:
    module, field = model.network.get_submodule(name), model.layers[name].receptive_field
    if not isinstance(module, nn.Conv2d) or field is None or module.weight.shape[1] != model.channels:
        return False
    reach = tuple((size - 1) * dilation + 1 for size, dilation in zip(module.kernel_size, module.dilation, strict=True))
    return field.size == reach and field.stride == module.stride


def _weights(model: Model, name: str) -> Float[Tensor, "n c h w"]:
    module = model.network.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    return module.weight.detach().float().cpu()


def activation_maps(model: Model, image: Float[Tensor, "c h w"], layer: str) -> Float[Tensor, "k p q"]:
    """What every channel of a layer answers, at every position of a picture.

    Args:
        model: the network.
        image: in [0, 1], of any size that the network takes.
        layer: one of its layers.

    Raises:
        NotFoundError: no such layer.
        UsageError: the image has another shape than the model wants, or is none in [0, 1].
    """
    check_images(model, image[None])
    with torch.no_grad():
        return capture(model, image[None], [layer])[layer][0].float().cpu()


def map_pictures(maps: Float[Tensor, "k p q"]) -> list[Image.Image]:
    """One grey picture a map, for a contact sheet: its lowest value black, its highest white; all black where they are the same.

    >>> [picture.size for picture in map_pictures(torch.rand(2, 12, 16))]
    [(64, 48), (64, 48)]
    """
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    greys = (maps - low) / (high - low).where(high > low, 1.0)
    return [enlarged(to_picture(each[None])) for each in greys]


def enlarged(picture: Image.Image) -> Image.Image:
    """A tile with each of its pixels as a square of several, about `TILE` high; a larger picture as it is."""
    times = max(1, TILE // picture.height)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def upsample(maps: Float[Tensor, "k h w"], layer: Layer, size: tuple[int, int]) -> Float[Tensor, "k p q"]:
    """Maps at the size of the picture, bilinear between the centres of what their positions see.

    Beyond the outermost centres they stay what they are there. Where no receptive field is known, the positions lie evenly.

    Args:
        maps: of the layer.
        layer: from the model.
        size: (height, width) of the picture that gave the maps.

    >>> upsample(torch.tensor([[[0.0, 1.0]]]), Layer("a", "Conv2d", 1, 1, 2, None), (1, 4))
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    field, shape = layer.receptive_field, (maps.shape[1], maps.shape[2])
    even = [length / count for count, length in zip(shape, size, strict=True)]
    strides, offsets = (even, [each / 2 for each in even]) if field is None else (field.stride, field.offset)
    rows, cols = (_between(*each) for each in zip(shape, size, strides, offsets, strict=True))
    return rows @ maps @ cols.T


def _between(count: int, length: int, stride: float, offset: float) -> Float[Tensor, "p h"]:
    """How much each of `count` positions weighs at each of `length` pixels."""
    place = ((torch.arange(length) + 0.5 - offset) / stride).clamp(0, count - 1)
    return (1 - (place[:, None] - torch.arange(count)).abs()).clamp_min(0)


@dataclass(frozen=True)
class Mask:
    """Where a channel answers most in a picture.

    Attributes:
        pixels: of the picture, true where it does.
        threshold: the least activation among them, infinite where there are none.
    """

    pixels: Bool[Tensor, "h w"]
    threshold: float


def mask(model: Model, image: Float[Tensor, "c h w"], unit: str, share: float = 0.05) -> Mask:
    """The share of a picture's pixels at which a channel's upsampled map is highest.

    Exactly that many pixels, the earlier of equal ones in reading order; but none where the map is at its lowest: a channel that
    answers nowhere selects nothing.

    Args:
        model: the network.
        image: in [0, 1].
        unit: written `layer:channel`.
        share: of the pixels, above 0 and up to 1.

    Raises:
        NotFoundError: no such layer.
        UsageError: the unit is no channel, or the share is out of range.

    Example:
        >>> import pellucid.models as models
        >>> found = mask(models.load("terrarium"), torch.rand(3, 96, 96), "conv1.conv:3", 0.25)
        >>> float(found.pixels.float().mean())
        0.25
    """
    if not 0 < share <= 1:
        raise UsageError(f"share={share}: must be above 0 and at most 1")
    layer, channel = channel_of(model, unit)
    size = (image.shape[1], image.shape[2])
    values = upsample(activation_maps(model, image, layer.name)[channel, None], layer, size).flatten()
    best = values.sort(descending=True, stable=True).indices[: round(share * len(values))]
    best = best[values[best] > values.min()]
    pixels = torch.zeros(len(values), dtype=torch.bool).index_fill(0, best, True)
    return Mask(pixels.view(size), float(values[best].min()) if len(best) else torch.inf)


def channel_of(model: Model, unit: str) -> tuple[Layer, int]:
    """The layer and the number of the channel that is written `layer:channel`.

    Raises:
        NotFoundError: no such layer.
        UsageError: it is no channel of the model's.
    """
    parse_unit(unit, model)
    name, _, number = unit.rpartition(":")
    if name not in model.layers or not number.isdecimal():
        raise UsageError(f"{unit!r} is not a single channel; write layer:channel")
    return model.layer(name), int(number)


def overlay(image: Float[Tensor, "c h w"], pixels: Bool[Tensor, "h w"]) -> Float[Tensor, "c h w"]:
    """The picture, dark where the mask is not.

    Raises:
        UsageError: the mask has another size than the picture.

    >>> overlay(torch.ones(1, 1, 2), torch.tensor([[True, False]])).tolist()
    [[[1.0, 0.25]]]
    """
    if image.shape[1:] != pixels.shape:
        came, wanted = (" × ".join(map(str, each)) for each in (pixels.shape, image.shape[1:]))
        raise UsageError(f"pixels: a mask of {came} for a picture of {wanted}; give one of the picture's size")
    return image * torch.where(pixels, 1.0, DIM)
