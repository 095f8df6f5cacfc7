"""Dissection against counting pixel by pixel, against detectors that are known, and on the bundled world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.untouched import untouched
from tests.vis.recipes.scenes import network
from torch import Tensor, nn

from pellucid.analysis.concepts import Concepts, terrarium_concepts
from pellucid.analysis.dissect import dissect, dissection
from pellucid.analysis.sparse import train_features
from pellucid.data.collect import collect
from pellucid.data.stream import Sample, Stream, open_stream
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models import Model, capture, load
from pellucid.models.extended import extend


def labelled(images: np.ndarray, masks: np.ndarray, names: tuple[str, ...], broken: tuple[int, ...] = ()) -> Concepts:
    """Concepts from pictures `n h w 3` of bytes and masks `n m h w`; some pictures cannot be read."""

    def read(index: int) -> Image.Image:
        if index in broken:
            raise PellucidError("broken on purpose")
        return Image.fromarray(images[index])

    samples = [Sample(index, f"{index}", None) for index in range(len(images))]
    stream = Stream(images.shape[1:3], 3, samples, (), "a test", read, lambda: [0])  # pyright: ignore[reportArgumentType]
    numbers = torch.arange(len(names))
    return Concepts(names, stream, lambda index: (numbers, torch.from_numpy(masks[index])))


def pixel_by_pixel(maps: Tensor, masks: np.ndarray, share: float) -> Tensor:
    """The IoU of every unit with every concept: all maps at once, sorted; every pixel between the four positions around it."""
    n, units, h, w = maps.shape
    _, concepts, height, width = masks.shape
    found = torch.zeros(units, concepts)
    for unit in range(units):
        ordered = maps[:, unit].flatten().sort(descending=True).values
        threshold = float(ordered[int(share * len(ordered)) - 1])
        both, either = np.zeros(concepts), np.zeros(concepts)
        for picture in range(n):
            for row in range(height):
                for col in range(width):
                    # a kernel of 3 with stride 2 and no padding: position i has its centre at pixel 2 i + 1.5
                    y, x = min(max((row + 0.5 - 1.5) / 2, 0), h - 1), min(max((col + 0.5 - 1.5) / 2, 0), w - 1)
                    top, left = min(int(y), h - 2), min(int(x), w - 2)
                    down, right, plane = y - top, x - left, maps[picture, unit]
                    value = (1 - down) * (1 - right) * plane[top, left] + (1 - down) * right * plane[top, left + 1]
                    value += down * (1 - right) * plane[top + 1, left] + down * right * plane[top + 1, left + 1]
                    for concept in range(concepts):
                        chosen, shown = float(value) >= threshold - 1e-6, masks[picture, concept, row, col]
                        both[concept] += chosen and shown
                        either[concept] += chosen or shown
        found[unit] = torch.from_numpy(both / np.maximum(either, 1))
    return found


def test_iou_is_that_of_counting_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (5, 9, 11, 3), np.uint8), rng.random((5, 2, 9, 11)) < [[[[0.3]], [[0.05]]]]
    torch.manual_seed(0)
    model = load(nn.Sequential(nn.Conv2d(3, 3, 3, 2)), size=(9, 11))
    found = dissect(model, "0", labelled(images, masks, ("much", "little")), share=0.1)
    with torch.no_grad():
        maps = capture(model, torch.from_numpy(images).permute(0, 3, 1, 2) / 255, ["0"])["0"]
    torch.testing.assert_close(found.iou, pixel_by_pixel(maps, masks, 0.1), atol=1e-4, rtol=0)
    assert found.shares.tolist() == pytest.approx([10 / 100] * 3)  # of 5 pictures with 4 × 5 positions


COLOURS = np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)])


def colours() -> tuple[Model, Concepts]:
    """Pictures of patches in eight colours, and a network with one channel for each, 1 there and 0 elsewhere; two dead ones."""
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 8, (6, 4, 4)).repeat(4, 1).repeat(4, 2)
    convolution = nn.Conv2d(3, 10, 1)
    weights = torch.cat([torch.from_numpy(2 * COLOURS - 1), torch.zeros(2, 3)]).float()
    convolution.weight.data = weights[:, :, None, None]
    convolution.bias.data = torch.tensor([*(1 - COLOURS.sum(1)).tolist(), -1, 3.7]).float()  # pyright: ignore[reportOptionalMemberAccess]
    names = tuple(f"colour {number}" for number in range(8))
    masks = np.stack([kinds == number for number in range(8)], 1)
    images = (COLOURS[kinds] * 255).astype(np.uint8)
    return load(nn.Sequential(convolution, nn.ReLU()), size=16), labelled(images, masks, names)


def test_detectors_by_construction_are_found_perfectly() -> None:
    found = dissect(*colours()[:1], "1", colours()[1])
    assert found.scores.tolist() == [1.0] * 8 + [0.0] * 2
    assert found.best == (*found.concepts, None, None)
    assert found.detectors == tuple(range(8)) and found.unique == found.concepts
    assert found.constant == (8, 9)  # one of them gives 3.7 everywhere
    facts = json.loads(json.dumps(found.facts()))
    assert facts["units"][9] == {"unit": 9, "concept": None, "iou": 0, "threshold": None, "share": 0}


class Bits(nn.Module):
    """The 24 bits of the bytes of three colours, each in a channel of its own."""

    def forward(self, x: Tensor) -> Tensor:
        numbers = (x * 255).round().int()
        return torch.cat([(numbers >> bit) & 1 for bit in range(8)], 1).float()


def test_a_rotation_and_random_weights_lose_what_lies_along_the_channels() -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (12, 20, 20, 3), np.uint8)
    masks = np.concatenate([(images >> bit & 1).astype(bool).transpose(0, 3, 1, 2) for bit in range(8)], 1)
    last = nn.Conv2d(24, 24, 1, bias=False)
    last.weight.data = torch.eye(24)[:, :, None, None]
    model = load(nn.Sequential(Bits(), last), size=20, channels=3)
    found = dissection(model, "1", labelled(images, masks, tuple(f"bit {number}" for number in range(24))))
    assert len(found.channels.unique) == 24 and found.channels.scores.min() == 1
    assert [len(each.unique) for each in (*found.rotated, found.untrained)] == [0, 0, 0, 0]
    assert all(low > 0.9 for low, _ in found.intervals.values())


def test_concepts_lie_along_the_channels_of_an_early_layer() -> None:
    """Detectors of more parts than any rotation has."""
    model = network()
    found = dissection(model, "mixed3a", terrarium_concepts(180, size=model.size))
    assert len(found.channels.unique) >= 10
    assert len(found.channels.unique) > max(len(each.unique) for each in found.rotated)
    assert found.intervals["rotated"][0] > 0
    assert len(found.channels.unique) > len(found.untrained.unique)


def test_a_deep_layer_has_learned_many_parts() -> None:
    """Far more, and far better ones, than before it learned."""
    model = network()
    found = dissection(model, "mixed4b", terrarium_concepts(180, size=model.size), rotations=1)
    assert len(found.channels.unique) >= 30
    assert len(found.channels.unique) > 1.5 * len(found.untrained.unique)
    assert len(found.channels.detectors) > 2 * len(found.untrained.detectors)
    assert found.channels.scores.mean() > 3 * found.untrained.scores.mean()
    assert found.intervals["untrained"][0] > 0.05
    assert found.channels.shares.numpy() == pytest.approx(0.005, abs=1e-4)
    assert {"balloon", "fish", "air tank", "boat"} <= set(found.channels.unique)


@pytest.mark.slow
def test_a_sparse_basis_has_far_more_detectors_than_its_rotation_or_untrained_weights(tmp_path: Path) -> None:
    """What a deep layer's channels share among them with any other directions, lies along the features of a sparse autoencoder."""
    model = network()
    store = collect(model, open_stream("terrarium:540", size=model.size), ["mixed4a"], tmp_path, positions=32, attributions=False)
    features, _ = train_features(store, "mixed4a", 320, steps=600)
    found = dissection(extend(model, features), "mixed4a.sparse", terrarium_concepts(180, size=model.size), rotations=1)
    turned = found.rotated[0]
    assert len(found.channels.unique) >= 40
    assert len(found.channels.unique) > 1.3 * len(turned.unique)
    assert len(found.channels.unique) > 3 * len(found.untrained.unique)
    better, rotated = (replace(each, limit=0.1).unique for each in (found.channels, turned))
    assert len(better) > 2 * len(rotated)
    assert min(low for low, _ in found.intervals.values()) > 0.01


