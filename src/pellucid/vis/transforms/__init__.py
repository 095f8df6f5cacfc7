"""Random changes to the pictures before the network sees them: what survives them is what a unit really looks for.

A `Transform` takes images and one random generator, and returns images. All images share the draws of a call, a fixed number
of them on the CPU, so that a picture depends neither on its batch mates nor on the device.
"""

from pellucid.kernels import resample
from pellucid.vis.transforms.cuts import crop, flip, jitter, pad
from pellucid.vis.transforms.looks import blur, colour, noise, over, over_background
from pellucid.vis.transforms.stacks import article, boxes, lucid, robust, strong
from pellucid.vis.transforms.transform import Transform, chain
from pellucid.vis.transforms.warps import warp

__all__ = [
    "Transform",
    "article",
    "blur",
    "boxes",
    "chain",
    "colour",
    "crop",
    "flip",
    "jitter",
    "lucid",
    "noise",
    "over",
    "over_background",
    "pad",
    "resample",
    "robust",
    "strong",
    "warp",
]
