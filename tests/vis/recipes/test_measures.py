"""What recipes measure, against finite differences and plain loops; and the layers that suit them."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from pellucid.errors import UsageError
from pellucid.models import Model, capture, load
from pellucid.vis import channel, logit, render
from pellucid.vis.objectives import diversity, l2
from pellucid.vis.recipes.measures import (
    answers,
    attributions,
    between,
    gained,
    likeness,
    one,
    pooled,
    reasons,
    sensitivities,
    windows,
)
from pellucid.vis.recipes.suited import coarser_layer, facet_layer, last_layer, shared_size


@pytest.fixture(scope="module")
def model() -> Model:
    return load("terrarium")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(5, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def test_answers_are_those_of_the_network(model: Model, images: torch.Tensor) -> None:
    with torch.no_grad():
        maps = capture(model, images, ["mixed3a"])["mixed3a"]
    torch.testing.assert_close(answers(model, channel("mixed3a", 4), images), maps[:, 4].mean((1, 2)))
    torch.testing.assert_close(pooled(model, "mixed3a", images), maps.mean((2, 3)))
    torch.testing.assert_close(answers(model, l2(), images), l2()({"image": images}))


def test_likeness_is_the_cosine_of_grams(model: Model, images: torch.Tensor) -> None:
    with torch.no_grad():
        maps = capture(model, images, ["conv2"])["conv2"].flatten(2)
    grams = [each @ each.T for each in maps]
    for i, j in ((0, 1), (3, 2)):
        wanted = cosine_similarity(grams[i].flatten(), grams[j].flatten(), dim=0)
        assert likeness(model, "conv2", images)[i, j] == pytest.approx(float(wanted), abs=1e-5)


def test_between_leaves_the_diagonal_out() -> None:
    assert between(torch.tensor([[9.0, 1.0, 2.0], [3.0, 9.0, 4.0], [5.0, 6.0, 9.0]])) == pytest.approx(21 / 6)
    assert between(torch.ones(1, 1)) == 0


@pytest.mark.parametrize("inplace", [False, True])
def test_attributions_are_activation_times_gradient(inplace: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(inplace=inplace), nn.Conv2d(4, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
    model, images = load(network, size=8), torch.rand(3, 3, 8, 8)
    with torch.no_grad():
        maps = network[0](images)
        tail = network[1:]
        step = 1e-3
        wanted = torch.stack(
            [
                (tail(maps * (1 + step * nn.functional.one_hot(torch.tensor(c), 4)[:, None, None])) - tail(maps.clone()))[:, 2]
                / step
                for c in range(4)
            ],
            1,
        )  # how the logit changes when one channel grows
    torch.testing.assert_close(attributions(model, logit(2), "0", images), wanted, atol=2e-3, rtol=2e-2)


def test_sensitivities_are_what_one_more_everywhere_adds(model: Model, images: torch.Tensor) -> None:
    rises = sensitivities(model, logit(2), "mixed4a", images)
    tail = nn.Sequential(*list(model.network.children())[list(dict(model.network.named_children())).index("mixed4a") + 1 :])
    with torch.no_grad():
        maps = capture(model, images, ["mixed4a"])["mixed4a"].double()
        tail = copy.deepcopy(tail).double()
        for channel_ in (0, 17, 90):
            more = torch.zeros(160, 1, 1).index_fill(0, torch.tensor([channel_]), 1e-6)
            change = (tail(maps + more) - tail(maps))[:, 2].mean() / 1e-6 / maps[0, 0].numel()
            assert float(rises[channel_]) == pytest.approx(float(change), rel=1e-2, abs=1e-5)
    assert sensitivities(model, channel("conv1", 0), "conv1", images).unique().tolist() == [1]


def test_sensitivities_are_those_before_an_operation_in_place() -> None:
    first, head = nn.Conv2d(3, 4, 3), (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    risen = [
        sensitivities(load(nn.Sequential(first, nn.ReLU(inplace), *head), size=8), logit(2), "0", images)
        for inplace in (False, True)
    ]
    torch.testing.assert_close(*risen)


def test_reasons_have_length_one_and_never_only_the_unit_itself(model: Model, images: torch.Tensor) -> None:
    for layer in ("mixed3b", "mixed3a"):
        rows = reasons(model, channel("mixed3b", 2), layer, images)
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(5))
        assert (rows != 0).sum(1).min() > 5


def test_windows_cover_the_images() -> None:
    images = torch.arange(30.0).reshape(1, 1, 1, 30).expand(2, 1, 5, 30)
    cut = windows(images, (5, 8))
    lefts = [int(each[0, 0, 0, 0]) for each in cut]
    assert lefts[0] == 0 and lefts[-1] == 22 and max(b - a for a, b in itertools.pairwise(lefts)) <= 4
    assert all(each.shape == (2, 1, 5, 8) for each in cut)
    with pytest.raises(UsageError, match="at least one of 6 × 8 px"):
        windows(images, (6, 8))


def test_one_unit_is_about_single_pictures(model: Model) -> None:
    assert one("mixed3a:3", model).name == "channel('mixed3a', 3)"
    with pytest.raises(UsageError, match="speaks about 3 pictures together; give the objective of one unit"):
        one(channel("mixed3a", 3) + diversity("mixed3a", pictures=3), model)


def test_a_unit_that_gains_nothing_is_refused(model: Model) -> None:
    (single,) = render(model, [0 * channel("mixed3a", 3)], steps=1, size=32)
    with pytest.raises(UsageError, match=r"0 \* channel\('mixed3a', 3\) answers no more to its own picture than to noise"):
        gained(single)


def test_layers_that_suit(model: Model) -> None:
    assert facet_layer(model, logit(0)) == "mixed4a"  # mixed4b already sees more than the picture
    assert facet_layer(model, channel("mixed4a", 0)) == "mixed3b"
    assert facet_layer(model, channel("mixed4a.three.1", 0)) == "mixed4a.halve"
    assert facet_layer(model, channel("conv1.conv", 0)) == "conv1.conv"
    assert last_layer(model, logit(0)) == "mixed4b" and last_layer(model, channel("mixed4b", 0)) == "mixed4a"
    assert last_layer(model, channel("conv1.conv", 0)) == "conv1.conv"
    assert coarser_layer(model, [logit(0)]) == coarser_layer(model, [channel("mixed4b", 0), logit(1)]) == "mixed3b"
    assert coarser_layer(model, [channel("mixed4b", 0), channel("conv2", 1)]) == "conv1"
    assert coarser_layer(model, [channel("conv1", 0)]) == "conv1.conv"
    assert shared_size(model, [channel("conv1", 0), logit(0)], None) == (96, 96)
    assert shared_size(model, [channel("conv1", 0)], None) == (64, 64)
    assert shared_size(model, [logit(0)], 40) == (40, 40)


def test_a_network_without_maps_says_so() -> None:
    model = load(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), size=2)
    for suited in (lambda: facet_layer(model, logit(0)), lambda: coarser_layer(model, [logit(0)])):
        with pytest.raises(UsageError, match="has no layer with maps of at least 3 × 3; name a layer"):
            suited()
