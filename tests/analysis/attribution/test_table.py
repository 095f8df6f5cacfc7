from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.analysis.attribution.worlds import network

from pellucid.analysis.attribution import METHODS, __main__, table
from pellucid.analysis.attribution.table import COLUMNS, rows
from pellucid.analysis.attribution.trust.scenes import four_things, one_thing

DOCUMENT = Path(__file__).parents[3] / "docs" / "attribution.md"


def test_methods_beside_maps_that_look_at_nothing() -> None:
    posed = one_thing(2)
    found = rows(network(), posed, four_things(1), ["cam", "guided", "rollout"])
    assert [row.name for row in found] == [
        "random map",
        "middle of the picture",
        "CAM",
        "Guided backpropagation",
        "Attention rollout",
    ]
    assert all(len(row.cells) == len(COLUMNS) - 1 for row in found)
    blind, middle, cam, guided, rollout = (row.cells for row in found)
    assert middle[:2] == (f"{50 * posed.masks[:, 48, 48].sum():.0f} %", "0 %") and blind[4:] == ("",) * 5
    assert float(cam[4].split()[0]) < 0.5 < float(guided[4].split()[0]) and guided[4].endswith("(fails)")
    assert cam[1] == "100 %" and cam[7] == "0.0 %" and guided[7] == "" and rollout[0] == "not for this network"


def test_the_command_writes_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(table, "METHODS", {name: METHODS[name] for name in ("cam", "rollout")})
    __main__.main(["--count", "1", "--fours", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| random map",
        "| middle of the picture",
        "| CAM",
        "| Attention rollout",
    ]


def test_the_document_has_every_method_and_column() -> None:
    text = DOCUMENT.read_text()
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    assert list(COLUMNS) in shown
    first = [line[0] for line in shown]
    assert all(first.count(entry.title) == 2 for entry in METHODS.values())  # what it is, and what it is worth
    assert all(f"`{entry.function.__name__}`" in text and f"`{name}`" in text for name, entry in METHODS.items())
