"""Groups of a picture, what they do and what flows between them: sums that hold, and groups that were put in."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from tests.models import networks
from torch import Tensor, nn

from pellucid.arrays import to_image
from pellucid.errors import MissingExtraError, UsageError
from pellucid.explain.flow import group_flow
from pellucid.explain.groups import Of, neuron_groups
from pellucid.explain.spatial import between_layers
from pellucid.explain.tape import Tape, record
from pellucid.models import OUTPUT, load
from pellucid.terrarium import draw

EVERY: tuple[Of, ...] = ("activations", "gradients", "attributions")


def taped(layers: list[str]) -> Tape:
    """Of a network that curves after its layers, so that gradients differ from place to place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3, stride=2)
        head = [nn.Conv2d(6, 4, 2), nn.Tanh(), nn.Flatten(), nn.Linear(64, 3)]
        image = torch.rand(3, 13, 13, dtype=torch.float64)
    network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *head)
    return record(load(network.double(), size=13), image, layers)


def gradient_of(tape: Tape, index: int, layer: str) -> Tensor:
    return tape.pull(OUTPUT, torch.eye(3, dtype=torch.float64)[[index]][:, :, None, None], [layer])[layer][0]


@pytest.mark.parametrize("of", EVERY)
def test_effects_and_rest_are_all_that_the_layer_gives(of: Of) -> None:
    tape = taped(["3"])
    found = neuron_groups(tape, "3", [2, 0], 3, of=of)
    for place, index in enumerate([2, 0]):
        total = 0.0
        for value, slope in zip(tape.maps["3"].flatten().tolist(), gradient_of(tape, index, "3").flatten().tolist(), strict=True):
            total += value * slope
        assert float(found.effects[:, place].sum() + found.rest[place]) == pytest.approx(total, rel=1e-5)
    assert found.effects.shape == (3, 2) and found.maps.shape == (3, 5, 5) and found.explained > 0.5


def test_the_effect_of_a_group_is_its_part_times_the_gradient() -> None:
    tape = taped(["3"])
    found = neuron_groups(tape, "3", [1], 3)
    gradient = gradient_of(tape, 1, "3")
    for g, part in enumerate(found.parts):
        total = 0.0
        for c in range(6):
            for row in range(5):
                for col in range(5):
                    assert part[c, row, col] == pytest.approx(float(found.directions[g, c] * found.maps[g, row, col]))
                    total += float(part[c, row, col] * gradient[c, row, col])
        assert float(found.effects[g, 0]) == pytest.approx(total, rel=1e-6)
    missed = (tape.maps["3"] - found.parts.sum(0)).square().sum() / tape.maps["3"].square().sum()
    assert found.explained == pytest.approx(1 - float(missed), abs=1e-5)


@pytest.mark.parametrize("of", EVERY)
def test_with_as_many_groups_as_channels_nothing_is_left(of: Of) -> None:
    tape = taped(["3"])
    found = neuron_groups(tape, "3", [1], 99, of=of)
    assert len(found.directions) == 6 and found.explained > 0.98
    assert float(found.rest.abs().max()) < 0.1 * float((gradient_of(tape, 1, "3") * tape.maps["3"]).abs().sum())


def colours(image: Tensor) -> Tape:
    """A network whose first layer's channels are the colours; red speaks for the first class and green against it."""
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False)]
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), *pooled)
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None])
        network[4].weight.copy_(torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0]]))
    return record(load(network, size=(8, 12), mean=(0,) * 3, std=(1,) * 3), image, ["1"])


@pytest.mark.parametrize("of", ["activations", "attributions"])
def test_things_side_by_side_are_groups_with_their_effects(of: Of) -> None:
    image = torch.zeros(3, 8, 12)
    image[2, :, :4] = image[0, :, 4:8] = image[1, :, 8:] = 0.5
    found = neuron_groups(colours(image), "1", [0, 1], 3 if of == "activations" else 2, of=of)
    wanted = {"activations": [2, 0, 1], "attributions": [0, 1]}[of]  # blue does nothing to any class
    assert found.directions.argmax(1).tolist() == wanted
    effects = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])[wanted] / 6  # half of a third of the positions
    torch.testing.assert_close(found.effects, effects, atol=2e-3, rtol=0)
    assert found.rest.abs().max() < 2e-3
    for map, channel in zip(found.maps, wanted, strict=True):
        assert ((map > map.max() / 2) == (image[channel] > 0)).all()


def test_a_layer_that_answers_below_zero_is_grouped_by_direction() -> None:
    tape = record(load(networks.seeded(networks.Inplace), size=16), torch.rand(3, 16, 16), ["conv2"])
    assert tape.maps["conv2"].min() < 0
    found = neuron_groups(tape, "conv2", [1, 2], 4)
    assert ((found.maps > 0).sum(0) <= 1).all()


