"""Against activations that are given, mostly those of a picture: to have the same, the same apart from where, or more of them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.objectives.algebra import Objective
from pellucid.vis.objectives.forms import Activations
from pellucid.vis.objectives.names import call, described, times
from pellucid.vis.objectives.units import dot_cosine, given


def matching(layer: str, target: Float[Tensor, "*n c h w"]) -> Objective:
    """Activations like the given ones: minus the squared distance relative to the target's own square (Mahendran and Vedaldi 2015,
    equation 3). 0 is perfect, -1 as far as silence.

    Args:
        layer: name of the layer.
        target: c h w for every picture, or n c h w for n pictures together, one for each.

    Raises:
        UsageError: a target is zero, or of another shape than the activations (when it is evaluated).

    >>> matching("conv1", torch.tensor([[[3.0, 4.0]]]))({"conv1": torch.tensor([[[[3.0, -1.0]]]])})
    tensor([-1.])
    """
    pictures = len(target) if target.ndim == 4 else None
    targets = torch.stack([given(each, _what(layer), axes=3) for each in (target[None] if pictures is None else target)])
    energies = targets.square().mean((1, 2, 3))

    def score(seen: Activations) -> Float[Tensor, " n"]:
        maps = _fitting(seen, layer, targets)
        return -(maps - targets.to(maps)).square().mean((1, 2, 3)) / energies.to(maps)

    return Objective(call("matching", repr(layer), described(target)), frozenset({layer}), score, pictures, placed=True)


def style(layer: str, target: Float[Tensor, "c h w"]) -> Objective:
    """Channels that go together as in the given activations, wherever they are: minus the squared distance of the Gram matrices
    relative to the target's own square (Gatys et al. 2016, equation 4). 0 is perfect, -1 as far as silence.

    Args:
        layer: name of the layer.
        target: c h w; height and width need not be those of the picture's activations.

    Raises:
        UsageError: the target is zero, or has another number of channels than the layer (when it is evaluated).

    >>> style("conv1", torch.ones(2, 4, 4))({"conv1": torch.zeros(1, 2, 3, 3)})
    tensor([-1.])
    """
    wanted = gram(given(target, _what(layer), axes=3)[None])
    energy = wanted.square().mean()

    def score(seen: Activations) -> Float[Tensor, " n"]:
        if seen[layer].shape[1] != len(target):
            raise UsageError(f"the target has {len(target)} channels, layer {layer!r} has {seen[layer].shape[1]}")
        return -(gram(seen[layer]) - wanted.to(seen[layer])).square().mean((1, 2)) / energy.to(seen[layer])

    return Objective(call("style", repr(layer), described(target)), frozenset({layer}), score)


def caricature(layer: str, target: Float[Tensor, "c h w"], *, cosine_power: float = 0.0) -> Objective:
    """More of the given activations at every position: the sum of dot * max(0.1, cos)^p, 1 for those activations themselves.

    Args:
        layer: name of the layer.
        target: c h w, mostly of a photo.
        cosine_power: 0 takes the strongest picture, 1 to 4 one whose vectors point ever more where the target's do.

    Raises:
        UsageError: the target is zero, or of another shape than the activations (when it is evaluated).

    >>> caricature("conv1", torch.tensor([[[3.0, 4.0]]]))({"conv1": torch.tensor([[[[6.0, 8.0]]]])})
    tensor([2.])
    """
    along = given(target, _what(layer), axes=3)
    energy = along.square().sum()

    def score(seen: Activations) -> Float[Tensor, " n"]:
        maps = _fitting(seen, layer, along)
        return dot_cosine(maps, along, cosine_power).sum((1, 2)) / energy.to(maps)

    name = call("caricature", repr(layer), described(target), cosine_power=(cosine_power, 0))
    return Objective(name, frozenset({layer}), score, placed=True)


def gram(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c c"]:
    """The mean over all positions of the products of each two channels.

    >>> gram(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[[5.]]])
    """
    rows = maps.flatten(2)
    return rows @ rows.mT / rows.shape[2]


def _what(layer: str) -> str:
    return f"the target in layer {layer!r}"


def _fitting(seen: Activations, layer: str, target: Tensor) -> Float[Tensor, "n c h w"]:
    maps = seen[layer]
    if maps.shape[1:] != target.shape[-3:]:
        has = f"has {times(maps.shape[1:])} (channels, rows, columns) here, the target {times(target.shape[-3:])}"
        raise UsageError(f"layer {layer!r} {has}; make the target from a picture of this size")
    return maps
