"""What lies on disk of an explained picture is what was found, to half a step of a byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.errors import PellucidError, UsageError
from pellucid.models import load
from pellucid.site.explanation import open_photo
from pellucid.site.packed import packed
from pellucid.vis.objectives import IMAGE

from .explained import CLASSES, EVIL_NAME, LAYERS, METHODS, explained, write_explained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    write_explained(folder)
    return folder


def data(folder: Path, key: str) -> Any:
    text = (folder / "data" / f"{key}.js").read_text("ascii")
    return json.loads(text.removeprefix(f'pellucid.put("{key}", ').removesuffix(");\n"))


def unpacked(numbers: dict[str, Any]) -> np.ndarray:
    """Slow and obvious: byte by byte."""
    raw, size = base64.b64decode(numbers["bytes"]), int(np.prod(numbers["shape"][1:]))
    values = []
    for place, byte in enumerate(raw):
        values.append((byte - 256 if byte > 127 else byte) / 127 * numbers["scales"][place // size])
    return np.array(values).reshape(numbers["shape"])


def close(numbers: dict[str, Any], values: torch.Tensor) -> None:
    """To half a step, and the four digits of the scales."""
    wanted = values.detach().numpy()
    allowed = np.abs(wanted).reshape(len(wanted), -1).max(1) * (0.5 / 127 + 1e-3)
    off = np.abs(unpacked(numbers) - wanted).reshape(len(wanted), -1).max(1)
    assert (off <= allowed + 1e-12).all(), (off, allowed)


def test_numbers_come_back_from_bytes() -> None:
    values = torch.tensor([[[1.5, -3.0], [0.01, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[1e-9, -1e-9], [5e-10, 0.0]]])
    close(json.loads(json.dumps(vars(packed(values)))), values)


def test_every_number_of_the_page_is_what_was_found(folder: Path) -> None:
    _, _, found, maps, _ = explained(0)
    page = data(folder, "explain-0")
    names = (IMAGE, *LAYERS)
    assert [each["name"] for each in page["places"]] == list(names)
    assert [each["index"] for each in page["classes"]] == list(CLASSES)
    probabilities = found.logits.softmax(0)
    for each in page["classes"]:
        assert each["probability"] == pytest.approx(float(probabilities[each["index"]]), rel=1e-3)
    for pair in page["between"]:
        values = found.between[names[pair["source"]], names[pair["target"]]]
        close(pair["values"], values.reshape(values.shape[0] * values.shape[1], -1))
    for number, method in enumerate(page["methods"]):
        whole = maps.methods[number].attribution.upsampled()
        assert (method["name"], method["maps"]["shape"]) == (METHODS[number], [2, 96, 96])
        close(method["maps"], whole)
    for place, name in enumerate(LAYERS, start=1):
        layer, words = page["layers"][place - 1], found.dictionaries[name]
        cols = words.lengths.shape[1]
        for cell in (0, 17, 100):
            row, col = divmod(cell, cols)
            assert layer["words"][cell] == words.channels[row, col].tolist()
            assert layer["values"][cell] == pytest.approx(words.values[row, col].tolist(), rel=1e-3, abs=1e-9)
            best = found.to_classes[name][:, row, col].sort(descending=True)
            assert [each["index"] for each in layer["classes"][cell]] == best.indices[:5].tolist()
        for way in layer["ways"]:
            values = found.channels[name, way["name"]].values[:, layer["channels"]]
            assert np.allclose(way["gives"], values.numpy(), rtol=1e-3, atol=1e-9)
        assert np.allclose([each["gives"] for each in layer["groups"]], found.groups[name].effects.numpy(), rtol=1e-3, atol=1e-9)
        best = found.channels[name, "path"].values.topk(3).indices.flatten().tolist()
        assert set(best) <= set(layer["channels"])  # who gives most has a picture
        assert layer["icons"]["count"] == len(layer["channels"]) + len(layer["groups"])


def test_cells_sum_what_their_positions_give(folder: Path) -> None:
    _, _, found, _, _ = explained(0)
    page = data(folder, "explain-0")
    assert [(each["rows"], each["cols"]) for each in page["places"]] == [(14, 14), (12, 12), (12, 12)]
    for place, side in ((0, 7), (1, 2), (2, 1)):  # 96 pixels, 24 and 12 positions
        whole = found.maps[page["places"][place]["name"]].detach().numpy()
        shape = (len(whole), page["places"][place]["rows"], page["places"][place]["cols"])
        sums = np.zeros(shape)
        for row in range(whole.shape[1]):
            for col in range(whole.shape[2]):
                sums[:, row // side, col // side] += whole[:, row, col]
        close(page["places"][place]["gives"], torch.from_numpy(sums))


def test_cells_lie_where_their_positions_look(folder: Path) -> None:
    page = data(folder, "explain-0")
    for place in page["places"][1:]:
        field = load("terrarium").layer(place["name"]).receptive_field
        assert field is not None
        side = 24 // place["rows"] if place["name"] == "mixed3b" else 1
        centres = [field.offset[0] + field.stride[0] * position for position in range(place["rows"] * side)]
        for cell in range(place["rows"]):
            top, _, bottom, _ = place["box"]
            middle = top + (cell + 0.5) / place["rows"] * (bottom - top)
            assert middle == pytest.approx(np.mean(centres[cell * side : (cell + 1) * side]) / 96, abs=1e-3)


def test_what_was_checked_is_told_and_guided_is_never_shown_without_a_warning(folder: Path) -> None:
    _, _, _, maps, _ = explained(0)
    checked, unchecked = (data(folder, f"explain-{number}")["methods"] for number in range(2))
    for method, made in zip(checked, maps.methods, strict=True):
        assert made.checks is not None
        assert method["trust"]["insertion"] == pytest.approx(float(made.checks.insertion), rel=1e-3)
        assert (method["warning"] is not None) == method["trust"]["fails"] == made.checks.randomisation.fails
    assert [each["trust"] for each in unchecked] == [None] * 3
    assert [each["warning"] is not None for each in unchecked] == [False, False, True]


def test_the_list_of_pictures_and_the_links_to_units(folder: Path) -> None:
    site = data(folder, "site")
    assert [each["name"] for each in site["explained"]] == [EVIL_NAME, "plain.jpg"]
    assert (site["layers"], site["dataset"], site["wall"]) == ([], None, None)
    without, linked = (data(folder, f"explain-{number}")["layers"][1] for number in range(2))
    assert without["layer"] is None and not any(without["linked"])
    assert linked["layer"] == "0" and linked["linked"] == [each % 2 == 0 for each in linked["channels"]]
    assert (folder / "explain.js").exists()


def test_a_photo_is_the_network_s_centre_and_larger_for_people(tmp_path: Path) -> None:
    model = load("terrarium")
    Image.new("RGB", (500, 300), "red").save(tmp_path / "large.png")
    Image.new("L", (100, 90), 40).save(tmp_path / "small.png")
    large, small = (open_photo(tmp_path / name, model) for name in ("large.png", "small.png"))
    assert (tuple(large.image.shape), large.shown.size) == ((3, 96, 96), (192, 192))
    assert (tuple(small.image.shape), small.shown.size) == ((3, 96, 96), (96, 96))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(PellucidError, match=r"broken\.png: not a picture that Pillow can read; give"):
        open_photo(tmp_path / "broken.png", model)
    with pytest.raises(UsageError, match="no such file"):
        open_photo(tmp_path / "missing.png", model)
