from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from tests.models.networks import ChannelsLast, Functional, Inplace, Tokens, seeded
from torch import Tensor, nn

from pellucid.analysis.attribution import Attribution, activation_gradient, grad_cam, grad_cam_plus, layer_cam
from pellucid.analysis.maps import upsample
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import capture, load

Method = Callable[..., Attribution]
METHODS: list[Method] = [activation_gradient, grad_cam, grad_cam_plus, layer_cam]


def by_hand(method: Method, maps: Tensor, slopes: Tensor) -> Tensor:
    """One picture's map, one channel and one position at a time."""
    channels, height, width = maps.shape
    total = torch.zeros(height, width)
    for c in range(channels):
        mean = sum(float(slopes[c, i, j]) for i in range(height) for j in range(width)) / (height * width)
        plus = 0.0
        for i in range(height):
            for j in range(width):
                slope = float(slopes[c, i, j])
                below = 2 * slope**2 + float(maps[c].sum()) * slope**3
                plus += slope**2 / below * max(slope, 0) if below else 0
        for i in range(height):
            for j in range(width):
                slope = float(slopes[c, i, j])
                weight = {activation_gradient: slope, grad_cam: mean, grad_cam_plus: plus, layer_cam: max(slope, 0)}[method]
                total[i, j] += weight * float(maps[c, i, j])
    return total if method is activation_gradient else total.clamp(min=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["conv1", "pool", "conv2"])
def test_one_channel_and_position_at_a_time(method: Method, layer: str) -> None:
    model, images = small(), noise()
    found = method(model, images, "class:3", layer=layer)
    first = model.network.get_submodule("conv1")(model.preprocess(images))
    pooled = nn.functional.max_pool2d(first.relu(), 2)
    second = model.network.get_submodule("conv2")(pooled)
    logits = model.network.get_submodule("head")(second.relu().square().mean((2, 3)))
    maps = {"conv1": first, "pool": pooled, "conv2": second}[layer]
    (slopes,), maps = torch.autograd.grad(logits[:, 3].sum(), maps), maps.detach()
    for place in range(2):
        torch.testing.assert_close(found.map[place], by_hand(method, maps[place], slopes[place]), atol=1e-5, rtol=1e-3)
    assert found.values.abs().max() > 0


def test_activation_times_gradient_sums_up_to_their_product() -> None:
    model, images = network(), scenes("house", "fish")
    found = activation_gradient(model, images, "class:house", layer="mixed3b")
    leaf = capture(model, images, ["mixed3b"])["mixed3b"].detach().requires_grad_()
    rest = model.network
    logits = rest.get_submodule("head")(rest.get_submodule("mixed4b")(rest.get_submodule("mixed4a")(leaf)))
    (slopes,) = torch.autograd.grad(logits[:, 5].sum(), leaf)
    torch.testing.assert_close(found.values, slopes * leaf.detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.values.sum((1, 2, 3)), (slopes * leaf).sum((1, 2, 3)).detach(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.channels.sum(1), found.map.sum((1, 2)), atol=1e-4, rtol=1e-4)


def test_at_the_last_layer_it_is_the_exact_contribution() -> None:
    """The logit without its bias, and what a position adds is what is lost with it."""
    model, images = network(), scenes("house", "fish", "cabbage")
    found = activation_gradient(model, images, "class:cabbage")
    head = model.network.get_submodule("head.linear")
    torch.testing.assert_close(found.map.sum((1, 2)) + head.bias[11], found.scores, atol=1e-4, rtol=1e-4)
    maps = capture(model, images, ["mixed4b"])["mixed4b"].detach()
    without = maps.clone()
    without[:, :, 4, 7] = 0
    drop = model.network.get_submodule("head")(maps)[:, 11] - model.network.get_submodule("head")(without)[:, 11]
    torch.testing.assert_close(found.map[:, 4, 7], drop.detach(), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "layer"), [(Inplace, "relu1"), (Functional, "norm"), (ChannelsLast, "norm"), (Tokens, "blocks.0")]
)
def test_of_any_form_of_layer(kind: type[nn.Module], layer: str) -> None:
    model = load(seeded(kind), size=32)
    found = activation_gradient(model, noise(2, 32), "class:1", layer=layer)
    assert found.layer == model.layer(layer) and found.map.abs().max() > 0
    assert found.values.shape == (2, found.layer.channels, found.layer.height, found.layer.width)
    assert found.upsampled().shape == (2, 32, 32)


