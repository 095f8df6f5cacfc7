"""From one unit to another in aligned pictures."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from tests.vis.recipes.scenes import network

from pellucid.errors import UsageError
from pellucid.vis import Method, channel, fourier
from pellucid.vis.recipes.interpolate import Interpolation, distances, interpolation
from pellucid.vis.recipes.measures import answers

FIRST, LAST = "mixed3a:5", "mixed3a:40"


@pytest.fixture(scope="module")
def made() -> Interpolation:
    return interpolation(network(), FIRST, LAST, frames=5, size=48, steps=64, seed=1)


def test_both_units_change_monotonically(made: Interpolation) -> None:
    assert made.violations == 0
    assert made.first[0] > 0.5 > 0.3 > made.first[-1] and made.last[-1] > 0.5 > 0.3 > made.last[0]


def test_neighbours_are_nearer_than_random_pairs_and_than_frames_of_their_own(made: Interpolation) -> None:
    assert made.neighbours < made.pairs
    apart = interpolation(
        network(), FIRST, LAST, frames=5, size=48, steps=64, seed=1, weight=0, method=Method(parameterization=fourier())
    )
    assert made.neighbours < apart.neighbours


def test_shares_are_the_units_own(made: Interpolation) -> None:
    pictures = torch.stack([each.image for each in made.renderings])
    scores = answers(network(), channel("mixed3a", 40), pictures)
    steps = torch.tensor(made.last).diff() / scores.diff()  # a share is the score but for an offset and a factor
    torch.testing.assert_close(steps, steps[0].expand(4), rtol=1e-3, atol=0)


def test_distances_are_the_loops() -> None:
    pictures = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    rms = {(i, j): float((pictures[i] - pictures[j]).square().mean() ** 0.5) for i, j in itertools.combinations(range(4), 2)}
    neighbours, pairs = distances(pictures)
    assert neighbours == pytest.approx((rms[0, 1] + rms[1, 2] + rms[2, 3]) / 3)
    assert pairs == pytest.approx(sum(rms.values()) / 6)


def test_violations_are_counted(made: Interpolation) -> None:
    assert Interpolation(made.renderings, (1, 0.5, 0.6, 0.2), (0, 0.1, 0.2, 0.1), "conv1", 0.1, 0.2).violations == 2


def test_facts_and_layer(made: Interpolation) -> None:
    facts = json.loads(json.dumps(made.facts()))
    assert facts["layer"] == "conv1" and facts["violations"] == 0 and len(facts["first"]) == 5
    other = interpolation(network(), FIRST, LAST, frames=2, size=32, steps=2, layer="conv2", weight=0.5)
    assert other.layer == "conv2" and "alignment('conv2', pictures=2)" in other.renderings[0].objective


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="between 2 pictures or more, not 1"):
        interpolation(network(), FIRST, LAST, frames=1, size=32, steps=2)


def test_progress_counts_every_picture() -> None:
    heard: list[tuple[int, int]] = []
    interpolation(network(), FIRST, LAST, frames=2, size=32, steps=3, progress=lambda *numbers: heard.append(numbers))
    assert heard[-1] == (12, 12) and [done for done, _ in heard] == sorted(done for done, _ in heard)
