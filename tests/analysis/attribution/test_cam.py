from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes
from tests.models.networks import ChannelsLast, Functional, Inplace, Reused, Tokens, seeded
from torch import Tensor, nn

from pellucid.analysis.attribution import activation_gradient, cam, grad_cam
from pellucid.analysis.attribution.trust import pointing_game
from pellucid.analysis.attribution.trust.scenes import four_things, one_thing
from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.vis import logit
from pellucid.vis.objectives import probability


def test_the_map_and_the_bias_are_the_logit() -> None:
    images = scenes("house", "fish", "cabbage")
    found = cam(network(), images, "class:cabbage")
    bias = network().network.get_submodule("head.linear").bias
    logits = network().network(network().preprocess(images))[:, 11]
    torch.testing.assert_close(found.map.sum((1, 2)) + bias[11], logits, atol=1e-4, rtol=1e-5)
    assert found.base is not None
    torch.testing.assert_close(found.base, bias[11].detach().expand(3))
    torch.testing.assert_close(found.scores, logits.detach(), atol=1e-4, rtol=1e-5)


def test_one_channel_at_a_time() -> None:
    model, images = network(), scenes("house")
    found = cam(model, images, "class:house - class:lake")
    weight = model.network.get_submodule("head.linear").weight.detach()
    kept: list[Tensor] = []
    handle = model.network.get_submodule("mixed4b").register_forward_hook(lambda _m, _i, output: kept.append(output))
    model.network(model.preprocess(images))
    handle.remove()
    expected = torch.zeros(12, 12)
    for c, one in enumerate(kept[0][0].detach()):
        expected += (weight[5, c] - weight[2, c]) * one / 144
    torch.testing.assert_close(found.map[0], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.map, activation_gradient(model, images, logit(5) - logit(2)).map, atol=1e-5, rtol=1e-3)
    assert torch.allclose(found.map.clamp(min=0), grad_cam(model, images, logit(5) - logit(2)).map, atol=1e-4)


class Convolved(nn.Module):
    """A map for each class, rectified, and its mean: SqueezeNet's way."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.classes, self.act = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 1), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.classes(self.features(x).relu())).mean((2, 3))


class Rectified(nn.Module):
    """A ReLU without a module between the last map and its mean, and a linear map as a convolution: DenseNet's way, nearly."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.features(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1)).flatten(1)


@pytest.mark.parametrize("kind", [Inplace, Functional, Reused, Convolved, Rectified, ChannelsLast])
def test_is_exact_or_refused(kind: type[nn.Module]) -> None:
    model, images = load(seeded(kind), size=16), noise(3)
    if kind is ChannelsLast:  # its sum is no module's output
        with pytest.raises(UsageError, match="take grad_cam"):
            cam(model, images, "class:1")
        return
    found = cam(model, images, ["class:1", "class:4", "class:1 - class:0"])
    assert found.base is not None
    torch.testing.assert_close(found.map.sum((1, 2)) + found.base, found.scores, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.scores[0], model.network(model.preprocess(images))[0, 1].detach(), atol=1e-5, rtol=1e-4)
    assert found.map.flatten(1).std(1).min() > 0


def test_what_has_no_cam() -> None:
    with pytest.raises(UsageError, match=r"does not end in the mean of a map and a linear map.*take grad_cam"):
        cam(load(seeded(Tokens), size=16), noise(), "class:1")
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 5))
    with pytest.raises(UsageError, match="take grad_cam"):
        cam(load(flat, size=16), noise(), "class:1")
    vectors = nn.Sequential(nn.Flatten(), nn.Linear(768, 5))
    with pytest.raises(UsageError, match="no layer with more than one position"):
        cam(load(vectors, size=16), noise(), "class:1")
    with pytest.raises(UsageError, match="CAM is for classes: take activation_gradient"):
        cam(network(), scenes("house"), "mixed4a:3")
    with pytest.raises(UsageError, match="not for what bends their logits"):
        cam(network(), scenes("house"), probability(3))


def test_it_is_where_the_thing_is_more_often_than_chance() -> None:
    posed = four_things(12)
    found = cam(network(), posed.images, posed.targets)
    assert pointing_game(found.upsampled(), posed.masks).float().mean() > 0.6 > 4 * posed.masks.float().mean()
    alone = one_thing(30)
    hits = pointing_game(cam(network(), alone.images, alone.targets).upsampled(), alone.masks)
    assert hits.float().mean() > alone.masks.float().mean() + 0.4
