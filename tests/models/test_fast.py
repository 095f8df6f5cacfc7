from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.models.networks import ChannelsLast, Functional, Inplace, Reused, Swallowing, Tokens, Tuples, seeded
from tests.models.untouched import untouched
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import OUTPUT, Model, capture, load, redirected_relu
from pellucid.models.fast import Fast, fast


class Stem(nn.Module):
    """All that is exchanged, one after the other: a strided start, each channel alone, pooling, and attention among positions."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.each, self.relu = nn.Conv2d(3, 8, 5, 2, 2), nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.ReLU(inplace=True)
        self.pool, self.mix, self.head = nn.AvgPool2d(3, 1, 1), nn.Linear(8, 24), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.each(self.relu(self.start(x)))).flatten(2).mT
        query, key, value = self.mix(x).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.head(x.mean(1))


class Shared(nn.Module):
    """A strided convolution over the picture that runs twice, and one weight in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(3, 3, 3, 2, 1), nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(self.conv(self.conv(x)).mean((2, 3))).relu())


class Parametrized(nn.Module):
    """Weights that are computed from others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.weight_norm(nn.Conv2d(3, 8, 3, 2))
        self.head = parametrizations.spectral_norm(nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean((2, 3)))


class Hidden(nn.Module):
    """A weight that the network does not know as its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.hidden = nn.Conv2d(3, 4, 3, 2), [nn.Parameter(torch.randn(4, 4, 3, 3)), nn.Parameter(torch.randn(6, 4))]

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.conv2d(self.conv(x), self.hidden[0], stride=2).mean((2, 3)), self.hidden[1])


class Circular(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 5, 3, 2, padding_mode="circular"), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, dilation=2))


class Viewed(nn.Module):
    """Maps that are flattened where they lie, as older networks do it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8 * 16 * 12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().view(x.size(0), -1))


KINDS = [Inplace, Functional, Reused, Tokens, ChannelsLast, Tuples, Swallowing, Stem, Shared, Parametrized, Hidden, Circular]
TOLERANCE = {False: 1e-5, True: 0.02}  # of norms, in float32 and bfloat16
IMAGES = torch.rand(3, 3, 32, 24, generator=torch.Generator().manual_seed(0))

Run = Callable[[Tensor, list[str]], dict[str, Tensor]]


def usual(model: Model, *, bfloat16: bool, layout: torch.memory_format = torch.channels_last) -> Run:
    """`capture` as one would write it."""

    def run(images: Tensor, layers: list[str]) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return capture(model, images.contiguous(memory_format=layout), layers)

    return run


def answers(run: Run, layers: list[str], images: Tensor = IMAGES) -> tuple[dict[str, Tensor], Tensor]:
    """The maps, and the gradient of something that depends on every value of them."""
    leaf = images.clone().requires_grad_()
    maps = run(leaf, layers)
    score = torch.stack([map.float().square().mean() for map in maps.values()]).sum()
    return {name: map.detach() for name, map in maps.items()}, torch.autograd.grad(score, leaf)[0]


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_maps_and_gradients_are_those_of_capture(kind: type[nn.Module], bfloat16: bool) -> None:
    model = load(seeded(kind), size=(32, 24), mean=0.5, std=0.25)
    for layers in ([OUTPUT], list(model.layers), list(model.layers)[:1]):
        maps, gradient = answers(usual(model, bfloat16=bfloat16), layers)
        with fast(model, bfloat16=bfloat16) as network:
            seen, ours = answers(network, layers)
        assert list(seen) == list(maps)
        for name in layers:
            assert seen[name].dtype == maps[name].dtype
            assert (seen[name] - maps[name]).norm() <= TOLERANCE[bfloat16] * maps[name].norm()
        assert (ours - gradient).norm() <= TOLERANCE[bfloat16] * gradient.norm()


@pytest.mark.parametrize("bfloat16", [False, True])
def test_maps_can_be_viewed_as_vectors(bfloat16: bool) -> None:
    model = load(seeded(Viewed), size=(32, 24))
    maps, gradient = answers(usual(model, bfloat16=bfloat16, layout=torch.contiguous_format), [OUTPUT])
    with fast(model, bfloat16=bfloat16) as network:
        seen, ours = answers(network, [OUTPUT])
    assert (seen[OUTPUT] - maps[OUTPUT]).norm() <= TOLERANCE[bfloat16] * maps[OUTPUT].norm()
    assert (ours - gradient).norm() <= TOLERANCE[bfloat16] * gradient.norm()


def test_what_strides_over_the_picture_answers_the_same_bits() -> None:
    model = load(seeded(Stem).to(memory_format=torch.channels_last), size=(32, 24))
    wanted, _ = answers(usual(model, bfloat16=True), ["start", "each", "pool"])
    with fast(model, bfloat16=True) as network:
        maps, _ = answers(network, ["start", "each", "pool"])
    assert all(torch.equal(maps[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("size", [(17, 32), (9, 9), (40, 23)])
def test_other_sizes_than_the_models(size: tuple[int, int]) -> None:
    model, images = load(seeded(Stem), size=(32, 24)), torch.rand(2, 3, *size)
    _, gradient = answers(usual(model, bfloat16=False), [OUTPUT], images)
    with fast(model, bfloat16=False) as network:
        torch.testing.assert_close(answers(network, [OUTPUT], images)[1], gradient)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_another_type_keep_it(dtype: torch.dtype, bfloat16: bool) -> None:
    model = load(seeded(Stem).to(dtype), size=(32, 24))
    maps, gradient = answers(usual(model, bfloat16=bfloat16), [OUTPUT])
    with fast(model, bfloat16=bfloat16) as network:
        ours, along = answers(network, [OUTPUT])
    assert ours[OUTPUT].dtype == dtype
    torch.testing.assert_close(ours, maps)
    assert (along - gradient).norm() <= 0.02 * gradient.norm()


def kinds_of(tensor: Tensor) -> set[str]:
    """The names of all nodes in autograd's graph behind a tensor."""
    names, nodes = set(), [tensor.grad_fn]
    while nodes:
        if (node := nodes.pop()) is not None:
            names.add(node.name())
            nodes += [each for each, _ in node.next_functions]
    return names


