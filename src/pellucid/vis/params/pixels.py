"""Pictures as plain pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, coloured, mixing


@dataclass(frozen=True, kw_only=True)
class pixel:
    """Pictures as plain pixels, in decorrelated colours: what optimisation gives without a natural prior.

    Args:
        sd: standard deviation of the noise to start from; 0 starts from grey.
        colours: as in `fourier`.

    Raises:
        UsageError: `colours` does not suit the number of channels.

    >>> canvas = pixel(sd=0)(1, 1, 4, 5, generators=[torch.Generator()], device=torch.device("cpu"))
    >>> bool((canvas.images() == 0.5).all())
    True
    """

    sd: float = 0.01
    colours: Colours = "natural"

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        values = noise((channels, height, width), self.sd, generators[:count], device)
        return coloured([values], lambda: values, values.copy_, mixing(self.colours, channels, device))
