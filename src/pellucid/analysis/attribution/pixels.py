"""One gradient at the picture: saliency, gradient times input, guided backpropagation, deconvnet."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.parts import gradients, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, targets_of
from pellucid.models.model import Model
from pellucid.models.rectified import Rule, deconvolved, guided


def saliency(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """How much the target's score changes with each pixel: the absolute gradient, its maximum over the colours.

    Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.1. The `values` are the gradient itself.

    Args:
        model: from `load`; left as it was, also after an exception. So in all methods.
        images: in [0, 1].
        target: whose score: a unit or a difference of two as text, an objective, or one of these for each image.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: images that the model does not take, or targets that are no targets.
        PellucidError: the target has no gradient at the picture, or a single picture does not fit into memory.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> found = saliency(models.load("terrarium"), torch.rand(2, 3, 96, 96), ["class:lake", "mixed3a:7@2,3"])
        >>> found.map.shape, found.target
        (torch.Size([2, 96, 96]), ('logit(2)', "neuron('mixed3a', 7, row=2, col=3)"))
    """
    return _projected("saliency", model, images, target, None)


def guided_backpropagation(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """The gradient with whatever is negative dropped at every ReLU on its way: sharp pictures of what lies in the picture anyway.

    Springenberg et al. 2015, arXiv:1412.6806, section 3.4. The `values` are the coloured picture that is usually shown, the map is
    its largest absolute colour. It hardly depends on the weights above the first layers (Adebayo et al. 2018, arXiv:1810.03292):
    show what `randomisation` says of it beside it.

    Args:
        model: from `load`, with ReLUs and no other activations.
        images: in [0, 1].
        target: whose score, as in `saliency`.

    Raises:
        UsageError: the network has other activations, which are named; else as in `saliency`.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> guided_backpropagation(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake").values.shape
        torch.Size([1, 3, 96, 96])
    """
    return _projected("guided", model, images, target, guided)


def deconvnet(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """A unit projected back to the picture: max pools undone at the switches, the signal rectified, filters transposed.

    Zeiler & Fergus 2014, arXiv:1311.2901, section 2.1, for one neuron (`layer:channel@row,col`), a channel or a class. The
    projection starts from 1 and not from the activation, which is a factor only. In a network without ReLUs and pools it is the
    gradient. The `values` are the coloured picture, the map is its largest absolute colour.

    Args:
        model: from `load`, with ReLUs and no other activations.
        images: in [0, 1].
        target: whose score, as in `saliency`.

    Raises:
        UsageError: the network has other activations, which are named; else as in `saliency`.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> deconvnet(models.load("terrarium"), torch.rand(1, 3, 96, 96), "mixed3a:7@2,3").map.shape
        torch.Size([1, 96, 96])
    """
    return _projected("deconvnet", model, images, target, deconvolved)


def gradient_input(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """The gradient times the picture itself, summed over the colours: to first order what each pixel gives, against black.

    Shrikumar et al. 2016, arXiv:1605.01713, section 2.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.

    Raises:
        as `saliency`.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> found = gradient_input(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake - class:beach")
        >>> torch.equal(found.map, found.values.sum(1))
        True
    """
    targets = targets_of(target, model, images)
    found = gradients(model, images, targets)
    assert found.pixels is not None
    values = images.detach().float().cpu() * found.pixels
    return Attribution("gradient-input", targets.names, None, size_of(images), found.scores, values, values.sum(1))


def _projected(method: str, model: Model, images: Tensor, target: Target, rule: Rule | None) -> Attribution:
    targets = targets_of(target, model, images)
    found = gradients(model, images, targets, rule=rule)
    assert found.pixels is not None
    return Attribution(method, targets.names, None, size_of(images), found.scores, found.pixels, found.pixels.abs().amax(1))
