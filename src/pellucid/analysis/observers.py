"""What is kept of a collection for all that is asked of it later."""

from __future__ import annotations

from pellucid.analysis.examples import TopExamples
from pellucid.analysis.histogram import Histograms
from pellucid.analysis.search import Means
from pellucid.data.collect import Observer


def observers(examples: int, *, several: bool = False) -> list[Observer]:
    """Examples from both ends, histograms, and the means of each picture.

    Args:
        examples: of each channel and end, from 1.
        several: whether a picture may give more than one of them.

    >>> [each.name for each in observers(9)]
    ['examples', 'least', 'histograms', 'means']
    """
    return [TopExamples(examples, several=several), TopExamples(examples, least=True, several=several), Histograms(), Means()]
