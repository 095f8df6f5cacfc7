"""What is optimised: numbers that a picture is computed from, chosen so that gradient descent finds natural pictures."""

from pellucid.vis.params.canvas import Canvas, Parameterization, noise
from pellucid.vis.params.colour import COLOURS, Colours, Matrix, fit_colours, mixing, squash, unsquash
from pellucid.vis.params.frames import shared
from pellucid.vis.params.opacity import transparent
from pellucid.vis.params.patterns import cppn
from pellucid.vis.params.phases import Magnitude, maco, mean_magnitude
from pellucid.vis.params.pixels import pixel
from pellucid.vis.params.pyramid import laplacian
from pellucid.vis.params.spectrum import CONSTANT, CONTRAST, amplitudes, fourier

__all__ = [
    "COLOURS",
    "CONSTANT",
    "CONTRAST",
    "Canvas",
    "Colours",
    "Magnitude",
    "Matrix",
    "Parameterization",
    "amplitudes",
    "cppn",
    "fit_colours",
    "fourier",
    "laplacian",
    "maco",
    "mean_magnitude",
    "mixing",
    "noise",
    "pixel",
    "shared",
    "squash",
    "transparent",
    "unsquash",
]
