"""Derivatives between layers, against finite differences of networks that are run with something added at a layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.models import networks
from tests.models.untouched import untouched
from torch import Tensor, nn

from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.explain.tape import COPIES, record
from pellucid.models import OUTPUT, Model, capture, load
from pellucid.models.network import tensor_of, with_tensor
from pellucid.vis.objectives import IMAGE

# A network, an earlier and a later layer of it, and how often the earlier one's module runs.
CASES = [
    (networks.Inplace, "conv1", "conv2", 1),
    (networks.Inplace, "relu1", "relu2", 1),
    (networks.Functional, "norm", "conv3", 1),
    (networks.Functional, "conv2", "conv3", 1),
    (networks.Reused, "relu", OUTPUT, 2),
    (networks.Tuples, "pair", "act", 1),
    (networks.ChannelsLast, "norm", OUTPUT, 1),
    (networks.Tokens, "blocks.0", "blocks.1.norm", 1),
]


def model_of(kind: type[nn.Module]) -> Model:
    return load(networks.seeded(kind).double(), size=16)


def picture(seed: int = 0) -> Tensor:
    return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def in_raw_form(model: Model, layer: str, change: Tensor) -> Tensor:
    """A change of a map as one of what the layer returns: the way of the three forms that these networks have."""
    if layer == "norm" and isinstance(model.network, networks.ChannelsLast):
        return change.permute(1, 2, 0)[None]
    if layer.startswith("blocks"):
        return nn.functional.pad(change.flatten(1).T, (0, 0, 1, 1))[None]  # a class token before, a register behind
    return change[None]


def changed(model: Model, image: Tensor, layer: str, change: Tensor, runs: int, target: str) -> Tensor:
    """The target's map where something is added to the last output of a layer, or to the picture."""
    if layer == IMAGE:
        return capture(model, (image + change)[None], [target])[target][0]
    calls = 0

    def add(module: nn.Module, inputs: Any, output: Any) -> Any:
        nonlocal calls
        calls += 1
        tensor = tensor_of(output)
        assert tensor is not None
        return with_tensor(output, tensor + in_raw_form(model, layer, change)) if calls == runs else None

    handle = model.network.get_submodule(layer).register_forward_hook(add)
    try:
        with torch.no_grad():
            return capture(model, image[None], [target])[target][0]
    finally:
        handle.remove()


