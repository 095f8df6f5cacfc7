"""What the figures count in pictures, gradients and activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.models.model import Model
from pellucid.vis.recipes.measures import pooled

FINE = 0.25  # cycles a pixel: what repeats in less than four pixels


def fine_share(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The share of a picture's variance that lies in details finer than four pixels.

    >>> stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    >>> fine_share(stripes), fine_share(stripes.repeat_interleave(8, 3))[0] < 0.1
    (tensor([1.]), tensor(True))
    """
    height, width = images.shape[2:]
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width))
    power = torch.fft.fft2(images.float()).abs().square().sum(1)
    power[:, 0, 0] = 0
    return (power * (frequency > FINE)).sum((1, 2)) / power.sum((1, 2)).clamp(min=1e-30)


def lattice_share(fields: Float[Tensor, "n c h w"], period: int) -> Float[Tensor, " n"]:
    """How much stronger a field is on a lattice's frequencies than just beside them: 1 is none of it, 10 is a tenfold peak.

    A convolution or a pool with a stride reads its input on a lattice of that stride, which multiplies the gradient by a
    pattern of that period: peaks at all multiples of 1 / period but the constant.

    Args:
        fields: gradients or pictures; the largest part that holds whole periods is looked at.
        period: in pixels, 2 or more.

    >>> lattice_share(torch.eye(4).repeat(4, 4)[None, None], 4) > 1e3
    tensor([True])
    """
    height, width = (side // period * period for side in fields.shape[2:])
    power = torch.fft.fft2(fields[:, :, :height, :width].float()).abs().square().sum(1)
    rows, cols = torch.arange(height) % (height // period) == 0, torch.arange(width) % (width // period) == 0
    on = rows[:, None] & cols
    near = sum(on.roll(shift, (0, 1)) for shift in ((0, 1), (0, -1), (1, 0), (-1, 0))) > 0  # type: ignore[arg-type]
    constant = torch.zeros_like(on)
    constant[:2, :2] = constant[-1:, :2] = constant[:2, -1:] = True
    peaks, beside = on & ~constant, near & ~on & ~constant
    return power[:, peaks].mean(1) / power[:, beside].mean(1).clamp(min=1e-30)


def field_mask(model: Model, layer: str) -> Bool[Tensor, "h w"] | None:
    """The pixels of the receptive field of a layer's middle position, None where it is not known."""
    known = model.layer(layer)
    if known.receptive_field is None:
        return None
    top, left, bottom, right = known.receptive_field.box(known.height // 2, known.width // 2)
    mask = torch.zeros(model.size, dtype=torch.bool)
    mask[max(0, top) : bottom, max(0, left) : right] = True
    return mask


def concentration(image: Float[Tensor, "c h w"], mask: Bool[Tensor, "h w"]) -> float:
    """The share of a picture's variance that lies under a mask.

    >>> concentration(torch.tensor([[[1.0, -1.0, 0.0, 0.0]]]), torch.tensor([[True, True, True, False]]))
    1.0
    """
    power = (image - image.mean((1, 2), keepdim=True)).square().sum(0)
    return float(power[mask].sum() / power.sum().clamp(min=1e-30))


def mean_cosine(vectors: Float[Tensor, "n d"]) -> float:
    """The mean cosine over all pairs.

    >>> mean_cosine(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    0.3333333432674408
    """
    unit = torch.nn.functional.normalize(vectors.flatten(1), dim=1)
    cosines = unit @ unit.T
    count = len(vectors)
    return float((cosines.sum() - cosines.diagonal().sum()) / (count * (count - 1)))


def falling(values: Sequence[float]) -> bool:
    """Whether each value is at most the one before it.

    >>> falling([3, 2, 2]), falling([1, 2])
    (True, False)
    """
    return all(after <= before for before, after in pairwise(values))


@dataclass(frozen=True)
class Crowd:
    """Real pictures as a network sees them: the mean of each channel of some layers, each in units of its spread.

    Attributes:
        model: the network that looks.
        layers: what of it.
        photos: the real pictures.
    """

    model: Model
    layers: Sequence[str]
    photos: Float[Tensor, "n c h w"]

    def apart(self, images: Float[Tensor, "m c h w"]) -> Float[Tensor, " m"]:
        """The distance of pictures to the nearest real one, 1 being the median among real ones.

        A picture that is one of the real ones is compared with the others.
        """
        return self._nearest(self._seen(images)) / self._usual

    def _nearest(self, seen: Float[Tensor, "m f"]) -> Float[Tensor, " m"]:
        mean, spread = self._photos.mean(0), self._photos.std(0)
        known, seen = ((each - mean) / torch.where(spread > 0, spread, 1.0) for each in (self._photos, seen))
        # the faster way by matrix products errs by more than a picture is from itself
        distances = torch.cdist(seen, known, compute_mode="donot_use_mm_for_euclid_dist")
        return distances.masked_fill(distances < 1e-3 * distances.median(), torch.inf).amin(1)

    def _seen(self, images: Float[Tensor, "m c h w"]) -> Float[Tensor, "m f"]:
        return torch.cat([pooled(self.model, layer, images) for layer in self.layers], 1)

    @cached_property
    def _photos(self) -> Float[Tensor, "n f"]:
        return self._seen(self.photos)

    @cached_property
    def _usual(self) -> Float[Tensor, ""]:
        return self._nearest(self._photos).median()
