"""The sparse autoencoder on vectors whose features are known."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pellucid.analysis import sparse as module
from pellucid.analysis.sparse import SparseAutoencoder, train_sparse
from pellucid.errors import PellucidError, UsageError


@cache
def planted(features: int = 48, channels: int = 32, rows: int = 8000) -> tuple[torch.Tensor, np.ndarray]:
    """More directions than channels, of which every vector has three."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(features, channels))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strengths = np.zeros((rows, features))
    for row in strengths:
        row[random.choice(features, 3, replace=False)] = random.uniform(1, 2, 3)
    return torch.from_numpy(directions).float(), (7 + 100 * strengths @ directions).astype(np.float32)


@cache
def trained() -> SparseAutoencoder:
    return train_sparse(planted()[1], 96, k=3, steps=800)


def test_the_features_that_were_put_in_are_found() -> None:
    directions, rows = planted()
    nearest = (directions @ trained().decoder.T).amax(1)
    assert (nearest > 0.9).float().mean() > 0.9
    left = rows - trained().decode(trained().encode(rows)).numpy()
    assert np.square(left).sum() < 0.1 * np.square(rows - rows.mean(0)).sum()
    random = torch.nn.functional.normalize(torch.randn(96, 32, generator=torch.Generator().manual_seed(0)), dim=1)
    assert ((directions @ random.T).amax(1) > 0.9).float().mean() < 0.1  # as many directions by chance


def test_only_the_strongest_answer_by_hand() -> None:
    autoencoder, rows = trained(), planted()[1][:20]
    for row, answers in zip(rows, autoencoder.encode(rows), strict=True):
        by_hand = [
            float(((torch.from_numpy(row) - autoencoder.centre) * weights).sum() + bias)
            for weights, bias in zip(autoencoder.encoder, autoencoder.bias, strict=True)
        ]
        bound = sorted(by_hand)[-3]
        wanted = torch.tensor([max(0.0, each) if each >= bound else 0.0 for each in by_hand])
        torch.testing.assert_close(answers, wanted, atol=1e-2, rtol=1e-4)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second, other = (train_sparse(planted()[1], 40, k=2, steps=20, seed=seed) for seed in (1, 1, 2))
    for name in module.TENSORS:
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert not torch.equal(first.encoder, other.encoder)


def test_units_of_measure_do_not_matter() -> None:
    rows = planted()[1]
    small, large = (train_sparse(scale * rows, 40, k=2, steps=20) for scale in (1, 1024.0))
    torch.testing.assert_close(small.decoder, large.decoder, atol=1e-3, rtol=0)
    torch.testing.assert_close(1024 * small.encode(rows[:9]), large.encode(1024 * rows[:9]), rtol=1e-2, atol=1024)


def test_dead_features_learn_from_what_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that begin far below all others come to answer by their own loss alone."""
    alive = []
    for share in (module.SHARE, 0.0):
        monkeypatch.setattr(module, "SHARE", share)
        training = module._Training(planted()[1], 48, 3, seed=0)
        with torch.no_grad():
            training.bias[:24] = -2.5
        for _ in range(400):
            training.step(1)
        alive.append(int((training.result().encode(planted()[1]) > 0).any(0)[:24].sum()))
    assert alive[0] > 1.5 * alive[1], alive


def test_it_is_saved_and_opened(tmp_path: Path) -> None:
    trained().save(tmp_path / "features.safetensors")
    again = SparseAutoencoder.open(tmp_path / "features.safetensors")
    assert torch.equal(again.encode(planted()[1][:50]), trained().encode(planted()[1][:50])) and again.k == 3
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for name in ("other", "broken", "missing"):
        with pytest.raises(PellucidError, match=f"{name}.safetensors' is no sparse autoencoder"):
            SparseAutoencoder.open(tmp_path / f"{name}.safetensors")


def test_wrong_use() -> None:
    rows = planted()[1]
    with pytest.raises(UsageError, match="k=5: 1 to 4 of 4 features"):
        train_sparse(rows, 4, k=5)
    with pytest.raises(UsageError, match="steps must be at least 1, not 0"):
        train_sparse(rows, 4, k=2, steps=0)
    with pytest.raises(UsageError, match="the 9 vectors are all the same"):
        train_sparse(np.full((9, 4), 3.7, np.float32), 8, k=2)
    with pytest.raises(UsageError, match="the vectors have 5 channels, the autoencoder was trained on 32"):
        trained().encode(np.ones((2, 5)))