def test_a_target_that_reads_the_class_token_alone() -> None:
    """Where tokens have been mixed for the last time, the gradient is zero on the whole grid."""
    model = load(seeded(Tokens), size=32)
    found = grad_cam(model, noise(2, 32), "class:1")
    assert found.layer is not None and found.layer.name == "blocks.1.norm" and found.values.abs().max() > 0
    with pytest.raises(UsageError, match="layer='blocks': the target reads it at its class token alone; name an earlier layer"):
        grad_cam(model, noise(2, 32), "class:1", layer="blocks")
    assert activation_gradient(model, noise(2, 32), "blocks.0:3").layer == model.layer("blocks.0")


def test_targets_in_the_middle_of_the_network() -> None:
    model, images = network(), scenes("house", "fish")
    found = grad_cam(model, images, "mixed4a.one.conv:7@2,3", layer="mixed3a")
    assert found.map.shape == (2, 24, 24) and found.values.abs().amax((1, 2, 3)).min() > 0
    own = activation_gradient(model, images, "mixed4a.one.conv:7@2,3", layer="mixed4a.one.conv")
    assert int((own.values != 0).sum()) == 2  # of a layer's own neuron, itself alone
    torch.testing.assert_close(own.values[:, 7, 2, 3], own.scores)


@pytest.mark.parametrize(
    ("target", "layer"),
    [
        ("class:house", "mixed4b"),
        ("mixed4b:107", "mixed3b"),
        ("mixed4a:7", "mixed3b"),
        ("mixed4a:7 - mixed3a:4", "conv1"),
        ("conv1:3", "conv1"),
    ],
)
def test_where_nobody_says_it_is_the_last_map_before_the_target(target: str, layer: str) -> None:
    found = layer_cam(network(), scenes("house"), target)
    assert found.layer is not None and found.layer.name == layer and found.values.any()


def test_maps_at_the_size_of_the_picture_lie_where_their_positions_look() -> None:
    found = grad_cam(network(), scenes("house"), "class:house")
    assert found.layer is not None
    assert torch.equal(found.upsampled(), upsample(found.map, found.layer, (96, 96)))
    wide = grad_cam(network(), torch.rand(1, 3, 64, 128), "class:house")
    assert wide.map.shape == (1, 8, 16) and wide.upsampled().shape == (1, 64, 128)


class Strided(nn.Module):
    """A stem of convolutions, an overlapping max pool, more of them: where the pool picks, the gradient is in heaps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.pool = nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(3, 2, padding=1)
        self.later, self.head = nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.later(self.pool(self.stem(x).relu())).relu().mean((2, 3)))


def checkerboard(maps: Tensor) -> float:
    """The share of the variance that lies in how, in squares of two by two, the diagonals differ: a quarter for noise."""
    a, b, c, d = (maps[:, row::2, col::2] for row in (0, 1) for col in (0, 1))
    return float(((a - b - c + d) / 2).square().sum() / (maps - maps.mean((1, 2), keepdim=True)).square().sum())


@pytest.mark.parametrize("seed", range(3))
def test_relaxed_pools_show_less_of_a_chessboard(seed: int) -> None:
    model = load(seeded(Strided, seed), size=32)
    images = nn.functional.interpolate(scenes("house", "fish", "lake", "beach"), 32)
    plain = activation_gradient(model, images, "class:1", layer="stem")
    relaxed = activation_gradient(model, images, "class:1", layer="stem", relaxed=True)
    assert torch.equal(plain.scores, relaxed.scores)
    assert checkerboard(relaxed.map) < 0.6 * checkerboard(plain.map)
    assert checkerboard(relaxed.values.flatten(0, 1)) < 0.6 * checkerboard(plain.values.flatten(0, 1))


def test_what_cannot_be_attributed() -> None:
    model, images = network(), scenes("house")
    with pytest.raises(NotFoundError, match="mixed4"):
        grad_cam(model, images, "class:house", layer="mixed4")
    with pytest.raises(PellucidError, match="mixed4b has no part in the score, which reads mixed3a"):
        grad_cam(model, images, "mixed3a:3", layer="mixed4b")
