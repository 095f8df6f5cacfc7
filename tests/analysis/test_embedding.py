"""Walls of pictures and the measures of maps, against counting by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.analysis.embedding import class_pairs, confused_nearer, confusion_with_nearness, neighbour_accuracy, tiles
from pellucid.errors import UsageError


def drawn(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 2))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(0, 99), st.none() | st.integers(1, 20))
def test_every_point_has_a_tile_of_its_own(count: int, seed: int, columns: int | None) -> None:
    found, (tall, wide) = tiles(drawn(count, seed), columns=columns)
    assert len({tuple(each) for each in found.tolist()}) == count
    assert (found >= 0).all() and (found < [tall, wide]).all() and (tall - 1) * wide < count <= tall * wide
    assert sorted((found @ [wide, 1]).tolist()) == list(range(count))  # only the last row may end early


def test_a_grid_stays_as_it_is() -> None:
    rows, cols = (each.flatten() for each in np.mgrid[:7, :5])
    order = np.random.default_rng(0).permutation(35)
    found, size = tiles(np.stack([cols, rows], 1)[order] * [3.0, 0.5], columns=5)
    assert size == (7, 5) and np.array_equal(found, np.stack([rows, cols], 1)[order])


def test_neighbours_stay_neighbours() -> None:
    """Four heaps of points: on the wall most neighbours are of the same heap, where by chance a quarter is."""
    random = np.random.default_rng(0)
    heaps = random.integers(4, size=400)
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])[heaps] + random.normal(scale=0.1, size=(400, 2))
    found, size = tiles(points)
    wall = np.full(size, -1)
    wall[found[:, 0], found[:, 1]] = heaps
    alike = np.concatenate([(wall[1:] == wall[:-1]).flatten(), (wall[:, 1:] == wall[:, :-1]).flatten()])
    assert alike.mean() > 0.85


def test_points_that_are_all_alike_have_tiles_too() -> None:
    assert len(np.unique(tiles(np.zeros((17, 2)))[0], axis=0)) == 17


def votes_by_hand(points: np.ndarray, labels: list[int], k: int) -> float:
    right = 0
    for index, own in enumerate(labels):
        others = sorted((math.dist(points[index], points[other]), other) for other in range(len(labels)) if other != index)
        near = [labels[other] for _, other in others[:k]]
        right += min(set(near), key=lambda label: (-near.count(label), label)) == own
    return right / len(labels)


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 25), st.integers(0, 99), st.integers(1, 5))
def test_neighbours_vote(count: int, seed: int, k: int) -> None:
    points, labels = drawn(count, seed), np.random.default_rng(seed).integers(3, size=count).tolist()
    k = min(k, count - 1)
    assert neighbour_accuracy(points, labels, k) == pytest.approx(votes_by_hand(points, labels, k))
    assert neighbour_accuracy([*points, [0.5, 0.5]], [*labels, -1], k) == pytest.approx(votes_by_hand(points, labels, k))


def test_a_sample_votes_about_as_all_do() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(4, size=600)
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])[labels] + random.normal(scale=0.4, size=(600, 2))
    everybody, some = neighbour_accuracy(points, labels), neighbour_accuracy(points, labels, sample=200)
    assert some == pytest.approx(everybody, abs=0.08) and some != everybody
    assert neighbour_accuracy(points, labels, sample=200, seed=1) != some


def test_duplicates_do_not_vote_for_themselves() -> None:
    """Thirty points in one place: a point's own label is among ten others' as often as chance has it."""
    labels = np.random.default_rng(0).permutation(30) % 2
    assert neighbour_accuracy(np.zeros((30, 2)), labels, 10) < 0.8
    assert neighbour_accuracy(np.zeros((30, 2)), [*range(30)], 1) == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 6), st.integers(12, 60), st.integers(0, 99))
def test_pairs_of_classes_are_counted(kinds: int, count: int, seed: int) -> None:
    """Class by class; some labels are missing, some answers are classes that no label has."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(kinds), random.integers(-1, kinds, count)]) * 3
    points, predicted = random.random((len(labels), 4)), np.where(random.random(len(labels)) < 0.6, labels, random.integers(0, 99))
    pairs, confused, apart = class_pairs(points, np.maximum(labels, -1), predicted)
    for (a, b), share, distance in zip(combinations(range(0, 3 * kinds, 3), 2), confused, apart, strict=True):
        one, other = labels == a, labels == b
        assert share == pytest.approx(((predicted[one] == b).mean() + (predicted[other] == a).mean()) / 2)
        assert distance == pytest.approx(math.dist(points[one].mean(0), points[other].mean(0)))
    assert pairs.tolist() == [list(each) for each in combinations(range(0, 3 * kinds, 3), 2)]
    met, never = apart[confused > 0], apart[confused == 0]
    if len(met) and len(never):
        wins = sum((near < far) + (near == far) / 2 for near in met for far in never) / (len(met) * len(never))
        assert confused_nearer(points, np.maximum(labels, -1), predicted) == pytest.approx(wins)


def test_a_network_that_never_errs_says_nothing_of_nearness() -> None:
    points, labels = drawn(30, 0), np.arange(30) % 5
    assert confused_nearer(points, labels, labels) == 0.5 and confusion_with_nearness(points, labels, labels) == 0


def test_confused_classes_that_are_near_correlate() -> None:
    """Against Spearman's formula, the mean ranks of equal values counted pair by pair."""
    random = np.random.default_rng(1)
    labels, centres = random.integers(5, size=500), random.random((5, 2))
    points = centres[labels] + random.normal(scale=0.05, size=(500, 2))
    predicted = [int(np.linalg.norm(centres - point - random.normal(scale=0.4, size=2), axis=1).argmin()) for point in points]
    pairs = list(combinations(range(5), 2))
    nearness = [-math.dist(points[labels == a].mean(0), points[labels == b].mean(0)) for a, b in pairs]
    said = np.array(predicted)
    taken = [(said[labels == a] == b).mean() + (said[labels == b] == a).mean() for a, b in pairs]
    ranks = [[sum((other < value) + (other == value) / 2 for other in each) for value in each] for each in (nearness, taken)]
    found = confusion_with_nearness(points, labels, predicted)
    assert found == pytest.approx(np.corrcoef(ranks)[0, 1]) and found > 0.5
    assert abs(confusion_with_nearness(points, labels, random.permutation(said))) < found


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="no points"):
        tiles(np.zeros((0, 2)))
    with pytest.raises(UsageError, match="columns=0"):
        tiles(np.zeros((3, 2)), columns=0)
    with pytest.raises(UsageError, match="k=3: 3 labelled points have 1 to 2 neighbours"):
        neighbour_accuracy(np.zeros((4, 2)), [0, 1, 0, -1], 3)
    with pytest.raises(UsageError, match="labels: 2 for 3 points"):
        neighbour_accuracy(np.zeros((3, 2)), [0, 1], 1)
    with pytest.raises(UsageError, match="labels: 2 classes"):
        confusion_with_nearness(np.zeros((3, 2)), [0, 1, 1], [0, 1, 1])
    with pytest.raises(UsageError, match="predicted: 2 classes for 3 points"):
        confusion_with_nearness(np.zeros((3, 2)), [0, 1, 2], [0, 1])
