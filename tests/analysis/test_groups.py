"""Groups of neurons against groups that were put in."""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pellucid.analysis.groups import groups, picture_groups
from pellucid.errors import MissingExtraError, UsageError
from pellucid.models import load

Method = Literal["nmf", "kmeans"]


def planted(seed: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three directions over twelve channels, hardly overlapping; vectors that have one or several of them, and their strengths."""
    random = np.random.default_rng(seed)
    directions = np.zeros((3, 12), np.float32)
    for index, row in enumerate(directions):
        row[4 * index : 4 * index + 5] = random.uniform(0.5, 1, len(row[4 * index : 4 * index + 5]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strengths = random.exponential(1, (rows, 3)) * (random.random((rows, 3)) < [0.7, 0.5, 0.3])
    return directions, strengths, (strengths @ directions).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_parts_that_were_put_in_are_found_the_strongest_first(seed: int) -> None:
    directions, strengths, rows = planted(seed)
    found = groups(rows, 3, seed=seed)
    assert (np.sum(found.directions * directions, axis=1) > 0.99).all()
    for ours, theirs in zip(found.strengths.T, strengths.T, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert found.explained > 0.999


@pytest.mark.parametrize("seed", range(3))
def test_each_vector_belongs_to_the_direction_that_is_nearest(seed: int) -> None:
    directions, _, _ = planted(seed)
    random = np.random.default_rng(seed)
    own = random.choice(3, 300, p=[0.5, 0.3, 0.2])
    rows = random.uniform(0.5, 4, (300, 1)) * directions[own] - 0.02 * random.random((300, 12))
    found = groups(rows, 3, method="kmeans", seed=seed)
    assert (np.sum(found.directions * directions, axis=1) > 0.99).all()
    assert np.array_equal(found.strengths.argmax(1), own) and ((found.strengths > 0).sum(1) == 1).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.integers(0, 99), st.sampled_from(["nmf", "kmeans"]))
def test_what_is_explained_is_what_is_given_back(count: int, seed: int, method: Method) -> None:
    rows = np.random.default_rng(seed).random((20, 6)).astype(np.float32)
    found = groups(rows, count, method=method)
    missed = sum((float(a) - float(b)) ** 2 for a, b in zip(rows.flat, (found.strengths @ found.directions).flat, strict=True))
    assert found.explained == pytest.approx(1 - missed / sum(float(each) ** 2 for each in rows.flat), abs=1e-4)
    assert np.allclose(np.linalg.norm(found.directions, axis=1), 1, atol=1e-5)
    assert (np.diff(found.strengths.sum(0)) <= 1e-4).all() and (found.strengths >= 0).all()


@pytest.mark.parametrize("method", ["nmf", "kmeans"])
def test_the_same_seed_gives_the_same_groups(method: Method) -> None:
    rows = planted(0)[2]
    first, second = (groups(rows, 4, method=method, seed=3) for _ in range(2))
    assert np.array_equal(first.directions, second.directions) and np.array_equal(first.strengths, second.strengths)


def test_groups_of_a_picture_come_from_left_to_right_with_their_maps() -> None:
    """Three colours side by side, and a network whose channels are the colours."""
    image = torch.zeros(3, 8, 12)
    image[2, :, :4] = image[0, :, 4:8] = image[1, :, 8:] = torch.tensor([0.5, 1.0, 0.9, 0.7])
    model = load(nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.ReLU()), size=(8, 12), mean=(0,) * 3, std=(1,) * 3)
    with torch.no_grad():
        model.network[0].weight.copy_(torch.eye(3)[:, :, None, None])
    found, maps = picture_groups(model, image, "1", 3)
    assert found.directions.argmax(1).tolist() == [2, 0, 1]
    torch.testing.assert_close(maps, image[[2, 0, 1]], atol=1e-2, rtol=0)
    assert np.allclose(found.strengths, maps.flatten(1).T.numpy())


def test_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = planted(0)[2]
    for count in (0, 13):
        with pytest.raises(UsageError, match=f"count={count}: 300 vectors of 12 channels have 1 to 12 groups"):
            groups(rows, count)
    assert len(groups(rows, 13, method="kmeans").directions) == 13
    with pytest.raises(UsageError, match="needs activations from 0 up, and these go down to -1"):
        groups(np.concatenate([rows, -np.ones((1, 12))]), 2)
    with pytest.raises(UsageError, match="all zero"):
        groups(np.zeros((4, 3)), 2)
    for method in ("nmf", "kmeans"):
        with pytest.raises(UsageError, match=r"^vectors: row 1 has numbers that are not finite; leave such rows out$"):
            groups([[1.0, 2.0], [np.nan, 1.0]], 2, method=method)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="give n rows"):
        groups(np.ones(4), 2)
    with pytest.raises(UsageError, match="there are 'nmf' and 'kmeans'"):
        groups(rows, 2, method="pca")  # pyright: ignore[reportArgumentType]
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"pellucid\[groups\]"):
        groups(rows, 2)