def test_quick_gradients_are_used() -> None:
    model = load(seeded(Stem), size=(32, 24))
    with fast(model, bfloat16=True) as network:
        maps = network(IMAGES.clone().requires_grad_(), [OUTPUT])
    assert {"_ConvolutionBackward", "_AveragePoolBackward", "_AttentionBackward"} <= kinds_of(maps[OUTPUT])


class Casts(TorchDispatchMode):
    """Counts conversions of tensors as large as a weight."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.count = shape, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "_to_copy" in str(func) and tuple(args[0].shape) == self.shape
        return func(*args, **(kwargs or {}))


def test_weights_are_cast_once() -> None:
    model = load(seeded(Tokens), size=(32, 24))
    with fast(model, bfloat16=True) as network, Casts((24, 8)) as casts:
        for _ in range(3):
            network(IMAGES, [OUTPUT])
    assert casts.count == 2  # what goes into attention, in two blocks


def given_to(network: nn.Module, *, bfloat16: bool) -> torch.dtype:
    with fast(load(network, size=(32, 24)), bfloat16=bfloat16) as run:
        return run.inputs(IMAGES).dtype


def test_pictures_are_narrowed_where_a_convolution_takes_them_and_nothing_else() -> None:
    assert given_to(seeded(Inplace), bfloat16=True) == torch.bfloat16
    assert given_to(seeded(Inplace), bfloat16=False) == torch.float32
    assert given_to(nn.Sequential(nn.InstanceNorm2d(3), seeded(Inplace)), bfloat16=True) == torch.float32
    assert given_to(seeded(Inplace).double(), bfloat16=True) == torch.float64


def test_hooks_of_the_user_fire_and_see_their_own_network() -> None:
    network, seen = seeded(Inplace), []
    model = load(network, size=(32, 24))
    _ = model.layers
    network.conv1.register_forward_hook(lambda module, inputs, output: seen.append((id(module.weight), inputs[0].shape)))
    before = id(network.conv1.weight)
    with fast(model, bfloat16=True) as run:
        run(IMAGES, ["conv2"])
    assert seen == [(before, (3, 3, 32, 24))]


def test_a_hook_that_changes_the_output_counts() -> None:
    network = seeded(Inplace)
    network.conv1.register_forward_hook(lambda _m, _i, output: output * 2)
    model = load(network, size=(32, 24))
    with fast(model, bfloat16=False) as run:
        torch.testing.assert_close(run(IMAGES, ["conv1"]), capture(model, IMAGES, ["conv1"]))


def test_nothing_leaks() -> None:
    model = load(seeded(Stem), size=(32, 24))
    images = IMAGES.clone().requires_grad_()
    weight = torch.rand(4, 3, 3, 3)
    with fast(model, bfloat16=True) as network:
        network(images, ["start"])
        with pytest.raises(NotFoundError):
            network(images, ["nowhere"])
        maps = F.conv2d(images, weight, stride=2)
        assert maps.dtype == torch.float32 and kinds_of(maps) == {"ConvolutionBackward0", "torch::autograd::AccumulateGrad"}
        assert not torch.is_autocast_enabled("cpu")


def test_an_autocast_of_the_caller_does_not_decide() -> None:
    model = load(seeded(Inplace), size=(32, 24))
    with torch.autocast("cpu", torch.bfloat16), fast(model, bfloat16=False) as network:
        assert network(IMAGES, ["conv2"])["conv2"].dtype == torch.float32


def test_one_in_another_and_models_that_share_modules() -> None:
    network = seeded(Stem)
    whole, part = load(network, size=(32, 24)), load(nn.Sequential(network.start, network.relu, network.each), size=(32, 24))
    alone = answers(usual(whole, bfloat16=False), [OUTPUT])
    other = answers(usual(part, bfloat16=False), [OUTPUT])
    with fast(whole, bfloat16=False) as outer, fast(part, bfloat16=False) as inner, fast(whole, bfloat16=True) as again:
        for run, wanted in ((outer, alone), (inner, other), (outer, alone)):
            torch.testing.assert_close(answers(run, [OUTPUT]), wanted)
        answers(again, [OUTPUT])
        torch.testing.assert_close(answers(usual(whole, bfloat16=False), [OUTPUT]), alone)
    torch.testing.assert_close(answers(usual(whole, bfloat16=False), [OUTPUT]), alone)


def test_redirected_gradients_pass_through() -> None:
    network = seeded(Inplace)
    network.conv2.bias.data.fill_(-100)
    model = load(network, size=(32, 24))
    images = IMAGES.clone().requires_grad_()
    gradients = []
    with fast(model, bfloat16=False) as run, redirected_relu():
        for each in (run, usual(model, bfloat16=False)):
            gradients += torch.autograd.grad(-each(images, ["relu2"])["relu2"].sum(), images)
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0


@pytest.mark.parametrize("wrong", [torch.rand(3, 16, 16), torch.rand(1, 1, 16, 16), torch.zeros(1, 3, 16, 16, dtype=torch.uint8)])
def test_wrong_images(wrong: Tensor) -> None:
    with fast(load(seeded(Inplace), size=16), bfloat16=False) as network, pytest.raises(UsageError, match="images"):
        network(wrong, ["conv1"])


class Fault(Exception):
    pass


@pytest.mark.parametrize("kind", [Inplace, Functional, Tokens, Stem, Shared, Parametrized])
@pytest.mark.parametrize("where", ["nowhere", "inside", "in the network"])
def test_left_as_it_was(kind: type[nn.Module], where: str) -> None:
    network = seeded(kind).train()
    next(network.parameters()).requires_grad_(False)
    next(module for module in network.modules() if isinstance(module, nn.Conv2d)).eval()
    network.register_forward_hook(lambda *_: None)
    model = load(network, size=(32, 24))
    layers = list(model.layers)[:2]

    def fail(_module: nn.Module, _inputs: Any) -> None:
        raise Fault

    if where == "in the network":
        list(network.modules())[1].register_forward_pre_hook(fail)
    with untouched(network):
        try:
            with fast(model, bfloat16=True) as run, run.perturbed(0.1, torch.Generator()):
                answers(run, [*layers, OUTPUT])
                if where == "inside":
                    raise Fault
        except Fault:
            assert where != "nowhere"


# Parameter augmentation


class Line(nn.Module):
    """Answers its own weights: a convolution of 1 × 1 over a picture with a single one, and a linear map of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(1, 4000, 1), nn.Linear(1, 4000)
        for module in (self.conv, self.linear):
            nn.init.constant_(module.weight, 3.0)
            nn.init.constant_(module.bias, 5.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).flatten(1) + self.linear(x.flatten(1))


