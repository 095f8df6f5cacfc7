"""Pooling, warps, counts and extremes as loops that numba compiles: what torch's operators for a CPU do several times slower.

Where numba is not installed, or for what the loops do not cover, the functions here are torch's own.
"""

from pellucid.kernels.peaks import extremes
from pellucid.kernels.pooling import max_pool2d
from pellucid.kernels.tallying import tally
from pellucid.kernels.warping import resample

__all__ = ["extremes", "max_pool2d", "resample", "tally"]
