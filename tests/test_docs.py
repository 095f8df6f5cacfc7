import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from pellucid.cli import cli

ROOT = Path(__file__).parents[1]


def test_the_reference_of_the_command_line_is_current() -> None:
    spec = spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "cli.md").read_text() == module.reference(), "run: make reference"


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    names = {"images": torch.rand(1, 3, 96, 96)}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "unit.png").exists()
    assert names["maps"]["mixed4a"].ndim == 4  # type: ignore[index]


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_call_of_the_guide_is_one_of_the_command_line() -> None:
    calls = re.findall(r"`pellucid ([^`]+)`", (ROOT / "docs" / "which-tool.md").read_text())
    assert len(calls) > 8
    for call in calls:
        verb, *words = call.split()
        known = {name for param in cli.commands[verb].params for name in (*param.opts, *param.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, call
