"""The spectrum of channels against all samples of a store, looked through by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.analysis import spectrum as module
from pellucid.analysis.examples import TopExamples, top_examples
from pellucid.analysis.spectrum import NEAR, Bucket, constants, spectrum
from pellucid.data.collect import collect
from pellucid.data.store import Store
from pellucid.data.stream import open_stream
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load

K, LAYERS = 3, ["0", "1"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    torch.manual_seed(0)
    model = load(nn.Sequential(nn.Conv2d(3, 5, 5, 4), nn.ReLU()), size=32, mean=(0.5,) * 3, std=(0.2,) * 3)
    stream = open_stream("terrarium:60", size=model.size)
    observers = [TopExamples(K), TopExamples(K, least=True)]
    return collect(model, stream, LAYERS, tmp_path_factory.mktemp("store") / "s", part=25, attributions=False, observers=observers)


def inside(store: Store, layer: str, channel: int, name: str) -> dict[int, float]:
    """The samples in a bucket, by hand: their pictures and values."""
    ends = [top_examples(store, layer, 1, least=least).values[channel, 0] for least in (True, False)]
    near = NEAR * max(abs(float(end)) for end in ends)
    kind = {"negative": lambda v: v < -near, "zero": lambda v: abs(v) <= near, "positive": lambda v: v > near}[name]
    pictures = store.samples()["image"].to_pylist()
    values = [float(row[channel]) for row in store.vectors(layer)[:]]
    return {picture: value for picture, value in zip(pictures, values, strict=True) if kind(value)}


@pytest.mark.parametrize("layer", LAYERS)
def test_buckets_hold_what_is_in_them(store: Store, layer: str) -> None:
    buckets = spectrum(store, layer, K)
    assert [bucket.name for bucket in buckets] == ["minimum", "negative", "zero", "positive", "maximum"]
    for bucket in buckets[1:-1]:
        assert bucket.share is not None
        for channel in range(5):
            known = inside(store, layer, channel, bucket.name)
            images = bucket.examples.images[channel].tolist()
            found = [image for image in images if image >= 0]
            assert len(set(found)) == len(found) == min(K, len(known)) and images[len(found) :] == [-1] * (K - len(found))
            assert [known[image] for image in found] == bucket.examples.values[channel, : len(found)].tolist()
            assert bucket.share[channel] == pytest.approx(len(known) / 60)


@pytest.mark.parametrize("layer", LAYERS)
def test_ends_are_the_exact_ones_and_values_rise(store: Store, layer: str) -> None:
    first, *_, last = buckets = spectrum(store, layer, K)
    assert np.array_equal(first.examples.images, top_examples(store, layer, K, least=True).images)
    assert np.array_equal(last.examples.images[:, ::-1], top_examples(store, layer, K).images)
    for channel in range(5):
        values = np.concatenate([bucket.examples.values[channel] for bucket in buckets])
        assert (np.diff(values[~np.isnan(values)]) >= -1e-3).all()  # the store's samples are of half precision


def test_positions_are_those_of_the_samples(store: Store) -> None:
    rows = {
        image: (row, col)
        for image, row, col in zip(*(store.samples()[name].to_pylist() for name in ("image", "row 0", "col 0")), strict=True)
    }
    positive = spectrum(store, "0", K)[3].examples
    for image, row, col in zip(*(each.flatten().tolist() for each in (positive.images, positive.rows, positive.cols)), strict=True):
        assert image == -1 or rows[image] == (row, col)


def drawn(bucket: Bucket, channel: int) -> list[int]:
    return bucket.examples.images[channel].tolist()


def test_draws_are_even_and_seeded(store: Store) -> None:
    known = inside(store, "0", 2, "positive")
    assert len(known) > 2 * K
    times = dict.fromkeys(known, 0)
    for seed in range(400):
        for image in drawn(spectrum(store, "0", K, seed=seed)[3], 2):
            times[image] += 1
    wanted = 400 * K / len(known)
    squares = sum((each - wanted) ** 2 / wanted for each in times.values()) / (1 - K / len(known))
    assert squares < len(known) + 5 * (2 * len(known)) ** 0.5  # chi-squared
    assert drawn(spectrum(store, "0", K, seed=7)[3], 2) == drawn(spectrum(store, "0", K, seed=7)[3], 2)


def test_blocks_do_not_show(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = spectrum(store, "0", K)
    monkeypatch.setattr(module, "BLOCK", 5 * 7)
    for one, other in zip(whole, spectrum(store, "0", K), strict=True):
        assert np.array_equal(one.examples.images, other.examples.images)


def test_a_rectified_layer_has_nothing_negative(store: Store) -> None:
    negative = spectrum(store, "1", K)[1]
    assert negative.share is not None and not negative.share.any()
    assert (negative.examples.images == -1).all() and np.isnan(negative.examples.values).all()


def test_wrong_use(store: Store) -> None:
    with pytest.raises(UsageError, match="kept 1 to 3 examples"):
        spectrum(store, "0", 4)
    with pytest.raises(NotFoundError, match="2"):
        spectrum(store, "2", 1)


def test_constants_are_the_channels_of_one_value(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 5, 4), nn.ReLU())
    with torch.no_grad():
        network[0].weight.abs_()  # so that the others answer to any picture
        network[0].weight[[1, 4]] = 0
        network[0].bias[[1, 4]] = torch.tensor([-1.0, 2.0])
    model = load(network, size=32)
    stream, least = open_stream("terrarium:7", size=model.size), TopExamples(2, least=True)
    found = [
        collect(model, stream, LAYERS, tmp_path / f"{len(watched)}", part=3, attributions=False, observers=watched)
        for watched in ([TopExamples(2), least], [least])
    ]
    assert [constants(found[0], layer) for layer in LAYERS] == [{1: -1.0, 4: 2.0}, {1: 0.0, 4: 2.0}]
    assert constants(found[1], "0") == {}
    with pytest.raises(NotFoundError, match=r"the layer '2' is not there"):
        constants(found[1], "2")
