import functools

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.terrarium import train
from pellucid.terrarium.network import JUDGE_WIDTH, MEAN, SIZE, STD, Terrarium, load, load_judge
from pellucid.terrarium.world import CLASSES

LAYERS = ["conv1", "conv2", "mixed3a", "mixed3b", "mixed4a", "mixed4b", "head"]


@pytest.fixture(scope="module")
def fresh():
    return train.pictures(17 * len(CLASSES), seed=424_242, workers=0)


@pytest.mark.parametrize("loader", [load, load_judge])
def test_the_layers_have_their_names_and_nothing_but_convolutions_and_relu(loader):
    network = loader()
    assert [name for name, _ in network.named_children()] == LAYERS
    assert not network.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("loader", [load, load_judge])
def test_fresh_pictures_are_recognised(loader, fresh):
    found = train.accuracy(loader(), *fresh)
    assert found["all"] >= 0.97
    assert found.keys() == {*CLASSES, "all"}


def test_loading_twice_gives_the_same_bits_and_separate_networks():
    first, second = load(), load()
    for (name, one), (_, two) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two), name
        assert one.data_ptr() != two.data_ptr()


def test_the_judge_is_another_network():
    assert load_judge().conv1.conv.weight.shape[0] == round(32 * JUDGE_WIDTH)
    assert load().conv1.conv.weight.shape[0] == 32


@pytest.mark.parametrize("size", [(32, 32), (48, 96), (160, 131)])
def test_any_picture_size_of_32_and_more_works(size):
    with torch.no_grad():
        assert load()(torch.zeros(1, 3, *size)).shape == (1, len(CLASSES))


@torch.no_grad()
def test_maps_have_the_resolution_that_atlases_need():
    network, x, sides = load(), torch.zeros(1, 3, SIZE, SIZE), {}
    for name, layer in list(network.named_children())[:-1]:
        x = layer(x)
        sides[name] = x.shape[-1]
    assert sides == {"conv1": 48, "conv2": 24, "mixed3a": 24, "mixed3b": 24, "mixed4a": 12, "mixed4b": 12}


@torch.no_grad()
def test_no_unit_is_dead(fresh):
    x = train.normalise(fresh[0])
    for name, layer in list(load().named_children())[:-1]:
        x = layer(x)
        assert (x.amax((0, 2, 3)) > 0).all(), name


def test_mean_and_std_are_those_of_the_pictures(fresh):
    images = fresh[0].float() / 255
    np.testing.assert_allclose(images.mean((0, 2, 3)), MEAN, atol=0.03)
    np.testing.assert_allclose(images.std((0, 2, 3)), STD, atol=0.03)


@torch.no_grad()
def test_folding_the_normalisation_changes_nothing():
    torch.manual_seed(0)
    network = Terrarium(0.3)
    train.add_norm(network)
    network.train()
    for _ in range(3):
        network(torch.randn(8, 3, 32, 32))
    x = torch.randn(4, 3, 40, 40)
    before = network.eval()(x)
    train.fold_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(network(x), before, atol=1e-4, rtol=1e-4)
    plain = Terrarium(0.3)
    plain.load_state_dict(network.state_dict())


def test_augmentation_is_reproducible_and_different_for_each_picture(fresh):
    same = fresh[0][:1].float().div(255).repeat(3, 1, 1, 1)
    first = train.augment(same, torch.Generator().manual_seed(3), 64)
    assert first.shape == (3, 3, 64, 64)
    assert torch.equal(first, train.augment(same, torch.Generator().manual_seed(3), 64))
    assert not torch.allclose(first[0], first[1], atol=0.05)


def test_perturbing_raises_the_loss_by_moves_of_bounded_length_and_leaves_the_network_alone(fresh):
    network, images, labels = load(), fresh[0].float() / 255, fresh[1]

    def loss(pictures):
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(network(train.normalise(pictures)), labels)

    moved = train.perturb(network, images, labels, torch.Generator().manual_seed(0), 0.5)
    lengths = (moved - images).flatten(1).norm(dim=1)
    assert 0 <= lengths.min() < 0.05
    assert 0.45 < lengths.max() <= 0.5 + 1e-4
    assert not moved.requires_grad
    assert loss(moved) > 1.1 * loss(images)
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("loader", [load, load_judge])
def test_small_worst_case_changes_fool_neither_network(loader, fresh):
    network, labels = loader(), fresh[1]
    moved = train.perturb(network, fresh[0].float() / 255, labels, torch.Generator().manual_seed(0), 1.0)
    assert train.accuracy(network, moved, labels)["all"] >= 0.9


def test_training_writes_a_file_that_loads_and_is_the_same_twice(tmp_path, monkeypatch, capsys):
    few = functools.cache(lambda seed: train_pictures(128, seed=seed, workers=0))
    train_pictures = train.pictures
    monkeypatch.setattr(train, "pictures", lambda count, seed: few(seed))
    for name in ("a", "b"):
        train.main(
            ["--judge", "--pictures", "128", "--epochs", "2", "--threads", str(torch.get_num_threads()), "-o", str(tmp_path / name)]
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert "cabbage" in capsys.readouterr().out
