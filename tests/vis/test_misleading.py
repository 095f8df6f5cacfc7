"""Best examples that show one thing where a unit looks for another, as `docs/misleading-examples.md` tells it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float
from tests.vis.recipes.scenes import network
from torch import Tensor

from pellucid.arrays import to_image
from pellucid.terrarium import world
from pellucid.terrarium.paint import Canvas
from pellucid.vis import render
from pellucid.vis.recipes.measures import pooled

PAGE = Path(__file__).parents[2] / "docs" / "misleading-examples.md"
LAYER, SEED = "mixed4a", 5


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All that the page computes."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block, names)
        assert Path("unit.png").exists()
    return names


class Bare(Canvas):
    """A canvas on which a scene's main thing is not drawn, and all else is."""

    @contextmanager
    def pose(self, x: float, y: float, *, fact: bool = False, **how: Any) -> Iterator[None]:
        before = self.picture.copy()
        with super().pose(x, y, fact=fact, **how):
            yield
        if fact:
            self.picture.paste(before)


def drawn(label: str) -> Float[Tensor, "20 3 96 96"]:
    """The drawings of a class among the page's 360."""
    places = range(world.CLASSES.index(label), 360, len(world.CLASSES))
    return torch.stack([to_image(world.draw(place, seed=SEED, masks=False).picture) for place in places])


@cache
def parted(label: str) -> tuple[Tensor, Tensor]:
    """The grounds of a class without their things, and the things on the grounds of the house, the bicycle and the lighthouse."""
    full = drawn(label)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "Canvas", Bare)
        bare, *others = (drawn(each) for each in (label, "house", "bicycle", "lighthouse"))
    thing = (full - bare).abs().amax(1, keepdim=True) > 1 / 255
    return bare, torch.cat([torch.where(thing, full, other) for other in others])


def heights(told: dict[str, Any], unit: int, label: str) -> tuple[float, float]:
    """How far a unit answers to the ground alone, and to the thing elsewhere, from a typical drawing (0) to the best twelve (1)."""
    seen = pooled(network(), LAYER, told["images"])[:, unit]
    best, places = seen.topk(12)
    assert Counter(told["scenes"][place].label for place in places)[label] >= 11
    usual = seen.median()
    ground, thing = (
        float((pooled(network(), LAYER, each)[:, unit].mean() - usual) / (best.mean() - usual)) for each in parted(label)
    )
    return ground, thing


def test_the_examples_show_a_swimmer_and_the_picture_water(told: dict[str, Any]) -> None:
    assert Counter(told["examples"]) == {"snorkel": 11, "scuba diver": 1}
    assert told["typical"][0] > 0.15
    others = [told["shares"](render(network(), [f"{LAYER}:84"], seeds=seed)[0].image) for seed in (1, 2)]
    for swimmer, water, _ in (told["optimum"], *others):
        assert swimmer < 0.05 and water > 0.5


def test_changed_pictures_decide_for_the_water(told: dict[str, Any]) -> None:
    said = {
        ground: (float(a), float(b)) for ground, a, b in re.findall(r"\| \w+ (\w+) \| ([\d.]+) \| ([\d.]+) \|", PAGE.read_text())
    }
    for ground, swims in told["decided"]:
        value = told["decided"][ground, swims]
        assert value > 0.8 if ground == "water" else value < 0.2
        assert value == pytest.approx(said[ground][0 if swims else 1], abs=0.02)


def test_drawings_with_their_grounds_exchanged_decide_alike(told: dict[str, Any]) -> None:
    ground, thing = heights(told, 84, "snorkel")
    assert ground > 0.8 and thing < 0.2


def test_where_the_examples_are_right_the_same_test_says_so(told: dict[str, Any]) -> None:
    ground, thing = heights(told, 33, "sunflower")
    assert ground < 0.2 and thing > 0.8
