"""Groups of vectors, against all partitions, all pairs and plain loops."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.recipes.clusters import adjusted_rand, compare, kmeans, precedence, silhouette


def blobs(*sizes: int, spread: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    corners = torch.eye(len(sizes), 4)
    return corners[truth] + spread * torch.randn(len(truth), 4, generator=generator), truth


def cost(rows: Tensor, groups: Tensor) -> float:
    return sum(float((rows[groups == k] - rows[groups == k].mean(0)).square().sum()) for k in groups.unique())


@pytest.mark.parametrize("seed", range(3))
def test_kmeans_is_the_best_of_all_partitions(seed: int) -> None:
    rows = torch.randn(8, 2, generator=torch.Generator().manual_seed(seed))
    groups, means = kmeans(rows, 3, seed=seed)
    best = min(cost(rows, torch.tensor(each)) for each in itertools.product(range(3), repeat=8) if len(set(each)) == 3)
    assert cost(rows, groups) == pytest.approx(best, rel=1e-5)
    for k in range(3):
        torch.testing.assert_close(means[k], rows[groups == k].mean(0))


def test_the_largest_group_comes_first_and_seeds_repeat() -> None:
    rows, truth = blobs(5, 20, 9)
    groups, _ = kmeans(rows, 3, seed=4)
    assert groups.bincount().tolist() == [20, 9, 5]
    assert adjusted_rand(groups, truth) == 1
    assert torch.equal(groups, kmeans(rows, 3, seed=4)[0])


def test_kmeans_wants_different_rows() -> None:
    with pytest.raises(UsageError, match="count=3: there are 2 different vectors"):
        kmeans(torch.tensor([[0.0], [1.0], [1.0]]), 3)


def slow_silhouette(rows: Tensor, groups: Tensor) -> float:
    values = []
    for i, own in enumerate(groups.tolist()):
        mates = [j for j in range(len(rows)) if j != i and groups[j] == own]
        if not mates:
            values.append(0.0)
            continue
        within = sum(float((rows[i] - rows[j]).norm()) for j in mates) / len(mates)
        others = []
        for other in set(groups.tolist()) - {own}:
            members = [j for j in range(len(rows)) if groups[j] == other]
            others.append(sum(float((rows[i] - rows[j]).norm()) for j in members) / len(members))
        values.append((min(others) - within) / max(min(others), within))
    return sum(values) / len(values)


def test_silhouette_is_the_loops() -> None:
    rows = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    groups = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])  # a group of one among them
    assert silhouette(rows, groups) == pytest.approx(slow_silhouette(rows, groups), abs=1e-6)


def test_silhouette_tells_two_clouds_from_one() -> None:
    two, truth = blobs(15, 15)
    one = torch.randn(30, 4, generator=torch.Generator().manual_seed(2))
    assert silhouette(two, truth) > 0.7 > 0.4 > silhouette(one, kmeans(one, 2)[0])


def slow_adjusted_rand(first: Tensor, second: Tensor) -> float:
    """From all pairs: together in both, in the first, in the second (Hubert and Arabie 1985)."""
    pairs = list(itertools.combinations(range(len(first)), 2))
    a = [bool(first[i] == first[j]) for i, j in pairs]
    b = [bool(second[i] == second[j]) for i, j in pairs]
    both, expected = sum(x and y for x, y in zip(a, b, strict=True)), sum(a) * sum(b) / len(pairs)
    return (both - expected) / ((sum(a) + sum(b)) / 2 - expected)


def test_adjusted_rand_counts_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randint(0, 3, (20,), generator=generator) for _ in range(2))
    assert adjusted_rand(first, second) == pytest.approx(slow_adjusted_rand(first, second))
    assert adjusted_rand(first, (first + 1) % 3) == 1
    chance = [adjusted_rand(first, first[torch.randperm(20, generator=generator)]) for _ in range(200)]
    assert abs(sum(chance) / 200) < 0.03


def test_precedence_counts_pairs() -> None:
    first, second = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([2.0, 0.0])
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in first for b in second]
    assert precedence(first, second) == pytest.approx(sum(wins) / len(wins))


def test_a_picture_of_each_group_finds_its_own() -> None:
    rows, truth = blobs(10, 6)
    chosen = torch.tensor([True] * 10 + [False] + [True] * 6)
    made = torch.stack([rows[truth == k].mean(0) for k in range(2)]) + 5  # what both have in common does not count
    found = compare(rows, truth, made, chosen, seed=0)
    assert found.groups == (0,) * 10 + (-1,) + (1,) * 6
    assert found.retrieval == (1.0, 1.0) and found.stability == 1
    assert found.silhouette == pytest.approx(silhouette(rows, truth))
    assert compare(rows, truth, made.flip(0), chosen, seed=0).retrieval == (0.0, 0.0)
