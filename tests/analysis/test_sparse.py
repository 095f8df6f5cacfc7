"""The sparse autoencoder on vectors whose features are known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pellucid.analysis import sparse as module
from pellucid.analysis.examples import TopExamples, top_examples
from pellucid.analysis.sparse import train_features, train_sparse
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.errors import PellucidError, UsageError
from pellucid.models import capture, load
from pellucid.models.autoencoder import TENSORS, SparseAutoencoder
from pellucid.models.extended import extend


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
    for name in TENSORS:
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
    assert (again.layer, again.network) == (None, None)
    replace(trained(), layer="mixed4a", network="12ab").save(tmp_path / "named.safetensors")
    named = SparseAutoencoder.open(tmp_path / "named.safetensors")
    assert (named.layer, named.network) == ("mixed4a", "12ab")
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for name, changed in {"bias": {"bias": torch.zeros(2)}, "k": {"k": 97}, "text": {"k": "3"}}.items():
        replace(trained(), **changed).save(tmp_path / f"{name}.safetensors")
    for name in ("other", "broken", "missing", "bias", "k", "text"):
        with pytest.raises(PellucidError, match=f"{name}.safetensors' is no sparse autoencoder"):
            SparseAutoencoder.open(tmp_path / f"{name}.safetensors")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    model, folder = load("terrarium"), tmp_path_factory.mktemp("run")
    return collect(model, open_stream("terrarium:25", size=model.size), ["mixed4a"], folder, positions=40, attributions=False)


def test_one_picture_in_ten_is_kept_aside(store: Store) -> None:
    """Trained and measured by hand on the rows that a loop sorts out."""
    found, fit = train_features(store, "mixed4a", 200, k=4, steps=30, seed=3)
    pictures = store.samples()["image"].to_pylist()
    aside = np.array([picture % 10 == 9 for picture in pictures])  # of 25 pictures the 10th and the 20th
    rows = np.asarray(store.vectors("mixed4a"), np.float32)
    wanted = train_sparse(rows[~aside], 200, k=4, steps=30, seed=3)
    assert all(torch.equal(getattr(found, name), getattr(wanted, name)) for name in TENSORS)
    assert (found.layer, found.network) == ("mixed4a", load("terrarium").fingerprint())
    left = rows[aside] - wanted.decode(wanted.encode(rows[aside])).numpy()
    variance = np.square(rows[aside] - rows[aside].mean(0)).sum()
    assert fit.aside == aside.sum() == 80
    assert fit.explained == pytest.approx(1 - np.square(left).sum() / variance, abs=1e-5)
    assert fit.dead == sum(not (wanted.encode(rows)[:, each] > 0).any() for each in range(200)) > 0


def test_few_pictures_are_measured_on_themselves(tmp_path: Path) -> None:
    model = load("terrarium")
    stream = open_stream("terrarium:3", size=model.size)
    small = collect(model, stream, ["mixed4a"], tmp_path, positions=40, attributions=False)
    found, fit = train_features(small, "mixed4a", 200, k=4, steps=5)
    rows = np.asarray(small.vectors("mixed4a"), np.float32)
    left = rows - found.decode(found.encode(rows)).numpy()
    assert fit.aside == 0
    assert fit.explained == pytest.approx(1 - np.square(left).sum() / np.square(rows - rows.mean(0)).sum(), abs=1e-5)


def test_examples_of_features_are_those_of_brute_force(store: Store, tmp_path: Path) -> None:
    model = load("terrarium")
    found, _ = train_features(store, "mixed4a", 200, k=4, steps=30)
    stream = open_stream("terrarium:18", size=model.size)
    extended = extend(model, found)
    made = collect(extended, stream, ["mixed4a.sparse"], tmp_path, attributions=False, observers=[TopExamples(3)])
    examples = top_examples(made, "mixed4a.sparse", 3)
    ((_, pictures),) = stream.batches(0, 18, batch=18)
    with torch.no_grad():
        maps = capture(model, pictures, ["mixed4a"])["mixed4a"]
    answers = found.encode(maps.movedim(1, -1).flatten(0, 2)).view(18, -1, 200)
    heights = answers.amax(1)
    for feature in (heights > 0).sum(0).argsort(descending=True)[:20].tolist():
        wanted = heights[:, feature].topk(3)
        torch.testing.assert_close(torch.as_tensor(examples.values[feature]), wanted.values, rtol=1e-4, atol=1e-3)
        assert list(examples.images[feature]) == wanted.indices.tolist()


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
