"""Pictures that are transparent where nothing matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
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
        put_colour, put_opacity = colour.put, opacity.put

        def images() -> Float[Tensor, "n d h w"]:
            return torch.cat([colour.images(), opacity.images()], 1)

        def put(given: Float[Tensor, "n d h w"]) -> None:
            assert put_colour is not None and put_opacity is not None
            put_colour(given[:, :channels])
            put_opacity(given[:, channels:] if given.shape[1] > channels else torch.full_like(given[:, :1], 1 - CLIP))

        return Canvas([*colour.params, *opacity.params], images, None if put_colour is None or put_opacity is None else put)


def _plain(inner: Any) -> Parameterization:
    """The same for a single channel, to which no colour axes apply."""
    return replace(inner, colours=None) if any(each.name == "colours" for each in fields(inner)) else inner
