from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.networks import ChannelsLast, Functional, Inplace, Reused, Tokens, seeded
from tests.models.oracles import attribution_one_class_at_a_time
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import capture, load, logit_attribution, redirected_relu
from pellucid.models import gradients as gradients_file

RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "torch.relu": torch.relu,
    "torch.relu_": lambda x: torch.relu_(x.clone()),
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.clone().relu_(),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x.clone(), True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "F.hardtanh in place": lambda x: F.hardtanh_(x.clone(), 0.0, max_val=6.0),
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": lambda x: nn.ReLU(inplace=True)(x.clone()),
    "nn.ReLU6": nn.ReLU6(),
    "nn.Hardtanh": nn.Hardtanh(0.0, 6.0),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_redirected_gradients_picture_by_picture(relu: Callable[[Tensor], Tensor], format: torch.memory_format) -> None:
    values = torch.tensor([[-2.0, -1.0], [-2.0, 1.0]])[:, :, None, None].to(memory_format=format).requires_grad_()
    incoming = torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])[:, :, None, None]
    with redirected_relu():
        output = relu(values)
        output.backward(incoming)
    assert torch.equal(output, values.detach().clamp(min=0))
    assert values.grad is not None
    # The dead picture passes what raises its values (descending a negative gradient does), not what lowers them.
    assert values.grad.flatten().tolist() == [-1.0, 0.0, 0.0, 1.0]


def test_above_six_only_what_lowers_passes() -> None:
    values = torch.tensor([[8.0, 9.0]], requires_grad=True)
    with redirected_relu():
        F.relu6(values).backward(torch.tensor([[1.0, -1.0]]))
    assert values.grad is not None and values.grad.tolist() == [[1.0, 0.0]]


def test_hardtanh_keeps_its_own_bounds() -> None:
    values = torch.tensor([[-0.5, 0.5, 3.0]])
    with redirected_relu():
        for given in (values, values.clone().requires_grad_()):
            assert torch.equal(F.hardtanh(given), torch.tensor([[-0.5, 0.5, 1.0]]))
            assert torch.equal(F.hardtanh(given, max_val=0.0), torch.tensor([[-0.5, 0.0, 0.0]]))


def test_a_dead_unit_starts_to_move_under_ascent() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True))
    nn.init.constant_(network[0].weight, 1.0)
    nn.init.constant_(network[0].bias, -1.0)
    model = load(network, size=4)
    images = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    for redirected in (False, True):
        for _ in range(20):
            with redirected_relu() if redirected else torch.enable_grad():
                loss = -capture(model, images, ["1"])["1"].mean()
            (gradient,) = torch.autograd.grad(loss, images)
            images = (images - gradient).detach().requires_grad_()
        assert (loss < 0) == redirected


def test_outside_the_block_and_without_gradients_relu_is_plain() -> None:
    values = torch.tensor([[-1.0]], requires_grad=True)
    with redirected_relu(), torch.no_grad():
        assert torch.relu(values).grad_fn is None
    torch.relu(values).sum().backward()
    assert values.grad is not None and values.grad.item() == 0


def test_forward_is_the_same_bits_under_autocast() -> None:
    model = load(seeded(Functional), size=16)
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        plain = capture(model, images, ["logits"])["logits"]
        with redirected_relu():
            redirected = capture(model, images, ["logits"])["logits"]
    assert torch.equal(plain, redirected)
    redirected.sum().backward()
    assert images.grad is not None and images.grad.isfinite().all()


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
        monkeypatch.setattr(gradients_file, "_forward_mode", _refuse)
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
