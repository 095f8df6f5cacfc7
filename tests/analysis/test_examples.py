from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from pellucid.analysis.examples import TopExamples, crop_box, top_examples
from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, UsageError
from pellucid.models.model import Layer, ReceptiveField

flags = st.booleans()


@dataclass
class Parts:
    """As much of a store as examples are read from."""

    found: list[dict[str, np.ndarray]]
    observer: str
    folder: str = "store"

    def layer(self, name: str) -> None:
        if name != "a":
            raise NotFoundError("layer", name, ["a"])

    def extras(self, observer: str) -> list[dict[str, np.ndarray]]:
        return self.found if observer == self.observer else []


def watch(maps: torch.Tensor, k: int, part: int, batch: int, *, least: bool = False, several: bool = False) -> Parts:
    observer, found = TopExamples(k, least, several), []
    for start in range(0, len(maps), part):
        observer.start({"a": maps.shape[1]})
        for first in range(start, min(start + part, len(maps)), batch):
            ids = torch.arange(first, min(first + batch, start + part, len(maps)))
            observer.see(ids, {"a": maps[ids]})
        found.append({name: value.numpy() for name, value in observer.part().items()})
    return Parts(found, observer.name)


def brute_force(maps: torch.Tensor, channel: int, k: int, *, least: bool) -> list[tuple[float, int, int, int]]:
    entries, extreme, sign = [], min if least else max, 1 if least else -1
    for image, map in enumerate(maps[:, channel].tolist()):
        best = extreme(value for row in map for value in row)
        row, col = next((r, c) for r, values in enumerate(map) for c, value in enumerate(values) if value == best)
        entries.append((best, image, row, col))
    return sorted(entries, key=lambda entry: (sign * entry[0], entry[1]))[:k]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 20), st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.integers(0, 99), st.booleans(), st.booleans()
)
def test_k_from_the_end_equal_brute_force(count: int, k: int, part: int, batch: int, seed: int, ties: bool, least: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = (
        torch.randint(-2, 3, (count, 3, 2, 3), generator=generator).float()
        if ties
        else torch.randn(count, 3, 2, 3, generator=generator)
    )
    found = top_examples(watch(maps, k, part, batch, least=least), "a", k, least=least)  # pyright: ignore[reportArgumentType]
    for channel in range(3):
        wanted = brute_force(maps, channel, k, least=least)
        got = list(zip(*(each[channel].tolist() for each in (found.values, found.images, found.rows, found.cols)), strict=True))
        assert got == wanted


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 12), st.integers(1, 9), st.integers(1, 7), st.integers(1, 4), st.integers(0, 99), st.booleans(), st.booleans()
)
def test_a_picture_may_come_several_times(count: int, k: int, part: int, batch: int, seed: int, ties: bool, least: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(count, 3, 2, 3, generator=generator)
    maps = maps.round() if ties else maps
    found = top_examples(
        watch(maps, k, part, batch, least=least, several=True),  # pyright: ignore[reportArgumentType]
        "a",
        k,
        least=least,
    )
    for channel in range(3):
        entries = [
            (value, image, row, col)
            for image, map in enumerate(maps[:, channel].tolist())
            for row, values in enumerate(map)
            for col, value in enumerate(values)
        ]
        got = list(zip(*(each[channel].tolist() for each in (found.values, found.images, found.rows, found.cols)), strict=True))
        assert got == sorted(entries, key=lambda entry: ((1 if least else -1) * entry[0], *entry[1:]))[:k]


def test_a_part_without_pictures_merges_too() -> None:
    observer = TopExamples(2)
    observer.start({"a": 3})
    empty = {name: value.numpy() for name, value in observer.part().items()}
    parts = Parts([empty, *watch(torch.rand(3, 3, 2, 2), 2, 9, 9).found], observer.name)
    assert top_examples(parts, "a", 1).images.shape == (3, 1)  # pyright: ignore[reportArgumentType]


def test_memory_does_not_grow_with_the_pictures() -> None:
    sizes = {
        count: sum(value.size for value in watch(torch.rand(count, 4, 2, 2), 3, 1000, 5).found[0].values()) for count in (10, 200)
    }
    assert sizes[10] == sizes[200]


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="k=0"):
        TopExamples(0)
    parts = watch(torch.rand(9, 2, 2, 2), 3, 9, 9)
    for k in (0, 4):
        with pytest.raises(UsageError, match="kept 1 to 3 examples"):
            top_examples(parts, "a", k)  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotFoundError):
        top_examples(parts, "b", 1)  # pyright: ignore[reportArgumentType]


def test_crops_are_the_receptive_field_within_the_picture() -> None:
    field = ReceptiveField((7, 9), (4, 4), (0.5, 2.5))
    layer = Layer("a", "Conv2d", 3, 8, 8, field)
    assert crop_box(layer, 0, 0, (32, 32)) == (0, 0, 4, 7)
    assert crop_box(layer, 3, 3, (32, 32)) == field.box(3, 3)
    assert crop_box(layer, 7, 7, (32, 32))[2:] == (32, 32)
    assert crop_box(Layer("a", "Linear", 3, 1, 1, None), 0, 0, (32, 48)) == (0, 0, 32, 48)


@pytest.mark.parametrize("layer", ["conv1", "mixed3a", "mixed3b"])
def test_a_crop_put_back_gives_the_activation(layer: str, tmp_path: Path) -> None:
    model = pellucid.load("terrarium")
    stream = pellucid.open_stream("terrarium:18", size=model.size)
    store = pellucid.collect(model, stream, [layer], tmp_path, attributions=False, observers=[TopExamples(1)])
    best = top_examples(store, layer, 1)
    noise = torch.rand(3, *model.size, generator=torch.Generator().manual_seed(0))
    alone, places = [], list(zip(best.images[:, 0].tolist(), best.rows[:, 0].tolist(), best.cols[:, 0].tolist(), strict=True))
    for image, row, col in places:
        top, left, bottom, right = crop_box(model.layer(layer), row, col, model.size)
        picture = noise.clone()
        picture[:, top:bottom, left:right] = to_image(stream.picture(image))[:, top:bottom, left:right]
        alone.append(picture)
    with torch.no_grad():
        maps = pellucid.capture(model, torch.stack(alone), [layer])[layer]
    found = [float(maps[channel, channel, row, col]) for channel, (_, row, col) in enumerate(places)]
    np.testing.assert_allclose(found, best.values[:, 0], rtol=1e-4, atol=1e-5)
    assert any(
        bottom - top < model.size[0] or right - left < model.size[1]
        for top, left, bottom, right in (crop_box(model.layer(layer), row, col, model.size) for _, row, col in places)
    )
