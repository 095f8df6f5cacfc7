"""What places give to places and to classes, against autograd position by position."""

from __future__ import annotations

import pytest
import torch
from tests.models import networks
from torch import Tensor, nn

from pellucid.arrays import to_image
from pellucid.explain.cells import Cells, cells_of
from pellucid.explain.spatial import between_layers, class_maps, to_classes
from pellucid.explain.tape import Tape, record
from pellucid.models import load
from pellucid.terrarium import draw
from pellucid.vis.objectives import IMAGE


def homogeneous() -> nn.Sequential:
    """Without biases: what it answers grows with the picture, and nothing else."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 6, 3, stride=2, bias=False),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(6 * 5 * 4, 3),
        ).double()


def taped(layers: list[str], network: nn.Sequential) -> Tape:
    model = load(network, size=(13, 11), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))
    return record(model, torch.rand(3, 13, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64), layers)


def one_by_one(network: nn.Sequential, image: Tensor, mean: Tensor, std: Tensor) -> dict[tuple[str, str], Tensor]:
    """Each position of the later layer by a backward pass of its own, and each product by a loop."""
    inputs = ((image - mean) / std)[None].requires_grad_()
    early = network[0](inputs).relu()
    late = network[2](early).relu()
    found = {}
    for name, source in ((IMAGE, inputs), ("1", early)):
        table = torch.zeros(*late.shape[2:], *source.shape[2:], dtype=torch.float64)
        for row in range(late.shape[2]):
            for col in range(late.shape[3]):
                length = late[0, :, row, col].square().sum().sqrt()
                (gradient,) = torch.autograd.grad(length, source, retain_graph=True)
                for c in range(source.shape[1]):
                    table[row, col] += (gradient[0, c] * source[0, c]).detach()
        found[name, "3"] = table
    return found


def blocks(table: Tensor, side: int) -> Tensor:
    """Sums over squares of the two first and of the two last axes, by loops."""
    h, w, p, q = (-(-length // side) for length in table.shape)
    out = torch.zeros(h, w, p, q, dtype=table.dtype)
    for a in range(table.shape[0]):
        for b in range(table.shape[1]):
            for c in range(table.shape[2]):
                for d in range(table.shape[3]):
                    out[a // side, b // side, c // side, d // side] += table[a, b, c, d]
    return out


def test_between_layers_by_loops() -> None:
    tape = taped(["3", "1"], homogeneous())
    mean, std = (torch.tensor(each, dtype=torch.float64)[:, None, None] for each in (tape.model.mean, tape.model.std))
    found = between_layers(tape)
    assert set(found) == {(IMAGE, "1"), (IMAGE, "3"), ("1", "3")}
    for pair, wanted in one_by_one(homogeneous(), tape.image, mean, std).items():
        torch.testing.assert_close(found[pair], wanted)
    by_two = between_layers(tape, most=3)["1", "3"]
    assert by_two.shape == (3, 2, 3, 3)  # of 5 × 4 by two, of 11 × 9 by four
    finest = found["1", "3"]
    wanted = blocks(blocks(finest, 1), 1)
    for row in range(3):
        for col in range(2):
            given = wanted[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].sum((0, 1))
            torch.testing.assert_close(by_two[row, col], blocks(given[None, None], 4)[0, 0])


def test_without_constants_the_cells_give_all_of_a_cells_length() -> None:
    tape = taped(["1", "3"], homogeneous())
    for (_, target), found in between_layers(tape, most=4).items():
        map = tape.maps[target]
        lengths = cells_of((map.shape[1], map.shape[2]), 4).sums(map.norm(dim=0)[None])[0]
        torch.testing.assert_close(found.sum((2, 3)), lengths)


def test_the_picture_gives_from_its_mean() -> None:
    """Of a linear network, the pixels give all that the logits are above those of the mean picture."""
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 4)).double()
    model = load(network, size=8, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))
    tape = record(model, torch.rand(3, 8, 8, dtype=torch.float64), ["0"])
    mean = torch.tensor(model.mean, dtype=torch.float64)[:, None, None].expand(3, 8, 8)
    gained = (network(model.preprocess(tape.image[None])) - network(model.preprocess(mean[None])))[0].detach()
    torch.testing.assert_close(class_maps(tape, range(4), [IMAGE])[IMAGE].sum((1, 2)), gained)


@pytest.mark.parametrize("kind", [networks.Inplace, networks.Functional])
def test_cells_give_to_classes_the_same_forwards_and_backwards(kind: type[nn.Module]) -> None:
    tape = record(load(networks.seeded(kind).double(), size=16), torch.rand(3, 16, 16, dtype=torch.float64), ["conv2"])
    few, many = to_classes(tape, "conv2", most=2), to_classes(tape, "conv2", most=8)  # 4 cells and 64 cells, 6 classes
    assert few.shape == (6, 2, 2) and many.shape == (6, 8, 8)
    torch.testing.assert_close(few, cells_of((8, 8), 2).sums(many))
    torch.testing.assert_close(many, class_maps(tape, range(6), ["conv2"])["conv2"])


def test_at_the_last_layer_the_positions_give_the_logits_exactly() -> None:
    scene = draw(3)
    tape = record(load("terrarium"), to_image(scene.picture), ["mixed4b"])
    linear = tape.model.network.head.linear
    given = to_classes(tape, "mixed4b")
    wanted = torch.einsum("kc,chw->khw", linear.weight.detach(), tape.maps["mixed4b"]) / 144
    torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(given.sum((1, 2)) + linear.bias.detach(), tape.logits, rtol=1e-4, atol=1e-4)


def test_what_speaks_for_a_class_lies_on_the_thing() -> None:
    """Of four drawings on one sheet, the place that gives most to the class of one lies on its thing, and on no other."""
    parts = {
        "fish": {"fish", "tail"},
        "starfish": {"starfish"},
        "mushroom": {"cap", "stalk"},
        "sunflower": {"petals", "heart", "stem"},
    }
    model, hits = load("terrarium"), []
    for index in range(4):
        scenes = [draw(index, seed=5, label=label) for label in parts]
        pictures = [to_image(scene.picture) for scene in scenes]
        sheet = torch.cat([torch.cat(pictures[:2], 2), torch.cat(pictures[2:], 2)], 1)
        maps = class_maps(record(model, sheet, ["mixed4b"]), [scene.class_index for scene in scenes], ["mixed4b"])["mixed4b"]
        for place, (scene, map, names) in enumerate(zip(scenes, maps, parts.values(), strict=True)):
            row, col = divmod(int(map.argmax()), 24)
            thing = torch.stack([torch.from_numpy(mask) for name, mask in scene.masks.items() if name in names]).any(0)
            inside = (row // 12, col // 12) == divmod(place, 2)
            hits.append(inside and bool(thing[8 * (row % 12) :, 8 * (col % 12) :][:8, :8].any()))
    assert sum(hits) >= 15  # of 16; by chance one


def test_cells_cover_a_map() -> None:
    assert cells_of((27, 20)) == Cells(27, 20, 2) and cells_of((13, 13)).side == 1 and cells_of((1, 1)).side == 1
    for cells in (Cells(7, 5, 3), Cells(4, 4, 1), Cells(3, 5, 9)):
        masks, values = cells.masks(), torch.rand(2, cells.height, cells.width)
        assert (masks.sum(0) == 1).all() and len(masks) == cells.rows * cells.cols
        wanted = torch.einsum("mhw,nhw->nm", masks, values).unflatten(1, (cells.rows, cells.cols))
        torch.testing.assert_close(cells.sums(values), wanted)
