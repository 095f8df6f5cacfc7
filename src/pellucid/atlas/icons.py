"""One optimised picture for each cell of an atlas, and how truly it shows the cell's mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.models.capture import capture, prepared
from pellucid.models.model import Layer, Model
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import Activations, Form, Objective, direction, formed, vectors_at
from pellucid.vis.params import fourier
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering
from pellucid.vis.transforms import warp

POWER = 4.0
FLOOR = 0.1  # of the cosine: below it a picture that points the wrong way would gain nothing by turning (lucid issue 116)
FILLED = 0.67  # of a receptive field's side is about what a unit at its centre draws on; the rest of a larger icon stays grey
SMALLEST, LARGEST = 40, 72  # pixels; larger icons have more grey and reach a lower cosine in as many steps
SMOOTH = 1.0  # decay of the spectrum, at least: small pictures of one position are harsh at 0.75


@dataclass(frozen=True)
class Icon:
    """A cell's picture, and the cosine between the cell's mean and what the layer answers at the centre of that very picture."""

    rendering: Rendering
    cosine: float


def icon_objective(
    layer: str, vector: Float[Tensor, " c"], *, whiten: Float[Tensor, "c c"] | None = None, cosine_power: float = POWER
) -> Objective:
    """What the icon of a cell maximises, at the centre of the layer: the dot product along the vector × its cosine with it ^ power.

    Whitening turns the dot product towards what is particular to the cell; the cosine stays with the vector itself, which keeps the
    icon true to it. (Carter et al. 2019, Activation Atlas, "Aggregating multiple images"; they whiten both, which on SqueezeNet's
    features.7 reaches a median cosine of 0.70 where this reaches 0.80.)

    Args:
        layer: name of the layer.
        vector: the cell's mean activation, not zero.
        whiten: from `pellucid.atlas.grid.whitening`; None for the plain vector.
        cosine_power: 0 for the dot product alone.

    Raises:
        UsageError: the vector is zero.

    >>> icon_objective("a", torch.tensor([3.0, 4.0]), cosine_power=0)({"a": torch.ones(1, 2, 3, 3)})
    tensor([1.4000])
    """
    mean = torch.as_tensor(vector, dtype=torch.float32).flatten()
    along = direction(layer, mean if whiten is None else mean @ whiten, position="centre")

    def purity(seen: Activations, means: Sequence[Tensor]) -> Float[Tensor, " n"]:
        centre = vectors_at(seen, layer, "centre")
        cosine = (centre * torch.stack(list(means)).to(centre)).sum(1) / (centre.norm(dim=1) + 1e-4)
        return cosine.clamp(min=FLOOR) ** cosine_power

    form = Form(("cosine", layer, cosine_power), purity)
    return along * formed(f"cosine({layer!r}) ** {cosine_power:g}", frozenset({layer}), form, mean / mean.norm())


def icon_size(model: Model, layer: Layer) -> tuple[int, int]:
    """Height and width at which a layer's centre fills an icon: two thirds of its receptive field, in eights, 40 to 72 pixels.

    Never more than the model's size; just that where the receptive field is not known.
    """
    if layer.receptive_field is None:
        return model.size
    fields = (min(LARGEST, max(SMALLEST, round(FILLED * side / 8) * 8)) for side in layer.receptive_field.size)
    height, width = (min(field, limit) for field, limit in zip(fields, model.size, strict=True))
    return height, width


def gentle(size: tuple[int, int]) -> warp:
    """What icons are seen through: half the movement of `robust`, because one position has to stay where it is.

    >>> gentle((72, 72))
    warp(jitter=4, rotate=10.0, scale=(0.85, 1.15), perspective=0.0, crop=(72, 72))
    """
    return warp(jitter=max(1, round(min(size) * 12 / 224)), rotate=10.0, scale=(0.85, 1.15), crop=size)


def render_icons(
    model: Model,
    layer: str,
    means: Float[np.ndarray, "m c"],
    *,
    size: tuple[int, int] | None = None,
    steps: int = 96,
    whiten: Float[Tensor, "c c"] | None = None,
    cosine_power: float = POWER,
    seed: int = 0,
    batch: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Icon]:
    """An icon for each mean vector of a layer, in order.

    Args:
        model: the network.
        layer: a name out of `model.layers`.
        means: the cells' mean activations, `Level.means`.
        size: (height, width) of the icons in pixels; None for `icon_size`.
        steps: of optimisation.
        whiten: from `pellucid.atlas.grid.whitening`.
        cosine_power: see `icon_objective`.
        seed: of all icons: alike cells get alike icons.
        batch: icons that are optimised together; None for what suits the device.
        progress: called with (icon steps done, icon steps).

    Raises:
        NotFoundError: no such layer.
        UsageError: a mean is zero: the cells of a dead layer have no icons.
    """
    objectives = [icon_objective(layer, torch.from_numpy(mean), whiten=whiten, cosine_power=cosine_power) for mean in means]
    height, width = icon_size(model, model.layer(layer)) if size is None else size
    renderings = render(
        model,
        objectives,
        size=(height, width),
        steps=steps,
        method=Method(
            parameterization=fourier(decay=max(SMOOTH, natural_fourier(model).decay)), transforms=[gentle((height, width))]
        ),
        seeds=seed,
        batch=batch,
        progress=progress,
    )
    return [Icon(each, cosine) for each, cosine in zip(renderings, reached(model, layer, renderings, means), strict=True)]


def reached(model: Model, layer: str, renderings: Sequence[Rendering], means: Float[np.ndarray, "m c"]) -> list[float]:
    """The cosine between each mean and the vector at the centre of the layer for its picture, untransformed, in full precision."""
    found = []
    with prepared(model), torch.no_grad():
        for rendering, mean in zip(renderings, means, strict=True):
            map = capture(model, rendering.image[None].to(model.device), [layer])[layer]
            centre = map[0, :, map.shape[2] // 2, map.shape[3] // 2].float().cpu()
            found.append(float(torch.cosine_similarity(centre, torch.from_numpy(mean), dim=0)))
    return found
