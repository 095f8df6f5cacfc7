"""What a build found, for the site that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pellucid.analysis.affinities import Favour
from pellucid.analysis.examples import Examples
from pellucid.analysis.histogram import Histogram
from pellucid.analysis.spectrum import Bucket
from pellucid.atlas.grid import Level
from pellucid.models import Layer


@dataclass(frozen=True)
class UnitFinding:
    """One unit's optimised picture and how it was made."""

    name: str
    channel: int
    file: Path
    score: float
    history: Sequence[float]
    silent: bool  # nothing moved it: there is no picture to show
    quality: Sequence[str]  # what was found about the picture, in sentences
    settings: str
    negative: Path | None = None  # the picture that it answers least, where it answers anything below zero


@dataclass(frozen=True)
class AtlasFinding:
    """A layer's map: its levels, whose cells know the cosine that their icons reach, and the icons' files, level by level."""

    samples: int
    method: str
    trustworthiness: float | None
    whitened: bool
    levels: Sequence[Level]
    icons: Sequence[Sequence[Path]]

    @property
    def median_cosine(self) -> float:
        reached = [cell.cosine for level in self.levels for cell in level.cells if cell.cosine is not None]
        return float(np.median(reached)) if reached else 0.0


@dataclass(frozen=True)
class ConceptFinding:
    """How well units agree with concepts: for each the best ones and their IoU."""

    pictures: int
    concepts: int
    limit: float
    scores: Sequence[Sequence[tuple[str, float]]]


@dataclass(frozen=True)
class Findings:
    """What a build knows of one layer."""

    layer: Layer
    units: Sequence[UnitFinding]
    examples: Examples
    spectrum: Sequence[Bucket]
    histogram: Histogram
    likeness: Float[np.ndarray, "u u"]  # correlations of the units above
    favours: Sequence[Sequence[Favour]]  # of each of them
    concepts: ConceptFinding | None  # none: no concepts are known
    atlas: AtlasFinding
