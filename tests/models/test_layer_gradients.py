import pytest
import torch
from torch import nn

from pellucid.errors import NotFoundError, PellucidError
from pellucid.models import load
from pellucid.models.layer_gradients import layer_gradients


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.Flatten())


def test_against_a_run_in_two_halves() -> None:
    net, images = network(), torch.rand(2, 3, 12, 12)
    model = load(net, size=12)
    pixels, found = layer_gradients(model, images, lambda maps: maps["3"][:, 1].mean((1, 2)), reads=["3"], layers=["0", "2"])
    leaf = images.clone().requires_grad_()
    first = net[0](leaf)
    pooled = net[2](first.relu())
    expected = torch.autograd.grad(net[3](pooled)[:, 1].mean((1, 2)).sum(), [leaf, first, pooled])
    for one, two in zip([pixels, found["0"], found["2"]], expected, strict=True):
        torch.testing.assert_close(one, two)


def test_finite_differences() -> None:
    net, images = network().double(), torch.rand(1, 3, 12, 12, dtype=torch.float64)
    model = load(net, size=12)
    score = lambda maps: maps["3"].square().mean((1, 2, 3))  # noqa: E731
    pixels, _ = layer_gradients(model, images, score, reads=["3"], layers=[])
    for place in ((0, 1, 5, 5), (0, 2, 0, 11)):
        step = torch.zeros_like(images)
        step[place] = 1e-5
        ends = [score({"3": net[:4](model.preprocess(each))}).item() for each in (images + step, images - step)]
        assert pixels[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_what_has_no_part_is_said() -> None:
    model = load(network(), size=12)
    with pytest.raises(PellucidError, match="3 has no part in the score, which reads 0"):
        layer_gradients(model, torch.rand(1, 3, 12, 12), lambda maps: maps["0"].mean((1, 2, 3)), reads=["0"], layers=["3"])
    with pytest.raises(NotFoundError):
        layer_gradients(model, torch.rand(1, 3, 12, 12), lambda maps: maps["0"].mean((1, 2, 3)), reads=["0"], layers=["9"])
