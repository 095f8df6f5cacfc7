"""Whether a picture looks like real ones, told without a network: by its spectrum, its colours and its clipped pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

FINE = 3  # outermost rings: details that repeat in less than four pixels
ROUNDING = 1 / 255**2 / 12  # power of the rounding to 8 bits: photographs cannot have less, so that nothing below it counts
CLIPPED = 0.5 / 255  # a value this near to 0 or 1 is written as 0 or 255


@dataclass(frozen=True)
class Measure:
    """A number, and the share of real pictures that are at least as far from the usual: 0 is unheard of, 0.5 is ordinary."""

    value: float
    share: float


@dataclass(frozen=True)
class Natural:
    """How far a picture is from real ones.

    Attributes:
        spectrum: root mean square of the difference in log10 power, over rings of frequency half an octave wide.
        fine: mean difference in log10 power of details finer than four pixels: below 0 blurred, above 0 grain or grid.
        colour: Fréchet distance between the Gaussians of the picture's pixels and of all pictures' pixels.
        clipped: share of the pixels of which a channel is as dark or as bright as can be.
    """

    spectrum: Measure
    fine: Measure
    colour: Measure
    clipped: Measure

    def __str__(self) -> str:
        times = f"{10**self.fine.value:.{0 if self.fine.value > 1 else 1}f}"
        return (
            f"{self.spectrum.share:.0%} of the real pictures are as unusual in spectrum and {self.colour.share:.0%} in colour; "
            f"{times} times the fine detail; {self.clipped.value:.1%} of the pixels clipped"
        )


@dataclass(frozen=True)
class Looks:
    """What is kept of each picture of a set, about 150 bytes.

    Attributes:
        power: log10 of the power density in each ring of frequency, mean over the channels.
        mean: of the colours.
        covariance: of the colours.
        clipped: share of pixels.
    """

    power: Float[Tensor, "n r"]
    mean: Float[Tensor, "n c"]
    covariance: Float[Tensor, "n c c"]
    clipped: Float[Tensor, " n"]

    @classmethod
    def of(cls, images: Float[Tensor, "n c h w"]) -> Looks:
        """Look at pictures in [0, 1] of one size."""
        pixels = images.flatten(2).double().cpu()
        mean = pixels.mean(2)
        centred = pixels - mean[:, :, None]
        covariance = centred @ centred.mT / pixels.shape[2]
        clipped = ((pixels < CLIPPED) | (pixels > 1 - CLIPPED)).any(1).double().mean(1)
        return cls(ring_power(images), mean, covariance, clipped)

    @classmethod
    def joined(cls, parts: Sequence[Looks]) -> Looks:
        """Several sets as one."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("power", "mean", "covariance", "clipped")))

    def natural(self, picture: Float[Tensor, "c h w"]) -> Natural:
        """How a picture of the same size compares with this set."""
        measured, usual = self._distances(Looks.of(picture[None])), self._usual
        return Natural(
            **{
                name: Measure(value.item(), (usual[name].abs() >= value.abs()).double().mean().item())
                for name, value in measured.items()
            }
        )

    @cached_property
    def _usual(self) -> dict[str, Float[Tensor, " n"]]:
        return self._distances(self)

    def _distances(self, pictures: Looks) -> dict[str, Float[Tensor, " n"]]:
        beyond = pictures.power - self.power.mean(0)
        spread = self.mean - self.mean.mean(0)
        everywhere = self.covariance.mean(0) + spread.T @ spread / len(spread)
        return {
            "spectrum": beyond.square().mean(1).sqrt(),
            "fine": beyond[:, -FINE:].mean(1),
            "colour": frechet(pictures.mean, pictures.covariance, self.mean.mean(0), everywhere),
            "clipped": pictures.clipped,
        }


def ring_power(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n r"]:
    """Log10 of the power density of pictures in rings of frequency, coarse to fine, under a Hann window, mean over the channels.

    Power is counted so that white noise of variance v has v in every ring at every size; the mean colour does not count, and
    neither does what 8 bits cannot show.

    >>> noise = torch.rand(8, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    >>> ring_power(noise).shape, round(ring_power(noise)[:, 1:].mean().item(), 1)  # log10(1 / 12) = -1.08
    (torch.Size([8, 10]), -1.1)
    """
    height, width = images.shape[2:]
    window = torch.hann_window(height + 2, periodic=False)[1:-1, None] * torch.hann_window(width + 2, periodic=False)[1:-1]
    values = images.detach().float().cpu()
    values = (values - (values * window).sum((2, 3), keepdim=True) / window.sum()) * window
    density = (torch.fft.fft2(values).abs().square() / window.square().sum()).mean(1)
    rings = _rings(height, width)
    total = torch.zeros(len(values), int(rings.max()) + 1).index_add_(1, rings, density.flatten(1))
    return (total / rings.bincount() + ROUNDING).log10()


def frechet(
    means: Float[Tensor, "n c"], covariances: Float[Tensor, "n c c"], mean: Float[Tensor, " c"], covariance: Float[Tensor, "c c"]
) -> Float[Tensor, " n"]:
    """Squared Fréchet distance of Gaussians to one Gaussian (Dowson and Landau 1982): |m - m'|² + tr(S + S' - 2 (S S')^½).

    >>> eye = torch.eye(2)
    >>> frechet(torch.tensor([[3.0, 4.0]]), 4 * eye[None], torch.zeros(2), eye)
    tensor([27.])
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    common = torch.linalg.eigvalsh(root @ covariances @ root).clamp(min=0).sqrt().sum(1)
    traces = covariances.diagonal(dim1=1, dim2=2).sum(1) + covariance.trace()
    return ((means - mean).square().sum(1) + traces - 2 * common).clamp(min=0)


def _rings(height: int, width: int) -> Int[Tensor, " p"]:
    """The ring of each coefficient of `fft2`.

    Rings end at half octaves below 0.5 cycles a pixel, as long as two waves fit into the picture; what is coarser is the first
    ring, the corners beyond 0.5 are the last. Rings of equal width would see hardly anything but fine detail.
    """
    waves = min(height, width) / 2
    edges = [0.5 / 2 ** (half / 2) for half in range(math.floor(2 * math.log2(max(1.0, waves / 2))) + 1)]
    frequency = (torch.fft.fftfreq(height)[:, None].square() + torch.fft.fftfreq(width).square()).sqrt()
    return torch.bucketize(frequency, torch.tensor(edges[::-1]), right=True).flatten()
