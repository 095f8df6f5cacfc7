import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import NotFoundError, PellucidError, UsageError
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


class Cut(nn.Module):
    """Three layers, of which the last does not hand its gradient on."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.c1, self.c2, self.c3, self.head = how, *(nn.Conv2d(3, 3, 3) for _ in range(3)), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.c2(self.c1(x))
        if self.how == "detach":
            return self.head(self.c3(x.detach()).mean((2, 3)))
        with torch.no_grad():
            x = self.c3(x)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("how", "layers", "said"),
    [
        ("detach", [], "does not reach the picture: .* none, or a method at the layer c3, which it reaches$"),
        ("detach", ["c1"], "does not reach c1: the network or the target cuts it, as detach.*at the layer c3"),
        ("no_grad", ["c3"], "does not reach c3: the network or the target cuts it"),
        ("no_grad", ["c1"], "does not reach c1: .*at the layer head, which it reaches"),
    ],
)
def test_a_network_that_cuts_its_gradient_is_said(how: str, layers: list[str], said: str) -> None:
    model = load(Cut(how), size=12)
    with pytest.raises(PellucidError, match=said):
        derivatives(
            model,
            torch.rand(2, 3, 12, 12),
            lambda maps, _: maps["logits"][:, 0, 0, 0],
            reads=["logits"],
            layers=layers,
            pixels=not layers,
        )


def test_behind_the_cut_all_is_well() -> None:
    model, images = load(Cut("detach"), size=12), torch.rand(2, 3, 12, 12)
    score = lambda maps, _: maps["logits"][:, 0, 0, 0]  # noqa: E731
    found = derivatives(model, images, score, reads=["logits"], layers=["c3"], pixels=False)
    wanted = model.network.head.weight[0].detach() / 36
    torch.testing.assert_close(found.gradients["c3"], wanted[None, :, None, None].expand(2, 3, 6, 6))


def test_what_lies_beside_the_way_is_no_cut() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.aside, self.last = (nn.Conv2d(3, 3, 3) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            self.aside(x)
            return self.last(x).mean((2, 3))

    with pytest.raises(PellucidError, match="aside has no part in the score, which reads logits; name a layer that it is computed"):
        layer_gradients(
            load(Beside(), size=12),
            torch.rand(1, 3, 12, 12),
            lambda maps: maps["logits"][:, 0, 0, 0],
            reads=["logits"],
            layers=["aside"],
        )


def test_inference_mode_is_said_and_no_grad_is_none() -> None:
    model, images, score = load(network(), size=12), torch.rand(1, 3, 12, 12), lambda maps: maps["3"].mean((1, 2, 3))
    with torch.no_grad():
        assert layer_gradients(model, images, score, reads=["3"], layers=[])[0].any()
    with torch.inference_mode(), pytest.raises(UsageError, match="inference_mode\\(\\) is on"):
        layer_gradients(model, images, score, reads=["3"], layers=[])


def test_what_was_made_in_inference_mode() -> None:
    """Pictures are copied; a network cannot be, and is refused."""
    score = lambda maps: maps["3"].mean((1, 2, 3))  # noqa: E731
    with torch.inference_mode():
        made, images = load(network(), size=12), torch.rand(1, 3, 12, 12)
        assert made.layers
    wanted = layer_gradients(load(network(), size=12), images.clone(), score, reads=["3"], layers=[])[0]
    assert torch.equal(layer_gradients(load(network(), size=12), images, score, reads=["3"], layers=[])[0], wanted)
    with pytest.raises(UsageError, match=r"was made in torch.inference_mode\(\), and has no gradient; load it outside"):
        layer_gradients(made, images, score, reads=["3"], layers=[])