def test_the_network_is_left_as_it_was_and_pictures_that_cannot_be_read_are_left_out() -> None:
    model, concepts = colours()
    images = np.stack([np.asarray(concepts.stream.picture(index)) for index in range(6)])
    masks = np.stack([concepts.masks(index)[1].numpy() for index in range(6)])
    calls: list[tuple[int, int]] = []
    with untouched(model.network):
        some = dissect(model, "1", labelled(images, masks, concepts.names, broken=(2,)), progress=lambda *done: calls.append(done))
    rest = [0, 1, 3, 4, 5]
    assert torch.equal(some.iou, dissect(model, "1", labelled(images[rest], masks[rest], concepts.names)).iou)
    assert some.pictures == 5 and calls == [(6, 12), (12, 12)]
    with pytest.raises(PellucidError, match="no picture of 'a test' can be read; the first: broken on purpose"):
        dissect(model, "1", labelled(images, masks, concepts.names, broken=tuple(range(6))))


def test_wrong_use_is_said() -> None:
    model, concepts = colours()
    with pytest.raises(NotFoundError, match="layer 'x' is not there"):
        dissect(model, "x", concepts)
    with pytest.raises(UsageError, match=r"the concepts' pictures are 3 x \(16, 16\), the model takes 3 x \(96, 96\)"):
        dissect(network(), "mixed4a", concepts)
    with pytest.raises(UsageError, match="share=0: must lie between 0 and 1"):
        dissect(model, "1", concepts, share=0)
    with pytest.raises(UsageError, match="rotations=0: at least 1"):
        dissection(model, "1", concepts, rotations=0)
    model.network[0].bias.data[3] = torch.nan  # pyright: ignore[reportIndexIssue]
    with pytest.raises(PellucidError, match="layer '1' of Sequential gives NaN or infinite values"):
        dissect(model, "1", concepts)
