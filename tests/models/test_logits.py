"""What positions give to all classes, against one class at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import ChannelsLast, Functional, Inplace, Reused, Tokens, seeded
from tests.models.oracles import attribution_one_class_at_a_time
from torch import Tensor, nn

from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import capture, load, logit_attribution
from pellucid.models import logits as logits_file

CASES = [
    (Inplace, "conv1", lambda raw: raw[:, 3, 5]),
    (Inplace, "relu1", lambda raw: raw[:, 3, 5]),
    (Functional, "conv1", lambda raw: raw[:, 3, 5]),
    (Functional, "conv2", lambda raw: raw[:, 3, 5]),
    (Functional, "norm", lambda raw: raw[:, 3, 5]),
    (ChannelsLast, "norm", lambda raw: raw[3, 5]),
    (Tokens, "blocks.0.mlp", lambda raw: raw[1 + 3 * 6 + 5]),
    (Tokens, "blocks.0.norm", lambda raw: raw[1 + 3 * 6 + 5]),
]
SIZES = {ChannelsLast: (16, 24), Tokens: (32, 48)}


@pytest.mark.parametrize("double", [False, True], ids=["forward mode", "double backward"])
@pytest.mark.parametrize(("kind", "layer", "vector"), CASES)
def test_attributions_are_those_of_one_class_at_a_time(
    kind: type[nn.Module], layer: str, vector: Callable[[Tensor], Tensor], double: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if double:
        monkeypatch.setattr(logits_file, "_forward_mode", _refuse)
    network, size = seeded(kind), SIZES.get(kind, (16, 24))
    images = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        vectors, attributions = logit_attribution(load(network, size=size), images, layer, torch.tensor([[3, 5]] * 3))
    wanted_vectors, wanted = attribution_one_class_at_a_time(network, images, layer, vector)
    torch.testing.assert_close(vectors, wanted_vectors, atol=1e-5, rtol=1e-4)
    assert (attributions - wanted).abs().max() <= 1e-4 * wanted.abs().max()
    assert wanted.abs().max() > 0 and not attributions.requires_grad


def _refuse(*_: object) -> Tensor:
    raise NotImplementedError("no formula")


def test_each_picture_has_its_own_position() -> None:
    model = load(seeded(Inplace), size=16)
    images, positions = torch.rand(3, 3, 16, 16), torch.tensor([[0, 0], [2, 7], [7, 1]])
    vectors, attributions = logit_attribution(model, images, "conv1", positions)
    maps = capture(model, images, ["conv1"])["conv1"]
    for index, (row, col) in enumerate(positions.tolist()):
        assert torch.equal(vectors[index], maps[index, :, row, col])
        _, alone = logit_attribution(model, images[index : index + 1], "conv1", positions[index : index + 1])
        torch.testing.assert_close(attributions[index], alone[0])


def test_of_a_reused_module_the_last_run_is_attributed() -> None:
    network = seeded(Reused)
    images = torch.rand(2, 3, 8, 8)
    model = load(network, size=8)
    vectors, attributions = logit_attribution(model, images, "relu", torch.tensor([[2, 3]] * 2))
    torch.testing.assert_close(vectors, capture(model, images, ["relu"])["relu"][:, :, 2, 3])
    torch.testing.assert_close(attributions, vectors @ network.head.weight.T / 64)


def test_operations_without_a_forward_rule_fall_back() -> None:
    class Cube(torch.autograd.Function):  # has no jvp
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            return gradient * 3 * ctx.saved_tensors[0] ** 2

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return Cube.apply(self.conv(x)).mean((2, 3))

    images = torch.rand(2, 3, 4, 4)
    vectors, attributions = logit_attribution(load(Network(), size=4), images, "conv", torch.tensor([[1, 2]] * 2))
    torch.testing.assert_close(attributions, 3 * vectors**3 / 16)


def test_what_cannot_be_attributed() -> None:
    model = load(seeded(Inplace), size=16)
    images = torch.rand(2, 3, 16, 16)
    with pytest.raises(UsageError, match="outside the 8 × 8 map of 'conv1'"):
        logit_attribution(model, images, "conv1", torch.tensor([[0, 0], [0, 8]]))
    with pytest.raises(UsageError, match="\\(row, col\\) for each of 2 images"):
        logit_attribution(model, images, "conv1", torch.tensor([[0, 0]]))
    with pytest.raises(NotFoundError, match="did you mean conv2, conv1"):
        logit_attribution(model, images, "conv", torch.tensor([[0, 0]] * 2))

    class Nothing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> str:
            return str(self.conv(x).sum())

    with pytest.raises(PellucidError, match="gives no scores"):
        logit_attribution(load(Nothing(), size=16), images, "conv", torch.tensor([[0, 0]] * 2))


def test_torch_keeps_its_own_choice_of_attention() -> None:
    model, before = load(seeded(Tokens), size=16), torch.backends.mha.get_fastpath_enabled()
    for chosen in (True, False):
        torch.backends.mha.set_fastpath_enabled(chosen)
        logit_attribution(model, torch.rand(1, 3, 16, 16), "blocks", torch.tensor([[0, 1]]))
        assert torch.backends.mha.get_fastpath_enabled() == chosen
    torch.backends.mha.set_fastpath_enabled(before)


class Around(nn.Module):
    """A branch passes the layer by, so that its pictures cannot be multiplied there."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)
        self.side = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.conv(x).relu() * self.side(x)).mean((2, 3)))


@pytest.mark.parametrize("network", [Around(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.Flatten(), nn.Linear(144, 5))])
def test_several_positions_at_once_are_each_alone(network: nn.Module) -> None:
    model = load(network, size=8)
    images, positions = torch.rand(3, 3, 8, 8), torch.randint(0, 6, (3, 20, 2))
    layer = next(iter(model.layers))
    vectors, attributions = logit_attribution(model, images, layer, positions)
    assert attributions.shape == (3, 20, 5)
    for at in range(20):
        alone = logit_attribution(model, images, layer, positions[:, at])
        torch.testing.assert_close(vectors[:, at], alone[0])
        torch.testing.assert_close(attributions[:, at], alone[1])
