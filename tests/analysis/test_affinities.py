"""Likeness of units and the classes that they speak for, against counting by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from pellucid.analysis import affinities
from pellucid.analysis.affinities import correlations, favours
from pellucid.errors import UsageError


def answers(pictures: int = 90, channels: int = 7, seed: int = 0) -> np.ndarray:
    """Far from zero beside how much they vary, where sums of squares would lose their digits."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(pictures, channels)) @ random.normal(size=(channels, channels))
    return 1000 + mixed


@pytest.mark.parametrize("block", [1 << 22, 50])
def test_correlations_are_those_of_the_columns(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(affinities, "BLOCK", block)
    vectors = answers()
    found = correlations(vectors, [4, 0, 6])
    for i, one in enumerate([4, 0, 6]):
        for j, other in enumerate([4, 0, 6]):
            wanted = statistics.correlation(vectors[:, one].tolist(), vectors[:, other].tolist())
            assert found[i, j] == pytest.approx(wanted, abs=1e-9)


def test_a_unit_that_answers_the_same_to_all_is_like_none() -> None:
    vectors = answers()
    vectors[:, 2] = 5
    found = correlations(vectors, range(7))
    assert not found[2].any() and not found[:, 2].any() and found[1, 1] == 1


def spoken(vectors: np.ndarray) -> np.ndarray:
    """What is attributed to five classes: the first two follow units 1 and 4, the third both, the others none."""
    noise = np.random.default_rng(3).normal(scale=9, size=(len(vectors), 5))
    one, other = (vectors[:, unit] - vectors[:, unit].mean() for unit in (1, 4))
    noise[:, :3] += 4 * np.stack([one, other, one + other], 1)
    return 50 + noise


@pytest.mark.parametrize("block", [1 << 22, 50])
def test_favours_are_the_classes_that_stand_out(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(affinities, "BLOCK", block)
    vectors = answers(400)
    attributions = spoken(vectors)
    found = favours(vectors, attributions, [1, 4, 6], pictures=80)
    assert found[0] and found[1] and all(len(each) < 5 for each in found)
    for unit, classes in zip([1, 4, 6], found, strict=True):
        beyond = [[value - statistics.fmean(row) for value in row] for row in attributions.tolist()]
        all_ = [statistics.correlation(vectors[:, unit].tolist(), [row[index] for row in beyond]) for index in range(5)]
        wanted = sorted((-value, index) for index, value in enumerate(all_) if value >= 4 / math.sqrt(80))
        assert [each.index for each in classes] == [index for _, index in wanted]
        assert [each.correlation for each in classes] == pytest.approx([-value for value, _ in wanted], abs=1e-9)


def test_chance_names_no_class() -> None:
    """Of 300 units that know nothing of 40 classes fewer than one in thirty names any."""
    random = np.random.default_rng(2)
    found = favours(random.normal(size=(800, 300)), random.normal(size=(800, 40)), range(300), pictures=800)
    assert sum(map(bool, found)) < 10


def test_what_is_attributed_to_all_classes_alike_names_none() -> None:
    vectors = answers(400)
    assert favours(vectors, vectors[:, [1, 1, 1]], [1], pictures=400) == [[]]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="no rows"):
        correlations(np.empty((0, 3)), [0])
    with pytest.raises(UsageError, match="attributions: 3 rows for 4 samples"):
        favours(np.ones((4, 1)), np.ones((3, 2)), [0], pictures=4)
