"""Pictures of two units at once."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.scenes import network

from pellucid.errors import UsageError
from pellucid.vis import channel, render
from pellucid.vis.recipes.arithmetic import Arithmetic, arithmetic, saturation
from pellucid.vis.recipes.measures import answers

ROWS, COLUMNS = ["mixed3a:5", "mixed3b:7"], ["mixed3a:40", "mixed3b:60", "conv2:11"]


@pytest.fixture(scope="module")
def made() -> Arithmetic:
    return arithmetic(network(), ROWS, COLUMNS, size=48, steps=32)


def test_both_units_answer_to_the_joint_picture(made: Arithmetic) -> None:
    assert made.weakest > 0.3
    for i, row in enumerate(ROWS):
        layer, index = row.split(":")
        for j in range(len(COLUMNS)):
            alone = answers(network(), channel(layer, int(index)), made.columns[j].image[None])
            gain = made.rows[i].score - made.rows[i].history[0]
            assert made.row_shares[i][j] > (float(alone) - made.rows[i].history[0]) / gain  # more than the other's picture has


def test_shares_are_of_the_right_pictures(made: Arithmetic) -> None:
    for i, row in enumerate(ROWS):
        for j, column in enumerate(COLUMNS):
            for unit, single, share in ((row, made.rows[i], made.row_shares), (column, made.columns[j], made.column_shares)):
                layer, index = unit.split(":")
                score = float(answers(network(), channel(layer, int(index)), made.joint[i][j].image[None]))
                wanted = (score - single.history[0]) / (single.score - single.history[0])
                assert share[i][j] == pytest.approx(wanted, rel=1e-3)


def test_a_unit_alone_is_what_render_makes(made: Arithmetic) -> None:
    (single,) = render(network(), ["mixed3b:7"], size=48, steps=32)
    torch.testing.assert_close(made.rows[1].image, single.image)


def test_facts_are_ready_for_json(made: Arithmetic) -> None:
    facts = json.loads(json.dumps(made.facts()))
    assert facts["columns"] == ["channel('mixed3a', 40)", "channel('mixed3b', 60)", "channel('conv2', 11)"]
    assert facts["joint_saturation"][1][2] == pytest.approx(saturation(made.joint[1][2].image))
    assert facts["weakest"] == min(min(map(min, facts["row_shares"])), min(map(min, facts["column_shares"])))


def test_saturation_is_hsv_chroma() -> None:
    image = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    pixels = [max(p) - min(p) for p in image.flatten(1).T.tolist()]
    assert saturation(image) == pytest.approx(sum(pixels) / len(pixels))


def test_a_black_and_white_unit_takes_the_colours_from_the_others() -> None:
    """The channels of mixed3a whose pictures are the least and the most colourful, each with every sixteenth one of mixed3b."""
    alone = render(network(), [f"mixed3a:{index}" for index in range(96)], size=48, steps=32)
    colours = {saturation(each.image): f"mixed3a:{index}" for index, each in enumerate(alone) if not each.silent}
    made = arithmetic(
        network(), [f"mixed3b:{k}" for k in range(0, 128, 16)], [colours[min(colours)], colours[max(colours)]], size=64
    )
    rows = [saturation(each.image) for each in made.rows]
    grey, bright = (torch.tensor([saturation(row[k].image) for row in made.joint]) for k in range(2))
    assert bool((grey < torch.tensor(rows)).all()) and bool((grey < bright).all())
    assert float(grey.mean()) < 0.75 * sum(rows) / len(rows)
    both = [min(row[0], column[0]) for row, column in zip(made.row_shares, made.column_shares, strict=True)]
    assert sum(share > 0.5 for share in both) >= 7  # not with mixed3b:32, in whose picture there is no room for it


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="one unit or more each"):
        arithmetic(network(), [], COLUMNS)
    with pytest.raises(UsageError, match="answers no more to its own picture than to noise"):
        arithmetic(network(), [0 * channel("conv1", 0)], ["conv1:1"], steps=1, size=32)


def test_progress_counts_every_picture() -> None:
    heard: list[tuple[int, int]] = []
    arithmetic(network(), ["mixed3a:5"], ["mixed3a:40"], size=32, steps=3, progress=lambda *numbers: heard.append(numbers))
    assert heard[-1] == (9, 9) and [done for done, _ in heard] == sorted(done for done, _ in heard)
