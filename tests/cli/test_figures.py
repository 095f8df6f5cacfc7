"""The verb that makes the page of figures, without the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Call
from tests.vis.prior.known import gaussian

from pellucid.vis.prior import Prior


def test_figures_are_ordered_as_asked_for(folder: Path, pellucid: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    ordered: dict[str, Any] = {}
    monkeypatch.setattr("pellucid.figures.make.make_figures", lambda *given, **settings: ordered.update(settings) or [])
    gaussian().save(folder / "plain.safetensors")
    done = pellucid("figures", "terrarium", "-o", "page", "--prior", "plain.safetensors", "--steps", "17", "--seed", "3", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"page": str(Path("page") / "index.html"), "figures": []}
    assert isinstance(ordered["prior"], Prior) and ordered["prior"].size == 8
    assert (ordered["steps"], ordered["seed"], len(ordered["layers"])) == (17, 3, 3)
    pellucid("figures", "terrarium", "-o", "page", "--json")
    assert ordered["prior"] is None


def test_a_prior_or_pictures_that_are_not_there_are_refused(pellucid: Call) -> None:
    for arguments, says in (
        (("terrarium", "--prior", "none.safetensors"), "none.safetensors"),
        (("net.py:build",), "IMAGES: none came"),
    ):
        done = pellucid("figures", *arguments, "-o", "page")
        assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1
