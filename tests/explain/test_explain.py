"""The pictures of an explanation, and all of it together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.models import networks
from tests.models.untouched import untouched
from torch import Tensor, nn

import pellucid.explain.icons as icons_file
from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, UsageError
from pellucid.explain.explain import explain
from pellucid.explain.grid import activation_grid
from pellucid.explain.groups import neuron_groups
from pellucid.explain.icons import Icons, saved_pictures
from pellucid.explain.spatial import class_maps
from pellucid.explain.tape import record
from pellucid.models import Model, load
from pellucid.terrarium import draw
from pellucid.vis import render
from pellucid.vis.objectives import IMAGE


def colours() -> Model:
    """Channels that answer to red, green and blue, and a class of each."""
    network = nn.Sequential(nn.Conv2d(3, 3, 3, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 3, 3) / 9)
    return load(network, size=(12, 18), mean=(0.0,) * 3, std=(1.0,) * 3)


def test_a_grid_shows_what_is_where_and_how_strongly() -> None:
    """Red left, dim green right, and nothing in the middle."""
    image = torch.zeros(3, 12, 18)
    image[0, :, :6], image[1, :, 12:] = 1.0, 0.25
    tape = record(colours(), image, ["1"])
    groups, icons = neuron_groups(tape, "1", [0], 2), Icons(tape.model, steps=8)
    looks = icons.of_directions("1", groups.directions)
    grid = activation_grid(tape, "1", groups, looks, icons, most=4, steps=8)
    assert (grid.cells.rows, grid.cells.cols) == (3, 4) and len(grid.pictures) == 12
    blocks = [(slice(4 * row, 4 * row + 4), slice(4 * col, 4 * col + 4)) for row in range(3) for col in range(4)]
    means = torch.stack([tape.maps["1"][:, rows, cols].mean((1, 2)) for rows, cols in blocks])
    lengths = [tape.maps["1"][:, rows, cols].norm(dim=0).mean() for rows, cols in blocks]
    torch.testing.assert_close(grid.lengths.flatten(), torch.stack(lengths))
    for picture, mean in zip(grid.pictures, means, strict=True):
        assert (picture is None) == (not mean.any())
        if picture is not None:
            colour = picture[:, 5:8, 8:11].mean((1, 2))
            assert int(colour.argmax()) == int(mean.argmax()) and colour.max() > colour.sort().values[1] + 0.1
    areas = grid.sides.square()
    torch.testing.assert_close(areas[:, 3] / areas[:, 0], grid.lengths[:, 3] / grid.lengths[:, 0])


def test_cells_start_from_what_their_groups_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.zeros(3, 12, 18)
    image[0, :, :8], image[2, :, 8:] = 1.0, 1.0
    tape = record(colours(), image, ["1"])
    groups, icons = neuron_groups(tape, "1", [0], 2), Icons(tape.model, steps=1)
    looks = [torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 0.8)]
    seen: list[Tensor] = []
    monkeypatch.setattr(Icons, "of_directions", lambda self, layer, rows, **rest: seen.extend(rest["starts"]) or list(rows))
    activation_grid(tape, "1", groups, looks, icons, most=4)
    shares = groups.maps / groups.maps.sum(0)
    assert float(seen[0].mean()) == pytest.approx(0.2, abs=1e-3) and float(seen[3].mean()) == pytest.approx(0.8, abs=1e-3)
    parts = groups.maps[:, :4, 4:8].sum((1, 2))
    assert float(seen[1].mean()) == pytest.approx(float((parts * torch.tensor([0.2, 0.8])).sum() / parts.sum()), abs=1e-5)
    assert shares.isfinite().all()


def test_no_picture_is_made_twice_and_saved_ones_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = colours()
    saved = render(model, ["1:2", "0:1", "-1:0"], size=16, steps=1)
    for number, each in enumerate(saved):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        each.save(tmp_path / f"{number % 2}" / f"{number}.png")
    other = colours()
    with torch.no_grad():
        other.network.get_submodule("0").weight.neg_()
    render(other, ["1:1"], size=16, steps=1)[0].save(tmp_path / "other.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    known = saved_pictures(model, tmp_path)
    assert set(known) == {("1", 2), ("0", 1)}
    torch.testing.assert_close(known["1", 2], saved[0].image, atol=1 / 255, rtol=0)
    made: list[object] = []
    monkeypatch.setattr(icons_file, "render", lambda model, units, **rest: made.extend(units) or render(model, units, **rest))
    icons = Icons(model, known=known, steps=1)
    first = icons.of_channels("1", [2, 0])
    assert list(first) == [2, 0] and torch.equal(first[2], known["1", 2]) and [str(each) for each in made] == ["neuron('1', 0)"]
    again = icons.of_channels("1", [0, 2])
    assert torch.equal(again[0], first[0]) and len(made) == 1


def test_one_call_for_everything() -> None:
    model, scene = load("terrarium"), draw(4)
    image, said = to_image(scene.picture), dict[str, tuple[int, int]]()
    with untouched(model.network):
        found = explain(
            model,
            image,
            layers=["mixed4b", "mixed3b"],
            classes=["streetcar", 3],
            groups=3,
            units=2,
            most=3,
            icons=Icons(model, steps=1),
            progress=lambda stage, done, total: said.update({stage: (done, total)}),
        )
    assert found.layers == ("mixed3b", "mixed4b") and found.classes == (4, 3) and len(found.logits) == 18
    assert {name: tuple(map.shape) for name, map in found.maps.items()} == {
        IMAGE: (2, 96, 96),
        "mixed3b": (2, 24, 24),
        "mixed4b": (2, 12, 12),
    }
    assert set(found.between) == {(IMAGE, "mixed3b"), (IMAGE, "mixed4b"), ("mixed3b", "mixed4b")}
    assert found.to_classes["mixed4b"].shape == (18, 3, 3)
    given = found.to_classes["mixed4b"].sum((1, 2))[[4, 3]]
    torch.testing.assert_close(given, found.maps["mixed4b"].sum((1, 2)), rtol=1e-4, atol=1e-4)
    assert {way for _, way in found.channels} == {"linear", "path", "stochastic"}
    assert len(found.flows) == 1 and found.flows[0].given.shape == (3, 3)
    assert found.factors is not None and found.factors.maps["mixed3b"].shape == (2, 3, 3)
    assert found.pictures is not None
    drawn = {channel for layer, channel in found.pictures.channels if layer == "mixed4b"}
    best = {int(row.argmax()) for row in found.channels["mixed4b", "linear"].values}
    assert best | set(found.dictionaries["mixed4b"].vocabulary(2)) <= drawn and len(drawn) <= 8
    assert len(found.pictures.groups["mixed3b"]) == 3 and len(found.pictures.grids["mixed4b"].pictures) == 9
    assert all(done == total for done, total in said.values()) and {"places", "classes", "cells of mixed4b"} <= set(said)


def test_what_nobody_names_is_found() -> None:
    model, scene = load("terrarium"), draw(3)
    found = explain(model, to_image(scene.picture), most=3, pictures=False)
    assert found.layers == ("conv1", "mixed3b", "mixed4b") and found.pictures is None
    assert found.classes[0] == scene.class_index == int(found.logits.argmax()) and len(found.classes) == 5
    again = explain(model, to_image(scene.picture), most=3, pictures=False)
    assert all(torch.equal(found.groups[name].maps, again.groups[name].maps) for name in found.layers)
    assert torch.equal(found.channels["conv1", "stochastic"].values, again.channels["conv1", "stochastic"].values)


@pytest.mark.parametrize("kind", [networks.Functional, networks.Reused, networks.ChannelsLast, networks.Tokens, networks.Tuples])
def test_every_kind_of_network_is_explained_and_left_as_it_was(kind: type[nn.Module]) -> None:
    network = networks.seeded(kind).train()
    model = load(network, size=32)
    layer = {networks.Reused: "relu", networks.Tokens: "blocks.0", networks.Tuples: "act"}.get(kind, "norm")
    with untouched(network):
        found = explain(model, torch.rand(3, 32, 32), layers=[layer], groups=2, units=1, most=2, icons=Icons(model, steps=1))
    grid = found.pictures and found.pictures.grids[layer]
    assert grid and grid.lengths.shape == (2, 2) and found.groups[layer].effects.isfinite().all()


def test_a_vector_is_a_layer_of_one_position() -> None:
    model = load(networks.seeded(networks.Inplace), size=16)
    found = explain(model, torch.rand(3, 16, 16), layers=["drop", "relu1"], units=1, icons=Icons(model, steps=1))
    assert found.layers == ("relu1", "drop") and found.groups["drop"].maps.shape == (1, 1, 1)
    assert found.between["relu1", "drop"].shape == (1, 1, 8, 8) and found.to_classes["drop"].shape == (6, 1, 1)


def test_a_network_that_raises_is_left_as_it_was() -> None:
    model = load("terrarium")
    assert model.layers
    calls = iter(range(100))

    def fail(*arguments: object) -> None:
        if next(calls) > 3:
            raise RuntimeError("the network fails")

    handle = model.network.get_submodule("mixed3a").register_forward_pre_hook(fail)
    with untouched(model.network), pytest.raises(RuntimeError, match="the network fails"):
        explain(model, torch.rand(3, 96, 96), layers=["mixed4b"], pictures=False)
    handle.remove()


def test_two_things_in_one_picture_are_told_apart() -> None:
    """A fish on the left half of one drawing, a mushroom on the right half of another: what speaks for each lies on its side."""
    model, right = load("terrarium"), 0
    for index in range(6):
        halves = [to_image(draw(index, seed=9, label=label).picture) for label in ("fish", "mushroom")]
        image = torch.cat([nn.functional.interpolate(each[None], (96, 48), mode="area")[0] for each in halves], 2)
        tape = record(model, image, ["mixed4b"])
        maps = class_maps(tape, [model.class_index("fish"), model.class_index("mushroom")], ["mixed4b"])["mixed4b"]
        fish, mushroom = maps[0] - maps[1], maps[1] - maps[0]
        right += int(fish[:, :6].sum() > fish[:, 6:].sum()) and int(mushroom[:, 6:].sum() > mushroom[:, :6].sum())
    assert right == 6


def test_wrong_use() -> None:
    model, image = load("terrarium"), torch.rand(3, 96, 96)
    with pytest.raises(NotFoundError, match="did you mean streetcar"):
        explain(model, image, classes=["streetcart"])
    with pytest.raises(NotFoundError, match="did you mean"):
        explain(model, image, layers=["mixed4"])
    with pytest.raises(UsageError, match="3, h, w"):
        explain(model, image[:1])
    for wrong in ({"groups": 0}, {"most": 0}, {"units": -1}):
        with pytest.raises(UsageError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))}"):
            explain(model, image, **wrong)  # pyright: ignore[reportArgumentType]
