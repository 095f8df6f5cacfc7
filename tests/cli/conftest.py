"""Photographs of each kind that people have, a network that fails, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image
from tests.vis.recipes.scenes import scene

from pellucid.arrays import to_picture
from pellucid.cli import main

Call = Callable[..., "CompletedProcess[str]"]

NETWORK = '''"""Layer 1 answers to brightness and, in channel 1, to nothing; layer 2 to brightness until the mean is above 0.52."""

import torch
from torch import nn

SIZE = 24


class Root(nn.Module):
    def forward(self, x):
        return 1 - (0.52 - x[:, :1].mean((2, 3), keepdim=True)).sqrt()


def build():
    first = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1 / 3] * 3, [0.0] * 3])[:, :, None, None])
        first.bias.copy_(torch.tensor([0.0, -1.0]))
    return nn.Sequential(first, nn.ReLU(), Root())
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos: wide, tall and grey, small, broken; four scenes and a broken file in a folder; an empty folder; a network."""
    folder = tmp_path_factory.mktemp("photos")
    to_picture(scene("lighthouse")).resize((300, 200)).save(folder / "wide.jpg")
    to_picture(scene("cabbage")).convert("L").resize((60, 90)).save(folder / "grey.png")
    Image.new("RGB", (12, 12), "red").save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(b"not a picture")
    (folder / "empty").mkdir()
    (folder / "scenes").mkdir()
    for index in range(4):
        to_picture(scene("lighthouse", index)).save(folder / "scenes" / f"{index}.png")
    (folder / "scenes" / "9.png").write_bytes(b"not a picture")
    (folder / "net.py").write_text(NETWORK)
    return folder


@pytest.fixture
def pellucid(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line in this process, as starting another takes longer than the work."""

    def call(*arguments: str) -> CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["pellucid", *arguments])
        try:
            status = main() or 0
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return CompletedProcess(arguments, int(str(status)), captured.out, captured.err)

    return call
