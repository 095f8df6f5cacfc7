"""How a prior is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.vis.prior.known import gaussian, learned

from pellucid.errors import PellucidError, UsageError
from pellucid.vis.prior import load_prior


def test_a_saved_prior_is_the_same_prior(tmp_path: Path) -> None:
    prior = learned()
    for name in ("a.safetensors", "b.safetensors"):
        prior.save(tmp_path / name)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.safetensors").stat().st_size < 1.6e6
    again = load_prior(tmp_path / "a.safetensors")
    assert again.fingerprint == prior.fingerprint and repr(again) == repr(prior)
    assert (again.size, again.mean, again.spread, again.settings) == (prior.size, prior.mean, prior.spread, prior.settings)
    noisy = torch.rand(1, 3, 8, 8)
    assert torch.equal(again.denoise(noisy, 0.2), prior.denoise(noisy, 0.2))


def test_what_is_no_prior_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load_prior(tmp_path / "none")
    with pytest.raises(UsageError, match=r"does not end in \.safetensors"):
        gaussian().save(tmp_path / "prior.pt")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(PellucidError, match="no safetensors file"):
        load_prior(tmp_path / "text.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(PellucidError, match=r"not written by Prior\.save"):
        load_prior(tmp_path / "other.safetensors")
