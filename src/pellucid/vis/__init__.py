"""From a network to pictures of what its units look for (knows no dataset)."""

from pellucid.vis.methods import Method
from pellucid.vis.objectives import Objective, channel, direction, logit, neuron, parse_unit
from pellucid.vis.params import Parameterization, fourier, pixel
from pellucid.vis.render import natural_size, render
from pellucid.vis.rendering import Diverged, Rendering
from pellucid.vis.transforms import Transform, robust, warp

__all__ = [
    "Diverged",
    "Method",
    "Objective",
    "Parameterization",
    "Rendering",
    "Transform",
    "channel",
    "direction",
    "fourier",
    "logit",
    "natural_size",
    "neuron",
    "parse_unit",
    "pixel",
    "render",
    "robust",
    "warp",
]
