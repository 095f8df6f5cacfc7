"""Pictures while they are optimised, and what makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Canvas:
    """Pictures while they are optimised.

    Attributes:
        params: the leaf tensors to optimise.
        images: the pictures that the tensors stand for: differentiable, in [0, 1], contiguous.
        put: sets the tensors so that `images()` comes as near as possible to given pictures; None where that cannot be done.
    """

    params: list[Tensor]
    images: Callable[[], Float[Tensor, "n c h w"]]
    put: Callable[[Float[Tensor, "n c h w"]], None] | None = None


@runtime_checkable
class Parameterization(Protocol):
    """How pictures are parameterized: from their number, channels and size, and one random generator each, to a `Canvas`.

    The noise of picture i comes from generators[i] alone, drawn on the CPU, so that a picture depends neither on its batch
    mates nor on the device.
    """

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas: ...


def noise(shape: tuple[int, ...], sd: float, generators: Sequence[torch.Generator], device: torch.device) -> Tensor:
    """Normal noise of one shape for each generator, stacked, as a leaf tensor to optimise.

    >>> noise((2, 3), 0.1, [torch.Generator(), torch.Generator()], torch.device("cpu")).shape
    torch.Size([2, 2, 3])
    """
    drawn = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).mul_(sd)
    return drawn.to(device).requires_grad_()
