"""Pictures that share their coarse structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, coloured, mixing
from pellucid.vis.params.pyramid import DEVIATION, enlarged, gain
from pellucid.vis.params.spectrum import amplitudes, analysed, synthesised


@dataclass(frozen=True, kw_only=True)
class shared:
    """Aligned pictures: each one's own Fourier spectrum and coarse parts that all pictures of the call share.

    What is alike in the frames of an interpolation thus stays in place (Mordvintsev et al. 2018, Differentiable Image
    Parameterizations, "Aligned feature visualization interpolation"). The parts have the energy of a
    `laplacian` together, and each as much of it.

    Args:
        sd: standard deviation of the own spectra's noise to start from; the shared parts start from zero.
        decay: of the own spectra, as in `fourier`.
        parts: (keys, factor) each: a picture of 1/factor of the size for each key; keys are spread evenly over the call, and a
            picture between two of them gets their linear mix. One key is the same for all.
        colours: as in `fourier`.

    Raises:
        UsageError: keys or a factor below 1, no parts, or `colours` does not suit the number of channels.

    >>> canvas = shared(parts=((1, 4),))(2, 3, 8, 8, generators=[torch.Generator()] * 2, device=torch.device("cpu"))
    >>> [tuple(each.shape) for each in canvas.params]
    [(2, 3, 8, 5, 2), (1, 3, 2, 2)]
    """

    sd: float = 0.01
    decay: float = 0.75
    parts: tuple[tuple[int, int], ...] = ((1, 2), (1, 4), (1, 8), (2, 8), (1, 16), (2, 16))
    colours: Colours = "natural"

    def __post_init__(self) -> None:
        if not self.parts or any(keys < 1 or factor < 1 for keys, factor in self.parts):
            raise UsageError(f"parts must be pairs (keys, factor) of numbers from 1, at least one pair, not {self.parts}")

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        size = (height, width)
        spectrum = noise((channels, height, width // 2 + 1, 2), self.sd, generators[:count], device)
        factors = amplitudes(height, width, self.decay).to(device)[..., None]
        shares = torch.cat([between(min(keys, count), count) for keys, _ in self.parts], 1).to(device)
        common, gains = [], []
        for keys, factor in self.parts:
            low = (-(-height // factor), -(-width // factor))
            common.append(torch.zeros(min(keys, count), channels, *low, device=device, requires_grad=True))
            gains.append(DEVIATION / len(self.parts) ** 0.5 / gain([low, size]))

        def values() -> Float[Tensor, "n c h w"]:
            large = torch.cat([enlarged(part * factor, size) for part, factor in zip(common, gains, strict=True)])
            return synthesised(spectrum, factors, size) + (shares @ large.flatten(1)).unflatten(1, (channels, *size))

        def put(given: Float[Tensor, "n c h w"]) -> None:
            spectrum.copy_(analysed(given, factors))
            for part in common:
                part.zero_()

        return coloured([spectrum, *common], values, put, mixing(self.colours, channels, device))


def between(keys: int, count: int) -> Float[Tensor, "n k"]:
    """How much each of `count` pictures takes of each key: linear between the keys, which are spread from first to last.

    >>> between(2, 3)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    return (1 - (torch.linspace(0, keys - 1, count)[:, None] - torch.arange(keys)).abs()).clamp(min=0)
