"""Channels against random directions, where it is known which of them mean something."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from tests.vis.recipes.scenes import network
from torch import Tensor, nn

from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import Model, capture, load
from pellucid.terrarium.world import draw
from pellucid.vis.recipes.directions import basis_against_random, bootstrap, coherence, purity, rotated


def patterns() -> tuple[Model, Tensor, Tensor]:
    """A network of 128 channels with one pattern each, and pictures of sixteen patterns, of which the strongest is the label."""
    generator = torch.Generator().manual_seed(3)
    convolution = nn.Conv2d(3, 128, 12, padding=1, padding_mode="circular")
    each = rotated(3 * 12 * 12, 128, generator)
    assert convolution.bias is not None
    convolution.weight.data, convolution.bias.data = each.view(128, 3, 12, 12), -each.sum(1) / 2
    labels = torch.arange(128).repeat(8)
    strength = torch.rand(len(labels), 128, generator=generator).argsort(1).lt(15).float()
    strength[torch.arange(len(labels)), labels] = 2
    images = (0.5 + 0.5 * strength @ each).clamp(0, 1).view(-1, 3, 12, 12)
    return load(nn.Sequential(convolution, nn.ReLU(), *head(128)), size=12), images, labels


def head(channels: int) -> tuple[nn.Module, ...]:
    """What makes a classifier of maps, whose weights do not matter."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2)


def test_rotations_keep_lengths_and_angles() -> None:
    rows = rotated(7, 17, torch.Generator().manual_seed(0))
    assert rows.shape == (17, 7)
    for block in (rows[:7], rows[7:14]):
        torch.testing.assert_close(block @ block.T, torch.eye(7), atol=1e-5, rtol=0)
    many = rotated(3, 3000, torch.Generator().manual_seed(0))
    assert many.mean(0).abs().max() < 0.05  # uniform: no direction is preferred, not even the first axis' sign


def test_scores_are_the_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    labels, best = torch.randint(0, 4, (20,), generator=generator), torch.randint(0, 20, (6, 5), generator=generator)
    wanted = [Counter(labels[row].tolist()).most_common(1)[0][1] / 5 for row in best]
    assert purity(labels, best).tolist() == pytest.approx(wanted)
    rows = torch.randn(20, 3, generator=generator)
    for row, score in zip(best.tolist(), coherence(rows, best).tolist(), strict=True):
        cosines = [torch.cosine_similarity(rows[i], rows[j], dim=0) for a, i in enumerate(row) for j in row[a + 1 :]]
        assert score == pytest.approx(float(sum(cosines)) / len(cosines), abs=1e-5)


def test_bootstrap_is_the_normal_interval_of_many() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = 1 + torch.randn(400, generator=generator), 2 * torch.randn(300, generator=generator)
    low, high = bootstrap(first, second, generator)
    deviation = float((first.var() / 400 + second.var() / 300) ** 0.5)
    middle = float(first.mean() - second.mean())
    assert (low, high) == pytest.approx((middle - 1.96 * deviation, middle + 1.96 * deviation), abs=0.1 * deviation)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_basis_that_means_something_beats_random_directions(labelled: bool) -> None:
    model, images, labels = patterns()
    found = basis_against_random(model, "1", images, labels=labels if labelled else None, count=128, top=6)
    assert found.score == ("purity" if labelled else "coherence")
    assert len(found.channel_scores) == len(found.channels) == len(found.direction_scores) == 128
    assert 0 < found.interval[0] < found.difference < found.interval[1]
    assert json.loads(json.dumps(found.facts()))["difference"] == pytest.approx(found.difference)


def test_channels_of_the_terrarium_are_clearer_than_directions_to_the_judge() -> None:
    images = torch.stack([to_image(draw(index, seed=5, masks=False).picture) for index in range(216)])
    found = basis_against_random(network(), "mixed4a", images, judge=load("terrarium:judge"), count=128)
    assert min(len(found.channels), len(found.direction_scores)) >= 100
    assert 0.02 < found.interval[0] < found.difference < found.interval[1]


def test_top_examples_are_those_of_the_highest_position() -> None:
    model, generator = network(), torch.Generator().manual_seed(0)
    images, labels = torch.rand(9, 3, 64, 64, generator=generator), torch.arange(9) % 3
    found = basis_against_random(model, "conv2", images, labels=labels, count=5, top=2)
    with torch.no_grad():
        maps = capture(model, images, ["conv2"])["conv2"]
    assert (
        basis_against_random(model, "conv2", images, labels=labels.tolist(), count=5, top=2).channel_scores == found.channel_scores
    )
    for channel, score in zip(found.channels, found.channel_scores, strict=True):
        best = sorted(range(9), key=lambda i: -float(maps[i, channel].max()))[:2]
        assert score == (1.0 if labels[best[0]] == labels[best[1]] else 0.5)
    for direction, score in zip(found.directions, found.direction_scores, strict=True):
        best = sorted(range(9), key=lambda i: -float((maps[i] * direction[:, None, None]).sum(0).max()))[:2]
        assert score == (1.0 if labels[best[0]] == labels[best[1]] else 0.5)


def test_silent_channels_are_left_out() -> None:
    convolution = nn.Conv2d(3, 4, 1)
    network = nn.Sequential(convolution, nn.ReLU(), *head(4))
    assert convolution.bias is not None
    with torch.no_grad():
        convolution.weight[1], convolution.bias[1] = 0, -1
    found = basis_against_random(load(network, size=8), "1", torch.rand(6, 3, 8, 8), count=4, top=2)
    assert 1 not in found.channels


def test_bad_input() -> None:
    model, images = network(), torch.rand(6, 3, 64, 64)
    with pytest.raises(NotFoundError):
        basis_against_random(model, "conv9", images, top=2)
    with pytest.raises(UsageError, match="labels: 5 for 6 images"):
        basis_against_random(model, "conv1", images, labels=torch.zeros(5, dtype=torch.long), top=2)
    with pytest.raises(UsageError, match="top below the number of images, not 6, 128, 6"):
        basis_against_random(model, "conv1", images, top=6)
