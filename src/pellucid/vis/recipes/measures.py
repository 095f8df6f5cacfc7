"""What the recipes measure: scores and activations of finished pictures, and how alike these are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.layer_gradients import keeping
from pellucid.models.model import Model
from pellucid.vis.objectives import IMAGE, Objective, gram, parse_unit
from pellucid.vis.rendering import Rendering

BATCH = 32


class SilentUnitError(UsageError):
    """A unit answered nothing at any step, so that there is nothing to show.

    Attributes:
        single: what became of its optimum.
    """

    def __init__(self, single: Rendering) -> None:
        super().__init__(f"{single.objective} answers no more to its own picture than to noise, nothing at all; give another unit")
        self.single = single


def one(unit: str | Objective, model: Model) -> Objective:
    """The objective of a unit, which speaks about single pictures.

    Raises:
        UsageError: it speaks about several pictures together.
    """
    objective = parse_unit(unit, model) if isinstance(unit, str) else unit
    if objective.pictures is not None:
        raise UsageError(f"{objective} speaks about {objective.pictures} pictures together; give the objective of one unit")
    return objective


def answers(model: Model, objective: Objective, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The objective of each picture, without transforms.

    >>> import pellucid.models as models
    >>> from pellucid.vis.objectives import channel
    >>> answers(models.load("terrarium"), channel("conv1", 0), torch.rand(5, 3, 64, 64)).shape
    torch.Size([5])
    """
    layers = sorted(objective.layers - {IMAGE})

    def score(batch: Tensor) -> Tensor:
        maps = {name: each.float() for name, each in capture(model, batch, layers).items()} if layers else {}
        return objective(maps | {IMAGE: batch}).expand(len(batch))

    return _batched(images, score)


def pooled(model: Model, layer: str, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """The mean activation of each channel, for each picture."""
    return _batched(images, lambda batch: capture(model, batch, [layer])[layer].float().mean((2, 3)))


def likeness(model: Model, layer: str, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n n"]:
    """Cosines between the pictures' Gram matrices of a layer: 1 for the same textures, wherever they are."""
    flat = _batched(images, lambda batch: normalize(gram(capture(model, batch, [layer])[layer].float()).flatten(1), dim=1))
    return flat @ flat.T


def between(square: Float[Tensor, "n n"]) -> float:
    """The mean over all pairs, without the diagonal; 0 where there is no pair.

    >>> between(torch.tensor([[1.0, 0.5], [0.5, 1.0]]))
    0.5
    """
    count = len(square)
    return float((square.sum() - square.diagonal().sum()) / max(1, count * (count - 1)))


def gained(single: Rendering) -> float:
    """How far a unit's optimum lies above the noise it began with: what weights, losses and shares are measured in.

    Raises:
        SilentUnitError: the unit answered nothing at any step.
        UsageError: it answers no more to its own picture than to noise.
    """
    gain = single.score - single.history[0]
    if single.silent:
        raise SilentUnitError(single)
    if not gain > 0:
        raise UsageError(f"{single.objective} answers no more to its own picture than to noise; give another unit")
    return gain


def attributions(model: Model, objective: Objective, layer: str, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """How much each channel of a layer gives to the objective of each picture: activation times gradient, summed over positions.

    >>> import pellucid.models as models
    >>> from pellucid.vis import logit
    >>> attributions(models.load("terrarium"), logit(0), "mixed4a", torch.rand(2, 3, 96, 96)).shape
    torch.Size([2, 160])
    """
    return _derived(model, objective, layer, images, lambda maps, gradient: gradient * maps).sum((2, 3))


def sensitivities(model: Model, objective: Objective, layer: str, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " f"]:
    """How much the objective rises with each channel of a layer: its mean gradient over positions and pictures.

    In the unit's own layer 1 for all, as in `reasons`.
    """
    if layer in objective.layers:
        return torch.ones(model.layer(layer).channels)
    return _derived(model, objective, layer, images, lambda maps, gradient: gradient).mean((0, 2, 3))


def reasons(model: Model, objective: Objective, layer: str, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
    """What in a layer speaks for an objective in each picture, at length one, so that how much it does so does not count.

    In the unit's own layer, where only the unit speaks for itself, what else is active.
    """
    own = layer in objective.layers
    return normalize(pooled(model, layer, images) if own else attributions(model, objective, layer, images), dim=1)


def _derived(
    model: Model, objective: Objective, layer: str, images: Float[Tensor, "n c h w"], combine: Callable[[Tensor, Tensor], Tensor]
) -> Float[Tensor, "n f h w"]:
    """What is made of a layer's output and the objective's gradient with respect to it, as maps."""
    form = model.place(layer).form

    def derive(batch: Tensor) -> Tensor:
        with torch.enable_grad(), keeping(model, [layer]) as kept:
            inputs = batch.detach().requires_grad_()
            maps = capture(model, inputs, sorted(objective.layers - {IMAGE}))
            (gradient,) = torch.autograd.grad(objective(maps | {IMAGE: inputs}).sum(), kept[layer])
        return form.to_map(combine(kept[layer], gradient).detach(), (batch.shape[2], batch.shape[3])).float()

    return _batched(images, derive)


def windows(images: Float[Tensor, "n c h w"], size: tuple[int, int]) -> list[Float[Tensor, "n c p q"]]:
    """All images, cut to windows of a size that together cover them and overlap by half or more.

    Raises:
        UsageError: the images are smaller than a window, or there are none.

    >>> [tuple(each.shape) for each in windows(torch.rand(2, 3, 96, 128), (96, 96))]
    [(2, 3, 96, 96), (2, 3, 96, 96)]
    """
    if images.ndim != 4 or not len(images) or any(have < want for have, want in zip(images.shape[2:], size, strict=True)):
        raise UsageError(f"images: shape {tuple(images.shape)}; at least one of {size[0]} × {size[1]} px or more is wanted")
    corners = [(row, col) for row in _steps(images.shape[2], size[0]) for col in _steps(images.shape[3], size[1])]
    return [images[:, :, row : row + size[0], col : col + size[1]] for row, col in corners]


def _steps(length: int, window: int) -> list[int]:
    """Where windows begin: from the first place to the last, no further apart than half a window.

    >>> _steps(10, 10), _steps(11, 10), _steps(20, 10)
    ([0], [0, 1], [0, 5, 10])
    """
    last = length - window
    count = math.ceil(2 * last / window)
    return [round(last * each / max(1, count)) for each in range(count + 1)]


def _batched(images: Float[Tensor, "n c h w"], function: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.no_grad():
        return torch.cat([function(batch).cpu() for batch in images.split(BATCH)])
