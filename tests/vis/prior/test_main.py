"""How the prior that comes with the package is made."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pellucid.arrays import to_image
from pellucid.terrarium import draw
from pellucid.vis.prior import __main__ as command
from pellucid.vis.prior import load_prior, train_prior


def test_the_command_learns_from_the_world_that_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = str(torch.get_num_threads())
    command.main(["--pictures", "18", "--steps", "2", "--threads", threads, "-o", str(tmp_path / "prior.safetensors")])
    made = load_prior(tmp_path / "prior.safetensors")
    pictures = [to_image(draw(index, seed=command.WORLD, masks=False).picture) for index in range(18)]
    assert made.fingerprint == train_prior((each[None] for each in pictures), steps=2).fingerprint
    assert made.settings == load_prior("terrarium").settings | {"pictures": 18, "steps": 2}
    assert "18 pictures" in capsys.readouterr().err


def test_the_shipped_file_says_that_it_was_made_with_the_defaults() -> None:
    assert load_prior("terrarium").settings == {
        "pictures": command.PICTURES,
        "steps": command.STEPS,
        "seed": 0,
        "mirror": True,
        "source": "terrarium, world 2",
    }