def test_groups_of_a_scene_separate_what_is_in_it() -> None:
    """Of a drawing with a boat on water under the sky, each of the three has a group that is most at home there."""
    separated = 0
    for index in range(6):
        scene = draw(index, seed=2, label="fireboat")
        tape = record(load("terrarium"), to_image(scene.picture), ["mixed3b"])
        found = neuron_groups(tape, "mixed3b", [scene.class_index], 6)
        homes = set()
        for part in ("boat", "water", "sky"):
            mask = torch.nn.functional.avg_pool2d(torch.from_numpy(scene.masks[part]).float()[None], 4)[0]
            inside = (found.maps * mask).sum((1, 2)) / mask.sum()
            outside = (found.maps * (1 - mask)).sum((1, 2)) / (1 - mask).sum()
            contrast = inside / outside.clamp_min(1e-9)
            if contrast.max() > 3:
                homes.add(int(contrast.argmax()))
        separated += len(homes) == 3
    assert separated >= 5


def test_flows_by_loops_and_their_sums() -> None:
    tape = taped(["1", "3"])
    early, late = neuron_groups(tape, "1", [0], 3), neuron_groups(tape, "3", [0], 2)
    found = group_flow(tape, early, late)
    network, inputs = tape.model.network, tape.model.preprocess(tape.image[None])
    source = network[:2](inputs).detach().requires_grad_()
    map = network[2:4](source)[0]
    lengths = map.detach().norm(dim=0)
    for t, part in enumerate(late.parts):
        score = torch.zeros((), dtype=torch.float64)
        for row in range(5):
            for col in range(5):
                if lengths[row, col] > 0:
                    score = score + (part[:, row, col] * map[:, row, col]).sum() / lengths[row, col]
        (gradient,) = torch.autograd.grad(score, source, retain_graph=True)
        assert float(found.amounts[t]) == pytest.approx(float(score.detach()))
        for s, before in enumerate(early.parts):
            assert float(found.given[s, t]) == pytest.approx(float((before * gradient[0]).sum()))
        assert float(found.rest[t]) == pytest.approx(float(((source[0] - early.parts.sum(0)) * gradient[0]).sum().detach()))
    torch.testing.assert_close(found.given.sum(0) + found.rest + found.constant, found.amounts)
    assert float(found.amounts.sum()) + found.beyond == pytest.approx(float(lengths.sum()))


def test_flows_are_what_the_places_give_where_the_groups_are_everything() -> None:
    tape = taped(["1", "3"])
    found = group_flow(tape, neuron_groups(tape, "1", [0], 5), neuron_groups(tape, "3", [0], 6))
    places = between_layers(tape)["1", "3"]
    assert float(found.given.sum() + found.rest.sum()) == pytest.approx(float(places.sum()), rel=0.02)


def test_groups_towards_later_ones_are_grouped_by_what_they_give_to() -> None:
    """Four channels that are all alike at each position; two of them go on to one later thing, two to another."""
    early, late = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 2, 1, bias=False)
    with torch.no_grad():
        early.weight.fill_(1 / 3)
        late.weight.copy_(torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])[:, :, None, None])
    network = nn.Sequential(early, nn.ReLU(), late, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    model = load(network, size=6, mean=(0,) * 3, std=(1,) * 3)
    tape = record(model, torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(0)), ["1", "3"])
    things = replace(neuron_groups(tape, "3", [0], 2), directions=torch.eye(2), maps=tape.maps["3"])
    assert neuron_groups(tape, "1", [0], 1).explained > 0.999  # by activations alone they are one
    found = neuron_groups(tape, "1", [0], 2, towards=things)
    half = 0.5**0.5
    wanted = torch.tensor([[half, 0.0, half, 0.0], [0.0, half, 0.0, half]])
    order = found.directions[:, 1].argsort()
    torch.testing.assert_close(found.directions[order], wanted, atol=0.02, rtol=0)
    torch.testing.assert_close(found.parts.sum(0), tape.maps["1"], atol=0.02, rtol=0)
    given = group_flow(tape, found, things).given[order]
    assert given.diagonal().min() > 50 * given.flip(1).diagonal().abs().max()


def test_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = taped(["1", "3"])
    with pytest.raises(UsageError, match="of='weights': there are 'activations', 'gradients' and 'attributions'"):
        neuron_groups(tape, "3", [0], of="weights")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="count=0"):
        neuron_groups(tape, "3", [0], 0)
    groups = [neuron_groups(tape, layer, [0], 2, of="gradients") for layer in ("1", "3")]
    with pytest.raises(UsageError, match="flows are between groups of activations"):
        group_flow(tape, *groups)
    with pytest.raises(UsageError, match="groups of activations towards groups of gradients"):
        neuron_groups(tape, "1", [0], towards=groups[1])
    with pytest.raises(UsageError, match="layer '1': all activations of this picture are zero; leave the layer out"):
        neuron_groups(colours(torch.zeros(3, 8, 12)), "1", [0])
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"pellucid\[groups\]"):
        neuron_groups(tape, "3", [0])