def weights_seen(network: Fast, layers: list[str]) -> dict[str, Tensor]:
    return {name: map.flatten() - 5 for name, map in network(torch.ones(1, 1, 1, 1), layers).items()}


def test_noise_is_gaussian_and_relative_and_spares_biases() -> None:
    with fast(load(seeded(Line), size=1), bfloat16=False) as network, network.perturbed(0.1, torch.Generator().manual_seed(0)):
        seen = weights_seen(network, ["conv", "linear"])
    noise = {name: weights / 3 - 1 for name, weights in seen.items()}
    for values in noise.values():
        assert abs(values.mean()) < 0.01 and 0.095 < values.std() < 0.105
        assert 0.65 < (values.abs() < 0.1).float().mean() < 0.72  # of a Gaussian, 0.683
    assert abs(torch.corrcoef(torch.stack([*noise.values()]))[0, 1]) < 0.06


def test_noise_holds_for_all_calls_inside_and_comes_from_the_generator_alone() -> None:
    with fast(load(seeded(Line), size=1), bfloat16=False) as network:
        plain = weights_seen(network, ["linear", "conv"])
        with network.perturbed(0.1, torch.Generator().manual_seed(0)):
            first, later = weights_seen(network, ["linear"]), weights_seen(network, ["conv", "linear"])
        with network.perturbed(0.1, generator := torch.Generator().manual_seed(0)):
            again = weights_seen(network, ["conv"])
        with network.perturbed(0.0, generator):
            none = weights_seen(network, ["linear", "conv"])
        with network.perturbed(0.1, generator):
            other = weights_seen(network, ["conv"])
        after = weights_seen(network, ["linear", "conv"])
    assert torch.equal(first["linear"], later["linear"]) and torch.equal(again["conv"], later["conv"])
    assert not torch.equal(other["conv"], again["conv"])
    for name in plain:
        assert torch.equal(none[name], plain[name]) and torch.equal(after[name], plain[name])


@pytest.mark.parametrize("bfloat16", [False, True])
def test_gradients_are_those_of_a_network_with_such_weights(bfloat16: bool) -> None:
    model, other = load(seeded(Stem), size=(32, 24)), seeded(Stem)
    with fast(model, bfloat16=False) as network, network.perturbed(0.2, torch.Generator().manual_seed(0)):
        values = {name: network.weights.exchanged(parameter) for name, parameter in model.network.named_parameters()}
    other.load_state_dict(values)
    assert not torch.equal(other.start.weight, model.network.start.weight)
    wanted, along = answers(usual(load(other, size=(32, 24)), bfloat16=bfloat16), [OUTPUT])
    with fast(model, bfloat16=bfloat16) as network, network.perturbed(0.2, torch.Generator().manual_seed(0)):
        maps, gradient = answers(network, [OUTPUT])
    assert (maps[OUTPUT] - wanted[OUTPUT]).norm() <= TOLERANCE[bfloat16] * wanted[OUTPUT].norm()
    assert (gradient - along).norm() <= TOLERANCE[bfloat16] * along.norm()
