"""The benchmark's own arithmetic; what it measures is printed by `make bench`."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from benchmarks.jobs import ICONS, TERRARIUM, Job
from benchmarks.measure import Row
from benchmarks.networks import centre_of, channel_of, cut
from benchmarks.table import BEGIN, END, insert, markdown
from benchmarks.torchvision_cpu import roi_align
from benchmarks.worker import Unable, Worker
from torch import nn

JOB = Job(TERRARIUM, "mixed3b", (3, 5), 48)


def test_a_network_is_cut_at_its_layer() -> None:
    behind = nn.Linear(4, 2)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), behind)
    behind.register_forward_hook(lambda *_: pytest.fail("it ran on"))
    inputs = torch.randn(5, 3)
    assert torch.equal(cut(network, "1")(inputs), network[0](inputs).relu())
    assert not network[1]._forward_hooks


def test_channels_and_centres_of_maps_and_of_tokens_are_the_same() -> None:
    maps = torch.randn(2, 5, 4, 4)
    tokens = torch.cat([torch.full((2, 1, 5), math.nan), maps.flatten(2).mT], 1)
    assert torch.equal(centre_of(tokens), centre_of(maps))
    assert torch.equal(channel_of(tokens, 3), channel_of(maps, 3).flatten(1))


def test_boxes_are_sampled_like_roi_align() -> None:
    """Detectron's definition with one sample in each pixel, written out; boxes lie inside, across the border and far outside."""
    image = torch.randn(1, 2, 6, 7)
    boxes = torch.tensor([[0, 1.0, 2.0, 4.0, 4.5], [0, -2.5, -0.75, 3.0, 2.0], [0, 4.0, 3.0, 9.5, 8.0]])
    found = roi_align(image, boxes, (8, 9))
    for box, (_, left, top, right, bottom) in enumerate(boxes.tolist()):
        for row in range(8):
            for col in range(9):
                y, x = top + (bottom - top) * (row + 0.5) / 8, left + (right - left) * (col + 0.5) / 9
                torch.testing.assert_close(found[box, :, row, col], _sample(image[0], y, x), atol=1e-5, rtol=1e-5)


def _sample(image: torch.Tensor, y: float, x: float) -> torch.Tensor:
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(image.shape[0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    up, left = math.floor(y), math.floor(x)
    corners = [(row, col) for row in (up, min(up + 1, height - 1)) for col in (left, min(left + 1, width - 1))]
    weights = [a * b for a in (1 - (y - up), y - up) for b in (1 - (x - left), x - left)]
    return torch.stack([image[:, row, col] * weight for (row, col), weight in zip(corners, weights, strict=True)]).sum(0)


def test_ratios_are_taken_within_rounds() -> None:
    row = Row("net", "work", 96, times={"limit": [1.0, 10.0, 2.0], "ours": [3.0, 11.0, 2.2]}, memory={"limit": 20.0, "ours": 30.0})
    assert row.ratio("ours") == 1.1
    head, _, line = markdown([replace(row, unable={"horama": "no such thing"})], []).strip().splitlines()
    assert head.count("|") == line.count("|")
    assert line == "| net, 96 px | work | 2.00 s | 1.10 (3.00 s) |  | - | 20 MB | 1.50 | - | - |"


def test_the_block_in_the_readme_is_replaced_and_nothing_else() -> None:
    text = f"# Title\n{BEGIN}\n{END}\nrest\n"
    once = insert(text, "| a |")
    assert once == f"# Title\n{BEGIN}\n| a |\n{END}\nrest\n"
    assert insert(once, "| b |") == once.replace("a |", "b |")
    for wrong in ("# Title", f"{END}\n{BEGIN}", text + text):
        with pytest.raises(ValueError, match="needs the lines"):
            insert(wrong, "| a |")


def test_every_icon_has_its_own_direction_whatever_part_of_the_job_is_measured() -> None:
    job = replace(JOB, units=ICONS, icons=True)
    assert len({row.tobytes() for row in job.directions(16)}) == len(ICONS)
    assert (job.first(3).directions(16) == job.directions(16)[:3]).all()


def test_a_worker_answers_and_says_in_one_line_what_it_cannot() -> None:
    with Worker("limit", "cpu") as worker:
        with pytest.raises(Unable, match="nowhere"):
            worker.ask("load", replace(JOB, layer="nowhere"))
        assert worker.ask("load", JOB) == 1
        assert worker.ask("seconds", 2) > 0
        assert len(worker.ask("pictures", JOB, 1)) == 2
