"""What channels give to classes, by loops over points and classes, and what it must add up to."""

from __future__ import annotations

import pytest
import torch
from tests.models import networks
from tests.models.untouched import untouched
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.explain.channels import Way, channel_attribution
from pellucid.explain.tape import Tape, record
from pellucid.models import Model, capture, load


class Passing(nn.Module):
    """A branch that passes a layer by and is put beside it, so that both must have as many pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1), nn.Linear(9, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(torch.cat([x, torch.tanh(self.conv(x))], 1).square().mean((2, 3)))


def taped(kind: type[nn.Module], layer: str, seed: int = 0) -> Tape:
    model = load(networks.seeded(kind).double(), size=16)
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return record(model, image, [layer])


def logits_with(model: Model, image: Tensor, layer: str, factors: Tensor, runs: int) -> tuple[Tensor, Tensor]:
    """The logits where the last output of a layer is scaled, channel by channel, and what it was scaled to."""
    kept, axis, calls = [], model.place(layer).form.axis, 0

    def scale(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls < runs:
            return output
        kept.append((output.detach() * factors.view([-1 if each == axis else 1 for each in range(output.ndim)])).requires_grad_())
        return kept[0].clone()

    handle = model.network.get_submodule(layer).register_forward_hook(scale)
    try:
        return capture(model, image[None], ["logits"])["logits"].flatten(), kept[0]
    finally:
        handle.remove()


def by_loops(tape: Tape, layer: str, classes: list[int], points: Tensor, runs: int) -> Tensor:
    """Activation times mean gradient, one point and one class at a time."""
    whole = logits_with(tape.model, tape.image, layer, torch.ones_like(points[0]), runs)[1].detach()
    axis, rows = tape.model.place(layer).form.axis, []
    for index in classes:
        total = torch.zeros_like(points[0])
        for factors in points:
            logits, scaled = logits_with(tape.model, tape.image, layer, factors, runs)
            (gradient,) = torch.autograd.grad(logits[index], scaled)
            for c in range(len(total)):
                total[c] += (gradient * whole).select(axis, c).sum()
        rows.append(total / len(points))
    return torch.stack(rows)


CASES = [
    (networks.Inplace, "conv2", 1),
    (networks.Functional, "conv2", 1),
    (networks.Reused, "relu", 2),
    (networks.ChannelsLast, "norm", 1),
    (networks.Tokens, "blocks.0", 1),
    (networks.Inplace, "drop", 1),
    (Passing, "conv", 1),
]


@pytest.mark.parametrize("way", ["linear", "path", "stochastic"])
@pytest.mark.parametrize(("kind", "layer", "runs"), CASES)
def test_channels_by_loops(kind: type[nn.Module], layer: str, runs: int, way: Way) -> None:
    tape = taped(kind, layer)
    with untouched(tape.model.network):
        found = channel_attribution(tape, layer, [4, 1], way=way, steps=10, seed=3)
    count = tape.model.layer(layer).channels
    points = torch.ones(1, count) if way == "linear" else ((torch.arange(10) + 0.5) / 10)[:, None].expand(10, count)
    if way == "stochastic":
        points = points * torch.rand(2, 10, count, generator=torch.Generator().manual_seed(3)).sum(0) / 1.5
    torch.testing.assert_close(found.values, by_loops(tape, layer, [4, 1], points.double(), runs))
    nothing = logits_with(tape.model, tape.image, layer, torch.zeros(count, dtype=torch.float64), runs)[0]
    torch.testing.assert_close(found.gained, (tape.logits - nothing)[[4, 1]].detach())


def test_a_fine_path_misses_nothing_where_the_gradient_does() -> None:
    tape = taped(Passing, "conv")
    linear, rough, fine = (
        channel_attribution(tape, "conv", range(6), way=way, steps=steps).error.abs().max()
        for way, steps in (("linear", 1), ("path", 5), ("path", 100))
    )
    assert linear > 0.01 and fine < rough < linear and fine < 1e-5


def test_the_difference_of_two_classes_is_the_difference_of_their_rows() -> None:
    """A third class whose weights are the difference of the others' gets just that."""
    tape = taped(Passing, "conv")
    head = tape.model.network.head
    with torch.no_grad():
        head.weight[2], head.bias[2] = head.weight[0] - head.weight[1], head.bias[0] - head.bias[1]
    for way in ("linear", "path", "stochastic"):
        found = channel_attribution(record(tape.model, tape.image, ["conv"]), "conv", [0, 1, 2], way=way, steps=7)
        torch.testing.assert_close(found.values[0] - found.values[1], found.values[2])
        torch.testing.assert_close(found.gained[0] - found.gained[1], found.gained[2])


def test_at_the_last_layer_all_ways_give_the_exact_contribution() -> None:
    tape = record(load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
    linear = tape.model.network.head.linear
    wanted = linear.weight.detach() * tape.maps["mixed4b"].mean((1, 2))
    for way in ("linear", "path", "stochastic"):
        found = channel_attribution(tape, "mixed4b", range(18), way=way, steps=9)
        torch.testing.assert_close(found.values, wanted, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.gained + linear.bias.detach(), tape.logits, rtol=1e-4, atol=1e-4)
        assert found.error.abs().max() < 1e-4


def test_the_same_seed_gives_the_same_path() -> None:
    tape = taped(Passing, "conv")
    first, again, other = (
        channel_attribution(tape, "conv", [0], way="stochastic", steps=5, seed=each).values for each in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_wrong_use() -> None:
    tape = taped(networks.Inplace, "conv2")
    for way, steps in (("straight", 5), ("path", 0)):
        with pytest.raises(UsageError, match=f"way='{way}', steps={steps}: there are 'linear', 'path' and 'stochastic'"):
            channel_attribution(tape, "conv2", [0], way=way, steps=steps)  # pyright: ignore[reportArgumentType]
