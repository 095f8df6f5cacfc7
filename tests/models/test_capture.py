from __future__ import annotations

import pytest
import torch
from tests.models.networks import ChannelsLast, Functional, Inplace, Reused, Swallowing, Tokens, Tuples, seeded
from torch import Tensor, nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import OUTPUT, capture, load, prepared


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def test_what_was_captured_is_not_disturbed_by_in_place_operations(images: Tensor) -> None:
    network = seeded(Inplace)
    model = load(network, size=(16, 24), mean=0.5, std=0.5)
    maps = capture(model, images, ["conv2", "conv1", "relu1", OUTPUT])
    first = network.conv1((images - 0.5) / 0.5)
    second = network.conv2(first.clamp(min=0))
    assert list(maps) == ["conv2", "conv1", "relu1", OUTPUT]
    torch.testing.assert_close(maps["conv1"], first)
    torch.testing.assert_close(maps["relu1"], first.clamp(min=0))
    torch.testing.assert_close(maps["conv2"], second)
    assert maps["conv1"].min() < 0
    assert maps[OUTPUT].shape == (3, 6, 1, 1)


def test_gradients_reach_the_images_through_in_place_operations(images: Tensor) -> None:
    model = load(seeded(Inplace), size=(16, 24))
    images.requires_grad_()
    maps = capture(model, images, ["conv1", "conv2"])
    maps["conv2"].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.network.parameters())
    with torch.no_grad():
        assert not capture(model, images, ["conv2"])["conv2"].requires_grad


def test_the_network_stops_at_the_last_layer_needed(images: Tensor) -> None:
    network, ran = seeded(Inplace), []
    for name in ("relu1", "conv2", "head"):
        network.get_submodule(name).register_forward_hook(lambda _m, _i, _o, name=name: ran.append(name))
    model = load(network, size=(16, 24))
    _ = model.layers
    ran.clear()
    capture(model, images, ["conv1"])
    assert ran == []
    capture(model, images, ["conv2", "conv1"])
    assert ran == ["relu1", "conv2"]  # the user's own hooks still run
    capture(model, images, ["conv1", OUTPUT])
    assert ran[2:] == ["relu1", "conv2", "head"]


def test_a_network_that_swallows_exceptions_is_stopped_too(images: Tensor) -> None:
    network = seeded(Swallowing)
    model = load(network, size=16)
    torch.testing.assert_close(capture(model, images, ["conv"])["conv"], network.conv(images))


def test_of_a_module_that_runs_twice_the_last_run_counts(images: Tensor) -> None:
    network = seeded(Reused)
    model = load(network, size=16)
    wanted = network.conv2(network.conv1(images).relu()).relu()
    torch.testing.assert_close(capture(model, images, ["relu"])["relu"], wanted)
    assert model.layers["relu"].channels == 5
    assert list(model.layers) == ["conv1", "conv2", "relu", "head"]


def test_tokens_come_as_their_grid_for_any_size() -> None:
    network = seeded(Tokens)
    model = load(network, size=(32, 48))
    for height, width in [(32, 48), (40, 16)]:
        images = torch.rand(2, 3, height, width)
        maps = capture(model, images, ["patches", "blocks.0.norm", "blocks"])
        patches = network.patches(images)
        assert maps["blocks"].shape == (2, 8, height // 8, width // 8)
        torch.testing.assert_close(maps["blocks.0.norm"], network.blocks[0].norm(patches.movedim(1, 3)).movedim(3, 1))


def test_channels_last_maps_are_turned(images: Tensor) -> None:
    network = seeded(ChannelsLast)
    model = load(network, size=16)  # 4 × 4 positions with 4 channels
    maps = capture(model, images, ["conv", "norm", "linear"])
    torch.testing.assert_close(maps["norm"], network.norm(maps["conv"].movedim(1, 3)).movedim(3, 1))
    assert maps["linear"].shape == (3, 4, 4, 6)


def test_tuples_and_mappings(images: Tensor) -> None:
    network = seeded(Tuples)
    maps = capture(load(network, size=16), images, ["pair", OUTPUT])
    torch.testing.assert_close(maps["pair"], network.pair.conv(images))
    assert maps["pair"].min() < 0 and maps[OUTPUT].shape == (3, 6, 1, 1)


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_number_of_channels(channels: int) -> None:
    model = load(Inplace(channels), size=(9, 13))
    assert model.channels == channels
    assert capture(model, torch.rand(1, channels, 9, 13), ["conv2"])["conv2"].shape == (1, 12, 5, 7)


def test_inside_autocast_and_in_other_types(images: Tensor) -> None:
    model = load(seeded(Functional), size=16)
    with torch.autocast("cpu", torch.bfloat16):
        assert capture(model, images, ["conv2"])["conv2"].dtype == torch.bfloat16
    half = load(seeded(Functional).to(torch.bfloat16), size=16)
    assert capture(half, images, ["conv2"])["conv2"].dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (torch.rand(3, 16, 16), r"float32 of shape \(3, 16, 16\).*\(n, 3, h, w\)"),
        (torch.rand(1, 1, 16, 16), r"\(1, 1, 16, 16\)"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "uint8"),
    ],
)
def test_wrong_images(wrong: Tensor, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        capture(load(seeded(Inplace), size=16), wrong, ["conv1"])


def test_an_unknown_layer_is_named_before_anything_runs() -> None:
    network = seeded(Inplace)
    model = load(network, size=16)
    _ = model.layers
    network.register_forward_pre_hook(lambda *_: pytest.fail("the network ran"))
    with pytest.raises(NotFoundError, match=r"'conv3' is not there \(did you mean conv2, conv1"):
        capture(model, torch.rand(1, 3, 16, 16), ["conv1", "conv3"])


def test_prepared_keeps_statistics_and_restores_mixed_modes() -> None:
    network = Functional().train()
    network.conv1.eval()
    network.conv2.weight.requires_grad_(False)
    model = load(network, size=16)
    before = network.norm.running_mean.clone()
    with prepared(model), prepared(model):
        network(torch.rand(4, 3, 16, 16))
    assert torch.equal(network.norm.running_mean, before)
    assert network.training and network.norm.training and not network.conv1.training
    assert not network.conv2.weight.requires_grad and network.conv1.weight.requires_grad


def test_networks_that_override_train_are_not_asked() -> None:
    class Stubborn(nn.Conv2d):
        def train(self, mode: bool = True) -> nn.Module:
            raise AssertionError("train() does more than set flags")

    model = load(Stubborn(3, 2, 1), size=8)
    with prepared(model):
        assert not model.network.training
    assert model.network.training
