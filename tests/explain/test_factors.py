"""All classes on one map, and the words of each position, against what was put in and plain sorting."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from pellucid.errors import UsageError
from pellucid.explain.dictionary import dictionary
from pellucid.explain.factors import class_factors
from pellucid.explain.tape import record
from pellucid.models import load


def test_two_ways_of_speaking_are_found_in_all_layers() -> None:
    """Left speaks for the classes 0 and 1, right for 3 and 4, ten times as loud in the one layer; all speak against 2."""
    generator = torch.Generator().manual_seed(0)
    loud, quiet = torch.zeros(5, 4, 6), torch.zeros(5, 2, 2)
    for map, scale in ((loud, 10.0), (quiet, 1.0)):
        half = map.shape[2] // 2
        map[0, :, :half], map[1, :, :half] = 2 * scale, scale
        map[3, :, half:], map[4, :, half:] = scale, 3 * scale
        map += 0.01 * scale * torch.rand(map.shape, generator=generator)
        map[2] = -5 * scale
    found = class_factors({"loud": loud, "quiet": quiet})
    assert sorted(found.top(2)) == [[0, 1], [4, 3]] and found.explained > 0.99
    left = found.top(1).index([0])
    for map in found.maps.values():
        half = map.shape[2] // 2
        assert map[left, :, :half].min() > 20 * map[left, :, half:].max()
        assert map[1 - left, :, half:].min() > 20 * map[1 - left, :, :half].max()
    back = torch.einsum("fk,fhw->khw", found.classes, found.maps["loud"])
    torch.testing.assert_close(back, loud.clamp(min=0), atol=0.3, rtol=0)


def test_where_nothing_speaks_there_are_no_factors() -> None:
    with pytest.raises(UsageError, match="nothing speaks for any class"):
        class_factors({"a": -torch.rand(5, 3, 3)})


def test_one_place_has_one_factor() -> None:
    values = torch.tensor([0.1, 0.5, 0.2, -1.0, 0.3])
    assert class_factors({"a": values[:, None, None]}).top(3) == [[1, 4, 2]]


def test_the_words_of_each_position_by_sorting() -> None:
    tape = record(load("terrarium"), torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)), ["mixed4b"])
    found, map = dictionary(tape, "mixed4b", 3), tape.maps["mixed4b"]
    said: dict[int, float] = {}
    for row in range(12):
        for col in range(12):
            best = sorted(range(192), key=lambda c: -float(map[c, row, col]))[:3]
            assert [float(map[c, row, col]) for c in best] == found.values[row, col].tolist()
            assert [float(map[c, row, col]) for c in found.channels[row, col].tolist()] == found.values[row, col].tolist()
            assert float(found.lengths[row, col]) == pytest.approx(float(map[:, row, col].square().sum().sqrt()), rel=1e-5)
            for c in found.channels[row, col].tolist():
                said[c] = said.get(c, 0.0) + float(map[c, row, col])
    assert found.lengths[found.strongest] == found.lengths.max()
    words = found.vocabulary()
    assert set(words) == {c for c, value in said.items() if value > 0} and words[:5] == found.vocabulary(5)
    totals = [said[c] for c in words]
    assert all(more >= less - 1e-4 for more, less in pairwise(totals))


def test_the_words_of_a_cell_are_those_of_its_mean() -> None:
    tape = record(load("terrarium"), torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)), ["mixed4b"])
    found = dictionary(tape, "mixed4b", 2, most=5)
    assert (found.cells.rows, found.cells.cols, found.cells.side) == (4, 4, 3)
    for row in range(4):
        for col in range(4):
            positions = tape.maps["mixed4b"][:, 3 * row : 3 * row + 3, 3 * col : 3 * col + 3]
            torch.testing.assert_close(found.values[row, col], positions.mean((1, 2)).sort(descending=True).values[:2])
            assert float(found.lengths[row, col]) == pytest.approx(float(positions.norm(dim=0).mean()), rel=1e-5)


def test_a_small_layer_has_fewer_words() -> None:
    tape = record(load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
    assert dictionary(tape, "mixed4b", 500).channels.shape == (12, 12, 192)
