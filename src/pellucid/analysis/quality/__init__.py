"""Whether an optimised picture worked, looks natural, is robust and is about its own unit: a panel, and no score."""

from pellucid.analysis.quality.measure import Reference, quality, reference
from pellucid.analysis.quality.natural import Measure, Natural
from pellucid.analysis.quality.panel import Panel, Worked
from pellucid.analysis.quality.robust import Robust
from pellucid.analysis.quality.specific import Specific

__all__ = ["Measure", "Natural", "Panel", "Reference", "Robust", "Specific", "Worked", "quality", "reference"]
