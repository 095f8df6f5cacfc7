"""Pooling, ReLUs, warps, counts and extremes as loops that numba compiles: torch's operators for a CPU are several times slower.

Where numba is not installed, or for what the loops do not cover, the functions here are torch's own.
"""

from pellucid.kernels.peaks import extremes
from pellucid.kernels.pooling import avg_pool2d, max_pool2d
from pellucid.kernels.rectifying import before_relu, marked, relu
from pellucid.kernels.tallying import tally
from pellucid.kernels.warping import resample

__all__ = ["avg_pool2d", "before_relu", "extremes", "marked", "max_pool2d", "relu", "resample", "tally"]
