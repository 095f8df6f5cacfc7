"""Whether a map can be believed: does it point at the thing, does what it marks matter, does it know the weights, does it hold?"""

from pellucid.analysis.attribution.trust.checks import Checks, checks
from pellucid.analysis.attribution.trust.curves import Curve, deletion, insertion
from pellucid.analysis.attribution.trust.likeness import completeness, rank_correlation, stability
from pellucid.analysis.attribution.trust.pointing import main_mask, pointing_game
from pellucid.analysis.attribution.trust.randomised import Randomisation, randomisation

__all__ = [
    "Checks",
    "Curve",
    "Randomisation",
    "checks",
    "completeness",
    "deletion",
    "insertion",
    "main_mask",
    "pointing_game",
    "randomisation",
    "rank_correlation",
    "stability",
]
