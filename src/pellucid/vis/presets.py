"""Ways to optimise pictures by name, in the order of the spectrum of regularisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.params import Parameterization, cppn, laplacian, maco, pixel, transparent
from pellucid.vis.transforms import Transform, article, lucid, strong


@dataclass(frozen=True, repr=False)
class fitted:
    """A robustness stack for canvases of any size; the network sees the middle of what it gives.

    Args:
        stack: from (height, width) to a transform.

    >>> fitted(strong)
    fitted(strong)
    >>> fitted(strong)(torch.rand(1, 3, 40, 48), torch.Generator()).shape
    torch.Size([1, 3, 40, 48])
    """

    stack: Callable[[tuple[int, int]], Transform]

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        return self.stack((images.shape[2], images.shape[3]))(images, generator)

    def __repr__(self) -> str:
        return f"fitted({self.stack.__name__})"


PRESETS: Mapping[str, Method] = {
    "none": Method(parameterization=pixel(colours=None), transforms=()),
    "frequency": Method(transforms=()),
    "robust": Method(),
    "strong": Method(transforms=(fitted(strong),)),
    "article": Method(transforms=(fitted(article),)),
    "lucid": Method(transforms=(fitted(lucid),)),
}
"""Methods by name (Olah et al. 2017, Feature Visualization, "The Spectrum of Regularization").

`none` is plain pixels, `frequency` holds down high frequencies alone, `robust` is what `render` does by itself and `strong` all
that there is; `article` and `lucid` see through the transforms of that article and of the library lucid.
"""

PARAMETERIZATIONS: Mapping[str, Callable[[Model], Parameterization]] = {
    "fourier": natural_fourier,
    "pixel": lambda model: pixel(),
    "laplacian": lambda model: laplacian(),
    "maco": lambda model: maco(),
    "cppn": lambda model: cppn(),
    "transparent": lambda model: transparent(natural_fourier(model)),
}
"""Parameterizations by name, as they suit a model."""