@pytest.mark.parametrize(("kind", "source", "target", "runs"), CASES)
@pytest.mark.parametrize("place", ["the layer", IMAGE])
def test_gradients_are_finite_differences(kind: type[nn.Module], source: str, target: str, runs: int, place: str) -> None:
    model, image = model_of(kind), picture()
    generator = torch.Generator().manual_seed(1)
    tape = record(model, image, [source] if target == OUTPUT else [target, source])
    seeds = torch.rand(COPIES + 3, *tape.maps[target].shape, generator=generator, dtype=torch.float64) - 0.5
    place = source if place == "the layer" else place
    found = tape.pull(target, seeds, [place])[place]
    assert found.shape == (len(seeds), *tape.maps[place].shape)
    for _ in range(3):
        way = 1e-6 * (torch.rand(tape.maps[place].shape, generator=generator, dtype=torch.float64) - 0.5)
        ends = [changed(model, image, place, sign * way, runs, target) for sign in (1, -1)]
        for seed, gradient in zip(seeds, found, strict=True):
            wanted = float((seed * (ends[0] - ends[1])).sum()) / 2
            assert float((gradient * way).sum()) == pytest.approx(wanted, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(("kind", "source", "target", "runs"), CASES)
def test_what_is_pushed_forward_is_what_is_pulled_back(kind: type[nn.Module], source: str, target: str, runs: int) -> None:
    tape = record(model_of(kind), picture(), [source])
    changes = torch.rand(COPIES + 1, *tape.maps[source].shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    seeds = torch.eye(len(tape.logits), dtype=torch.float64)[:, :, None, None]
    wanted = torch.einsum("nchw,kchw->nk", changes, tape.pull(OUTPUT, seeds, [source])[source])
    assert wanted.abs().max() > 0
    torch.testing.assert_close(tape.pushing(source)(changes), wanted)


def test_products_by_loops() -> None:
    tape = record(model_of(networks.Inplace), picture(), ["conv1"])
    seeds = torch.eye(6, dtype=torch.float64)[:2, :, None, None]
    map = tape.maps["conv1"]
    for index, gradient in enumerate(tape.pull(OUTPUT, seeds, ["conv1"])["conv1"]):
        positions, channels = torch.zeros(8, 8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
        for c in range(8):
            for row in range(8):
                for col in range(8):
                    positions[row, col] += map[c, row, col] * gradient[c, row, col]
                    channels[c] += map[c, row, col] * gradient[c, row, col]
        torch.testing.assert_close(tape.at_positions(OUTPUT, seeds, ["conv1"])["conv1"][index], positions)
        torch.testing.assert_close(tape.of_channels(OUTPUT, seeds, ["conv1"])["conv1"][index], channels)


def test_channels_count_the_tokens_outside_the_grid() -> None:
    """Behind the last block only the class token goes on, which is none of the grid's."""
    tape = record(model_of(networks.Tokens), picture(), ["blocks.1"])
    seeds = torch.eye(6, dtype=torch.float64)[:1, :, None, None]
    assert tape.at_positions(OUTPUT, seeds, ["blocks.1"])["blocks.1"].abs().max() == 0
    bias = tape.model.network.head.bias[0].detach()
    torch.testing.assert_close(tape.of_channels(OUTPUT, seeds, ["blocks.1"])["blocks.1"].sum() + bias, tape.logits[0])


def test_maps_are_what_the_layers_answer_and_the_picture_less_the_mean() -> None:
    model = load(networks.seeded(networks.Inplace), size=16, mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.5))
    image = picture().float()
    tape = record(model, image, ["relu2", "conv1", "relu2"])
    assert tape.layers == ("conv1", "relu2")
    for name, map in capture(model, image[None], ["conv1", "relu2", OUTPUT]).items():
        torch.testing.assert_close(tape.maps[name], map[0].detach())
    torch.testing.assert_close(tape.maps[IMAGE], image - torch.tensor([0.1, 0.2, 0.3])[:, None, None])


def test_what_has_no_part_has_no_gradient() -> None:
    tape = record(model_of(networks.Inplace), picture(), ["conv1", "conv2"])
    assert not tape.pull("conv1", torch.ones(1, 8, 8, 8, dtype=torch.float64), ["conv2"])["conv2"].any()


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).detach().mean((2, 3))


def test_wrong_use() -> None:
    model = model_of(networks.Inplace)
    with untouched(model.network):
        with pytest.raises(UsageError, match=r"image: shape \(1, 3, 16, 16\); one picture of \(3, h, w\) is wanted"):
            record(model, picture()[None], ["conv1"])
        with pytest.raises(UsageError, match="3, h, w"):
            record(model, picture()[:1], ["conv1"])
        with pytest.raises(NotFoundError, match="did you mean"):
            record(model, picture(), ["conv"])
        with pytest.raises(NotFoundError, match="layer 'logits' is not there"):
            record(model, picture(), [OUTPUT])
    with pytest.raises(PellucidError, match="cannot be differentiated"):
        record(load(Detached(), size=16), picture().float(), ["conv"])
    with pytest.raises(UsageError, match="images: there are numbers that are not finite"):
        record(model, torch.full((3, 16, 16), torch.nan), ["conv1"])
    with torch.inference_mode(), pytest.raises(UsageError, match=r"inference_mode\(\) is on"):
        record(model, picture(), ["conv1"])


class Cut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.first(x).detach()).mean((2, 3)))


def test_a_gradient_that_is_cut_is_said() -> None:
    for layers in (["last"], ["first", "last"]):
        with pytest.raises(PellucidError, match="cannot be differentiated: it cuts the gradient before last, as detach"):
            record(load(Cut(), size=16), picture().float(), layers)
    with pytest.raises(PellucidError, match="before logits, as detach"):
        record(load(Cut(), size=16), picture().float(), ["first"])
