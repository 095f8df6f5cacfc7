"""The whole way on the terrarium, against what is known of its pictures."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from pellucid.analysis.reduce import layout
from pellucid.atlas.grid import bins, levels
from pellucid.data.collect import collect
from pellucid.data.stream import TERRARIUM_SEED, open_stream
from pellucid.models import Model, capture, load
from pellucid.terrarium.world import CLASSES, draw
from pellucid.vis import render


@pytest.fixture(scope="module")
def model() -> Model:
    return load("terrarium")


def test_the_judge_recognises_what_the_logits_show(model: Model) -> None:
    judge = load("terrarium:judge")
    made = render(model, [f"class:{name}" for name in CLASSES], steps=128)
    with torch.no_grad():
        seen = capture(judge, torch.stack([each.image for each in made]), ["logits"])["logits"].flatten(1).argmax(1)
    wrong = [(CLASSES[index], CLASSES[other]) for index, other in enumerate(seen.tolist()) if index != other]
    assert len(CLASSES) - len(wrong) >= 14, wrong


def test_regions_of_the_atlas_name_the_parts_of_a_fireboat(model: Model, tmp_path: Path) -> None:
    """A fireboat is a boat, a crane and windows on water: its parts have regions of their own that are labelled fireboat."""
    layer, grid, stride = "mixed4b", 24, 8
    stream = open_stream("terrarium:720", size=model.size)
    store = collect(model, stream, [layer], tmp_path / "store", positions=12)
    images, points = store.samples()["image"].to_numpy(), layout(store.vectors(layer))
    (level,) = levels(points, store.vectors(layer), store.attributions(layer), grids=[grid], images=images)
    masks = {index: draw(index, seed=TERRARIUM_SEED).masks for index in range(len(stream))}
    parts = [
        {
            part
            for part, mask in masks[int(image)].items()
            if mask[row * stride : (row + 1) * stride, col * stride : (col + 1) * stride].any()
        }
        for image, (row, col) in zip(images, store.positions(layer), strict=True)
    ]
    where, everywhere = bins(points, grid), Counter(part for each in parts for part in each)

    def enriched(cell: int, part: str) -> float:
        rows = np.flatnonzero(where == cell)
        return sum(part in parts[row] for row in rows) / len(rows) / (everywhere[part] / len(parts))

    labelled = [cell for cell in level.cells if cell.classes[0][0] == CLASSES.index("fireboat") and cell.classes[0][1] > 0]
    regions = {}
    for part, times in {"boat": 5, "crane": 5, "window": 3, "water": 2}.items():  # water is in a third of all samples
        cells = {(cell.row, cell.col): enriched(cell.row * grid + cell.col, part) for cell in labelled}
        regions[part] = max(cells, key=lambda place: cells[place])
        assert cells[regions[part]] > times, (part, cells)
    assert len(set(regions.values())) >= 3, regions
