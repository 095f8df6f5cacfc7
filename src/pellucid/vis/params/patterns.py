"""Pictures as small networks from positions to colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.params.canvas import Canvas, noise
from pellucid.vis.params.colour import Colours, mixing, squash

# Root mean squares of atan(x) and of atan(x)² for a standard normal x: what keeps all layers at about the same deviation.
ODD, EVEN = 0.67, 0.60

# The weights are this times the parameters, so that a learning rate of 0.05, which suits pictures, moves the weights by 0.005.
PACE = 0.1


@dataclass(frozen=True, kw_only=True)
class cppn:
    """Pictures as compositional pattern producing networks (Stanley 2007): smooth, without pixels, drawable at any size.

    Each picture is a small network of its own, applied at every position (row, col); hidden layers answer with atan and its
    square (Mordvintsev et al. 2018, Differentiable Image Parameterizations). It starts from grey and cannot be set to a photo.
    Some 100 MB of memory are needed for a picture of 224 px.

    Args:
        hidden: units of each hidden layer, from 1.
        depth: number of hidden layers, from 1.
        colours: as in `fourier`.

    Raises:
        UsageError: no hidden layers or units, or `colours` does not suit the number of channels.

    >>> canvas = cppn(depth=2)(1, 3, 8, 12, generators=[torch.Generator()], device=torch.device("cpu"))
    >>> canvas.images().shape, cppn(depth=2).draw(canvas.params, 80, 120).shape
    (torch.Size([1, 3, 8, 12]), torch.Size([1, 3, 80, 120]))
    """

    hidden: int = 24
    depth: int = 8
    colours: Colours = "natural"

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.depth < 1:
            raise UsageError(f"hidden and depth must be at least 1, not {self.hidden} and {self.depth}")

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        mixing(self.colours, channels, device)  # what is wrong with it is said now, not at the first step
        params = []
        for fan_in in [2] + [2 * self.hidden] * (self.depth - 1):
            params.append(noise((self.hidden, fan_in), fan_in**-0.5 / PACE, generators[:count], device))
            params.append(noise((self.hidden, 1), 0.1 / PACE, generators[:count], device))
        params.append(torch.zeros(count, channels, 2 * self.hidden, device=device, requires_grad=True))
        params.append(torch.zeros(count, channels, 1, device=device, requires_grad=True))
        return Canvas(params, lambda: self.draw(params, height, width))

    def draw(self, params: Sequence[Tensor], height: int, width: int) -> Float[Tensor, "n c h w"]:
        """The pictures of a canvas's parameters at any size; the larger side shows more where the shape changes.

        Between two sets of parameters lie the pictures of a morph.
        """
        (first, start), *layers = zip(params[::2], params[1::2], strict=True)
        mapped = torch.baddbmm(start * PACE, first * PACE, positions(height, width).to(first).expand(len(first), -1, -1))
        for weights, bias in layers:
            bent = mapped.atan()
            odd, even = (weights * PACE).chunk(2, 2)
            mapped = torch.baddbmm(torch.baddbmm(bias * PACE, odd / ODD, bent), even / EVEN, bent.square())
        values = mapped.unflatten(2, (height, width))
        return squash(values, mixing(self.colours, values.shape[1], values.device))


def positions(height: int, width: int) -> Float[Tensor, "2 p"]:
    """(row, col) of the middle of each pixel, from the centre, in units in which a square picture has mean square 1.

    >>> positions(1, 2)
    tensor([[ 0.0000,  0.0000],
            [-1.2247,  1.2247]])
    """
    unit = 2 * math.sqrt(3 / (height * width))
    rows = (torch.arange(height) - (height - 1) / 2) * unit
    cols = (torch.arange(width) - (width - 1) / 2) * unit
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij")).flatten(1)
