"""What a picture should excite: functions from activations to one score per picture, always to be maximised."""

from pellucid.vis.objectives.algebra import IMAGE, Objective, Weight, formed, ramp, scores, sigmoid, tanh
from pellucid.vis.objectives.between import alignment, diversity, each, interpolate
from pellucid.vis.objectives.forms import Activations, Form
from pellucid.vis.objectives.parse import parse_unit
from pellucid.vis.objectives.pictures import (
    bilateral_residual,
    blur_residual,
    border,
    high_frequency,
    l1,
    l2,
    opacity,
    total_variation,
)
from pellucid.vis.objectives.reference import caricature, gram, matching, style
from pellucid.vis.objectives.units import (
    Position,
    channel,
    direction,
    layer,
    log_probability,
    logit,
    neuron,
    probability,
    tensor_direction,
    vectors_at,
)

__all__ = [
    "IMAGE",
    "Activations",
    "Form",
    "Objective",
    "Position",
    "Weight",
    "alignment",
    "bilateral_residual",
    "blur_residual",
    "border",
    "caricature",
    "channel",
    "direction",
    "diversity",
    "each",
    "formed",
    "gram",
    "high_frequency",
    "interpolate",
    "l1",
    "l2",
    "layer",
    "log_probability",
    "logit",
    "matching",
    "neuron",
    "opacity",
    "parse_unit",
    "probability",
    "ramp",
    "scores",
    "sigmoid",
    "style",
    "tanh",
    "tensor_direction",
    "total_variation",
    "vectors_at",
]
