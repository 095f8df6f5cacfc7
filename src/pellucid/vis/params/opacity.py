"""Pictures that are transparent where nothing matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.vis.params.canvas import Canvas, Parameterization
from pellucid.vis.params.colour import CLIP
from pellucid.vis.params.spectrum import fourier


@dataclass(frozen=True)
class transparent:
    """Pictures with opacity as one more channel, which is parameterized like the colours, by itself.

    Optimised over random backgrounds (`pellucid.vis.transforms.over_background`), what a unit does not look at can become
    transparent (Mordvintsev et al. 2018, Differentiable Image Parameterizations, "Semi-transparent patterns"). Pictures that are
    put may come without opacity, and are opaque then.

    Args:
        inner: what parameterizes the colours, and the opacity as a picture of one channel.

    >>> canvas = transparent()(2, 3, 8, 9, generators=[torch.Generator()] * 2, device=torch.device("cpu"))
    >>> canvas.images().shape
    torch.Size([2, 4, 8, 9])
    """

    inner: Parameterization = field(default_factory=fourier)

    def __call__(
        self, count: int, channels: int, height: int, width: int, *, generators: Sequence[torch.Generator], device: torch.device
    ) -> Canvas:
        colour = self.inner(count, channels, height, width, generators=generators, device=device)
        opacity = _plain(self.inner)(count, 1, height, width, generators=generators, device=device)
        puts = colour.put, opacity.put

        def images() -> Float[Tensor, "n d h w"]:
            return torch.cat([colour.images(), opacity.images()], 1)

        def put(given: Float[Tensor, "n d h w"]) -> None:
            opaque = torch.full_like(given[:, :1], 1 - CLIP)
            parts = given[:, :channels], given[:, channels:] if given.shape[1] > channels else opaque
            for put_part, part in zip(puts, parts, strict=True):
                put_part(part)  # pyright: ignore[reportOptionalCall]  as below

        return Canvas([*colour.params, *opacity.params], images, None if None in puts else put)


def _plain(inner: Any) -> Parameterization:
    """The same for a single channel, to which no colour axes apply."""
    return replace(inner, colours=None) if hasattr(inner, "colours") else inner
