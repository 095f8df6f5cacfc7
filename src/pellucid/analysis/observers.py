"""What is kept of a collection for all that is asked of it later."""

from __future__ import annotations

from pellucid.analysis.examples import TopExamples
from pellucid.analysis.histogram import Histograms
from pellucid.analysis.search import Means
from pellucid.data.collect import Observer


def observers(examples: int) -> list[Observer]:
    """Examples from both ends, histograms, and the means of each picture.

    Args:
        examples: of each channel and end, from 1.

    >>> [each.name for each in observers(9)]
    ['examples', 'least', 'histograms', 'means']
    """
    return [TopExamples(examples), TopExamples(examples, least=True), Histograms(), Means()]
