"""The concepts that a layer's units agree with best, counted once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pellucid.analysis.concepts import Concepts
from pellucid.analysis.dissect import dissect
from pellucid.files import writing
from pellucid.models import Model
from pellucid.schema import to_json
from pellucid.site.findings import ConceptFinding

NAMED = 3  # concepts that a unit's page names


def score_concepts(
    file: Path, model: Model, layer: str, concepts: Concepts, channels: Sequence[int], *, progress: Callable[[int, int], None]
) -> ConceptFinding:
    """Network Dissection of some channels of a layer, from the file where it was done before.

    Args:
        file: where what is found is kept.
        model: the network.
        layer: one of its layers.
        concepts: of the model's size and channels.
        channels: of the layer.
        progress: called with (pictures done, pictures), each picture counted twice.
    """
    if not file.exists():
        found = dissect(model, layer, concepts, progress=progress)
        best = found.iou[list(channels)].sort(dim=1, descending=True, stable=True)
        scores = [
            [(found.concepts[at], iou) for at, iou in zip(places, values, strict=True) if iou > 0]
            for places, values in zip(best.indices[:, :NAMED].tolist(), best.values[:, :NAMED].tolist(), strict=True)
        ]
        with writing(file) as path:
            path.write_text(to_json([found.pictures, len(found.concepts), found.limit, scores]), encoding="ascii")
    return ConceptFinding(*json.loads(file.read_text(encoding="ascii")))
