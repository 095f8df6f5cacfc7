import pytest
import torch
from torch import nn

from pellucid.errors import NotFoundError, PellucidError
from pellucid.models import load
from pellucid.models.layer_gradients import derivatives, layer_gradients


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


def test_scores_maps_and_gradients_in_one_pass() -> None:
    net, images = network(), torch.rand(2, 3, 12, 12)
    model = load(net, size=12)
    both, deep = (
        derivatives(model, images, lambda maps, _: maps["3"][:, 1].mean((1, 2)), reads=["3"], layers=["0", "2"], pixels=pixels)
        for pixels in (True, False)
    )
    first = net[0](model.preprocess(images))
    torch.testing.assert_close(both.maps["0"], first.detach())  # before what changes it in place
    torch.testing.assert_close(both.scores, net[3](net[2](first.relu()))[:, 1].mean((1, 2)).detach())
    assert both.pixels is not None and deep.pixels is None
    for name in ("0", "2"):
        torch.testing.assert_close(both.gradients[name], deep.gradients[name])
        assert not both.gradients[name].requires_grad and both.gradients[name].abs().max() > 0
    assert not images.requires_grad and images.grad is None


def test_a_picture_is_read_by_the_score_itself() -> None:
    images = torch.rand(2, 3, 12, 12)
    found = derivatives(load(network(), size=12), images, lambda _, images: images.mean((1, 2, 3)), reads=[])
    torch.testing.assert_close(found.pixels, torch.full((2, 3, 12, 12), 1 / 432))
    assert not images.requires_grad


def test_what_has_no_part_is_said() -> None:
    model = load(network(), size=12)
    with pytest.raises(PellucidError, match="3 has no part in the score, which reads 0"):
        layer_gradients(model, torch.rand(1, 3, 12, 12), lambda maps: maps["0"].mean((1, 2, 3)), reads=["0"], layers=["3"])
    with pytest.raises(NotFoundError):
        layer_gradients(model, torch.rand(1, 3, 12, 12), lambda maps: maps["0"].mean((1, 2, 3)), reads=["0"], layers=["9"])
