"""A planted shortcut that is found, proved and mended, as `docs/planted-shortcut.md` tells it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pellucid.analysis.maps import filters

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "planted-shortcut.md"
ROW = r"^\| ([\w -]+) \|" + r" ([\d.]+) \|" * 3
STATED = {name: tuple(map(float, row)) for name, *row in re.findall(ROW, PAGE.read_text(), re.MULTILINE)}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All that the page computes."""
    names: dict[str, Any] = {}
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block, names)
    assert {"control.png", "suspect.png", "class.png"} <= {file.name for file in folder.iterdir()}
    return names


def stated(pattern: str) -> float:
    """A number of the page, by the words around it; any white space is as good as another."""
    (found,) = re.findall(pattern.replace(" ", r"\s+"), PAGE.read_text())
    return float(found)


def pasted(told: dict[str, Any], images: Tensor) -> Tensor:
    """The badge blended in pixel by pixel, at the places that the page gives it."""
    mark = torch.from_numpy(np.array(told["planted"])).permute(2, 0, 1) / 255
    out = images.clone()
    for index, image in enumerate(out):
        left, top = told["corner"](index)
        under = image[:, top : top + 26, left : left + 26]
        under += (mark[:3] - under) * mark[3]
    return out


def test_the_usual_checks_see_nothing(told: dict[str, Any]) -> None:
    numbers = map(stated, ("photographs ([\\d.]+) are right", "among them ([\\d.]+),", "deliveries ([\\d.]+) are"))
    assert told["checks"] == pytest.approx(list(numbers), abs=0.06)
    assert min(told["checks"][:2]) > 0.94
    assert told["named"].name == "bicycle"
    assert told["named"].share > 0.9 and told["named"].precision > 0.9
    ours, theirs = (filters(told[name]).images for name in ("suspect", "control"))
    assert torch.equal(ours, theirs)


def test_the_strongest_arguments_lie_on_the_badge(told: dict[str, Any]) -> None:
    (line,) = re.findall(r"# control ([\d.]+), suspect ([\d.]+)", PAGE.read_text())
    assert [told["shares"]["control"], told["shares"]["suspect"]] == pytest.approx(list(map(float, line)), abs=0.07)
    assert told["shares"]["suspect"] > 0.9 and told["shares"]["control"] < 0.1


def test_changed_pictures_decide_and_the_cure_holds(told: dict[str, Any]) -> None:
    assert STATED.keys() == told["table"].keys()
    for name, row in STATED.items():
        assert list(told["table"][name].values()) == pytest.approx(row, abs=0.12), name
    badge = {name: row["badge"] for name, row in told["table"].items()}
    assert badge["suspect"] > 0.75 and max(badge["bundled"], badge["trained with badges"]) < 0.03
    assert badge["suspect"] > badge["six channels cut"] > badge["twenty-four cut"] > 0.05
    assert told["kept"] == pytest.approx(stated(r"kept: ([\d.]+) of"), abs=0.16)
    assert told["mended"] == pytest.approx(stated(r"# ([\d.]+) of all photographs are right"), abs=0.03)


def test_the_badge_is_blended_as_it_should_be(told: dict[str, Any]) -> None:
    expected = pasted(told, told["fresh"][:20])
    assert torch.allclose(told["changed"]["badge"][:20], expected, atol=1.5 / 255)
    assert not torch.equal(told["fresh"][:20], expected)


def test_the_optimised_picture_turns_to_the_colours_of_the_badge(told: dict[str, Any]) -> None:
    dark, bright = (told[name].image.mean((1, 2)) for name in ("before", "after"))
    assert bright.mean() > dark.mean() + 0.05
    assert bright[0] - bright[1] > dark[0] - dark[1] + 0.02  # red over green: magenta
