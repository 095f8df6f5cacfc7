"""Activation times gradient at the positions of a layer: as it is, and the Grad-CAM family."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.parts import gradients, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, Targets, targets_of
from pellucid.errors import PellucidError, UsageError
from pellucid.models.model import OUTPUT, Model
from pellucid.models.pooling import relaxed_pooling
from pellucid.models.spanning import spanning_layers

Maps = Float[Tensor, "n c h w"]
Weigh = Callable[[Maps, Maps], Tensor]


def activation_gradient(
    model: Model, images: Float[Tensor, "n c h w"], target: Target, *, layer: str | None = None, relaxed: bool = False
) -> Attribution:
    """What each channel at each position of a layer gives to the score: activation times gradient, without any averaging.

    Olah et al. 2018, "The Building Blocks of Interpretability", Distill, "Attribution"; the same map is HiResCAM's (Draelos &
    Carin 2020, arXiv:2011.08891). To first order, so that at a layer from which the score is linear it is the exact contribution.
    `channels` are its sums over positions. Of tokens only those of the grid are in it.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        layer: one that the target is computed from; None for the last before it with a map of more than a few positions, of
            which, where they are tokens, the target reads more than the class token.
        relaxed: whether max pools share their gradient among all values, which shows less of a chessboard, see `relaxed_pooling`.

    Raises:
        NotFoundError: no such layer.
        PellucidError: the layer has no part in the score; else as in `saliency`.

    Example:
        >>> import pellucid.models as models
        >>> found = activation_gradient(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", layer="mixed3b")
        >>> found.map.shape, found.channels.shape
        (torch.Size([1, 24, 24]), torch.Size([1, 128]))
    """
    with relaxed_pooling() if relaxed else nullcontext():
        return _at_layer("activation-gradient", model, images, target, layer, lambda maps, slopes: slopes, rectify=False)


def grad_cam(model: Model, images: Float[Tensor, "n c h w"], target: Target, *, layer: str | None = None) -> Attribution:
    """The channels of a layer, each weighed by its mean gradient; where their sum is negative, nothing.

    Selvaraju et al. 2017, arXiv:1610.02391, section 3, equations 1 and 2. Where the network goes on from the layer with the mean
    over positions and a linear map, it is CAM but for the rectification.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        layer: one that the target is computed from; None for the last before it with a map of more than a few positions, of
            which, where they are tokens, the target reads more than the class token.

    Raises:
        as `activation_gradient`.

    Example:
        >>> import pellucid.models as models
        >>> found = grad_cam(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake")
        >>> found.layer.name, found.map.shape, found.upsampled().shape
        ('mixed4b', torch.Size([1, 12, 12]), torch.Size([1, 96, 96]))
    """
    return _at_layer("grad-cam", model, images, target, layer, lambda maps, slopes: slopes.mean((2, 3), keepdim=True))


def grad_cam_plus(model: Model, images: Float[Tensor, "n c h w"], target: Target, *, layer: str | None = None) -> Attribution:
    """Grad-CAM++: the channels weighed by their positive gradients, so that each of several things of a class counts as much.

    Chattopadhyay et al. 2018, arXiv:1710.11063, section 3.2, equations 10 and 19, for the exponential of the score, whose
    derivatives all have the same factor.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        layer: as in `grad_cam`.

    Raises:
        as `activation_gradient`.

    Example:
        >>> import pellucid.models as models
        >>> grad_cam_plus(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake").map.shape
        torch.Size([1, 12, 12])
    """
    return _at_layer("grad-cam++", model, images, target, layer, _plus)


def layer_cam(model: Model, images: Float[Tensor, "n c h w"], target: Target, *, layer: str | None = None) -> Attribution:
    """Activation times gradient where the gradient is positive: a map that stays sharp in early layers too.

    Jiang et al. 2021, "LayerCAM", IEEE Transactions on Image Processing 30, section III, equations 6 to 8.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        layer: as in `grad_cam`.

    Raises:
        as `activation_gradient`.

    Example:
        >>> import pellucid.models as models
        >>> layer_cam(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", layer="mixed3a").map.shape
        torch.Size([1, 24, 24])
    """
    return _at_layer("layer-cam", model, images, target, layer, lambda maps, slopes: slopes.clamp(min=0))


def _at_layer(
    method: str, model: Model, images: Tensor, target: Target, layer: str | None, weigh: Weigh, *, rectify: bool = True
) -> Attribution:
    """The activations of a layer, each weighed by something made of activations and gradients."""
    targets = targets_of(target, model, images)
    name = _last_that_counts(model, images, targets) if layer is None else layer
    found = gradients(model, images, targets, layers=[name], pixels=False)
    if model.place(name).form.extra and not found.gradients[name].any():
        raise UsageError(f"layer={name!r}: the target reads it at its class token alone; name an earlier layer")
    maps, slopes = found.maps[name], found.gradients[name]
    values = weigh(maps, slopes) * maps
    total = values.sum(1)
    shown = total.clamp(min=0) if rectify else total
    return Attribution(method, targets.names, model.layer(name), size_of(images), found.scores, values, shown)


def _plus(maps: Maps, slopes: Maps) -> Float[Tensor, "n c 1 1"]:
    squares = slopes.square()
    below = 2 * squares + maps.sum((2, 3), keepdim=True) * squares * slopes
    shares = squares / torch.where(below != 0, below, 1.0)
    return (shares * slopes.clamp(min=0)).sum((2, 3), keepdim=True)


def _last_that_counts(model: Model, images: Tensor, targets: Targets) -> str:
    """The last map of more than a few positions before the target; of tokens the last that it reads beyond the class token."""
    last = _last_before(model, targets.layers)
    if not model.place(last).form.extra:
        return last
    one = Targets(targets.objectives[:1])
    depth = max(map(model.depth, one.layers), default=0)
    names = [name for name in model.layers if model.place(name).form.extra and model.depth(name) <= depth]
    for name in reversed(names):
        with suppress(PellucidError):  # unused
            if gradients(model, images[:1], one, layers=[name], pixels=False).gradients[name].any():
                return name
    return last


def _last_before(model: Model, read: list[str]) -> str:
    """The last spanning layer before those that are read; where there is none, the first of those themselves."""
    names = spanning_layers(model)
    if OUTPUT in read or not read:
        return names[-1]
    first = min(read, key=model.depth)
    return next((name for name in reversed(names) if model.depth(name) < model.depth(first)), first)
