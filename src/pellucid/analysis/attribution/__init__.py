"""Where a score comes from: the positions of a picture or of a layer, and the layer's channels.

Every method is called alike, `method(model, images, target, *, ...)`, and gives an `Attribution`.

>>> import pellucid
>>> from pellucid.analysis.attribution import grad_cam
>>> import torch
>>> grad_cam(pellucid.load("terrarium"), torch.rand(1, 3, 96, 96), "class:house - class:lake").map.shape
torch.Size([1, 12, 12])
"""

from pellucid.analysis.attribution.cam import cam
from pellucid.analysis.attribution.classes import class_maps
from pellucid.analysis.attribution.layers import activation_gradient, grad_cam, grad_cam_plus, layer_cam
from pellucid.analysis.attribution.methods import METHODS, Entry, attribute
from pellucid.analysis.attribution.occlusion import occlusion
from pellucid.analysis.attribution.paths import integrated_gradients, smoothgrad
from pellucid.analysis.attribution.pixels import deconvnet, gradient_input, guided_backpropagation, saliency
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.rollout import attention_rollout
from pellucid.analysis.attribution.targets import Target, parse_target

__all__ = [
    "METHODS",
    "Attribution",
    "Entry",
    "Target",
    "activation_gradient",
    "attention_rollout",
    "attribute",
    "cam",
    "class_maps",
    "deconvnet",
    "grad_cam",
    "grad_cam_plus",
    "gradient_input",
    "guided_backpropagation",
    "integrated_gradients",
    "layer_cam",
    "occlusion",
    "parse_target",
    "saliency",
    "smoothgrad",
]
