"""All methods by name, for what goes through them: the command line, tables, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.cam import cam
from pellucid.analysis.attribution.layers import activation_gradient, grad_cam, grad_cam_plus, layer_cam
from pellucid.analysis.attribution.occlusion import occlusion
from pellucid.analysis.attribution.paths import integrated_gradients, smoothgrad
from pellucid.analysis.attribution.pixels import deconvnet, gradient_input, guided_backpropagation, saliency
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.rollout import attention_rollout
from pellucid.analysis.attribution.targets import Target
from pellucid.errors import NotFoundError, UsageError
from pellucid.models.model import Model


@dataclass(frozen=True)
class Entry:
    """One method.

    Attributes:
        title: what people call it.
        function: called `function(model, images, target)`, with `layer=` where it is at a layer.
        at_layer: whether its map is that of a layer, which can be chosen.
        by_target: whether another target gives another map.
    """

    title: str
    function: Callable[..., Attribution]
    at_layer: bool = False
    by_target: bool = True


METHODS: dict[str, Entry] = {
    "saliency": Entry("Saliency", saliency),
    "gradient-input": Entry("Gradient × input", gradient_input),
    "smoothgrad": Entry("SmoothGrad", smoothgrad),
    "integrated-gradients": Entry("Integrated gradients", integrated_gradients),
    "guided": Entry("Guided backpropagation", guided_backpropagation),
    "deconvnet": Entry("Deconvnet", deconvnet),
    "occlusion": Entry("Occlusion", occlusion),
    "cam": Entry("CAM", cam),
    "grad-cam": Entry("Grad-CAM", grad_cam, at_layer=True),
    "grad-cam++": Entry("Grad-CAM++", grad_cam_plus, at_layer=True),
    "layer-cam": Entry("LayerCAM", layer_cam, at_layer=True),
    "activation-gradient": Entry("Activation × gradient", activation_gradient, at_layer=True),
    "rollout": Entry("Attention rollout", attention_rollout, by_target=False),
}


def attribute(
    model: Model, images: Float[Tensor, "n c h w"], target: Target, *, method: str, layer: str | None = None
) -> Attribution:
    """An attribution by the name of its method, with the method's own settings.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        method: a name out of `METHODS`.
        layer: for the methods at a layer; None for the last one with a map of more than a few positions.

    Raises:
        NotFoundError: no such method or layer.
        UsageError: a layer for a method that knows none; else what the method raises.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> model, images = models.load("terrarium"), torch.rand(1, 3, 96, 96)
        >>> attribute(model, images, "class:lake", method="layer-cam", layer="mixed3b").map.shape
        torch.Size([1, 24, 24])
    """
    if method not in METHODS:
        raise NotFoundError("method", method, METHODS)
    entry = METHODS[method]
    if layer is None:
        return entry.function(model, images, target)
    if not entry.at_layer:
        at = ", ".join(name for name, each in METHODS.items() if each.at_layer)
        raise UsageError(f"layer={layer!r}: {method} knows no layer; {at} do")
    return entry.function(model, images, target, layer=layer)
