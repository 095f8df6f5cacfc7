"""`pellucid serve --explain`: whose network is asked, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Call
from tests.site.handed import empty_site

from pellucid.data.collect import collect
from pellucid.data.stream import open_stream
from pellucid.models import load
from pellucid.site import live, server


@pytest.fixture(scope="module")
def served(folder: Path) -> Path:
    """A run whose store names its network, and a site without a store."""
    model = load("terrarium")
    collect(
        model, open_stream("terrarium:4", size=model.size), ["mixed4b"], folder / "run" / "store", positions=1, attributions=False
    )
    for site in (folder / "run" / "site", folder / "why"):
        empty_site(site)
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is served, without ever beginning to."""
    calls: list[dict[str, Any]] = []

    def serve_live(run: Path, desk: Any, **options: Any) -> None:
        calls.append({"run": str(run), "model": desk.model.spec, "parts": list(desk.estimate.weights), **options})

    monkeypatch.setattr(live, "serve_live", serve_live)
    monkeypatch.setattr(server, "serve", lambda run, **options: calls.append({"run": str(run), **options}))
    return calls


@pytest.mark.usefixtures("served")
def test_without_explain_a_site_is_served_as_it_is(pellucid: Call, calls: list[dict[str, Any]]) -> None:
    assert pellucid("serve", "run", "--port", "0").returncode == 0
    [call] = calls
    call["on_ready"]("http://127.0.0.1:1/")
    assert {key: each for key, each in call.items() if key != "on_ready"} == {"run": "run", "host": "127.0.0.1", "port": 0}


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("arguments", [("run",), ("why", "--model", "terrarium"), ("run", "--model", "terrarium")])
def test_the_network_is_that_of_the_run_or_the_one_that_is_given(
    pellucid: Call, calls: list[dict[str, Any]], arguments: tuple[str, ...]
) -> None:
    done = pellucid("serve", *arguments, "--explain", "--layers", "conv2", "head", "--limit", "3", "--port", "0")
    assert (done.returncode, done.stderr) == (0, "")
    [call] = calls
    assert (call["run"], call["model"], call["limit"]) == (arguments[0], "terrarium", 3_000_000)
    assert (call["host"], call["port"]) == ("127.0.0.1", 0)
    assert ("cells of conv2", 0) in call["parts"] and ("cells of head", 0) in call["parts"]


def test_a_server_that_takes_no_pictures_imports_nothing_heavy() -> None:
    code = "import sys, pellucid.site.server; print(sorted({'torch', 'numpy', 'PIL'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("why", "--explain"), "--model: why does not name the network that shall be asked; give --model"),
        (("run", "--explain", "--model", "terrarium:judge"), "was made of another network than"),
        (("run", "--explain", "--size", "64"), "was made of another network than"),
        (("run", "--explain", "--layers", "mixed9"), "'mixed9' is not there"),
        (("nowhere", "--explain"), "there is no folder nowhere"),
        (("run/store", "--explain"), "run/store holds no site"),
        (("run", "--model", "terrarium"), "--model: only pictures that are handed in need it; leave it out, or add --explain"),
        (("run", "--limit", "20"), "--limit: only pictures"),
        (("run", "--device", "cpu"), "--device: only pictures"),
        (("run", "--explain", "--limit", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    pellucid: Call, calls: list[dict[str, Any]], arguments: tuple[str, ...], said: str
) -> None:
    done = pellucid("serve", *arguments, "--port", "0")
    assert done.returncode in (1, 2) and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not calls
