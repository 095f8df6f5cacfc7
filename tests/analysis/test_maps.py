"""Kernels, maps and masks against the weights, hooks and loops that they come from, and against what is known of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.models.untouched import untouched
from tests.vis.recipes.scenes import network, scene
from torch import Tensor, nn

from pellucid.analysis.concepts import terrarium_concepts
from pellucid.analysis.dissect import dissect
from pellucid.analysis.groups import picture_groups
from pellucid.analysis.maps import (
    Filters,
    activation_maps,
    enlarged,
    filters,
    map_pictures,
    mask,
    overlay,
    upsample,
)
from pellucid.analysis.queries import picture_vector
from pellucid.arrays import to_image, to_picture
from pellucid.data.stream import Stream
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import Layer, load
from pellucid.models.receptive import ReceptiveField
from pellucid.models.untrained import untrained
from pellucid.terrarium.world import SIZE


def test_filters_are_the_weights() -> None:
    found = filters(network())
    weights = network().network.get_submodule("conv1.conv").weight  # pyright: ignore[reportAttributeAccessIssue]
    torch.testing.assert_close(found.weights(), weights.detach(), atol=1e-6, rtol=0)
    ends = (found.images - 0.5).abs().flatten(1).amax(1)
    assert ends.tolist() == pytest.approx([0.5] * 32) and found.images.min() >= 0 and found.images.max() <= 1
    picture = found.pictures()[3]
    assert picture.size == (45, 45)  # nine pixels for each weight
    seen = to_image(picture)[:, 4::9, 4::9]
    assert (seen - found.images[3]).abs().max() <= 0.5 / 255 + 1e-6


def test_a_kernel_of_zeros_is_grey() -> None:
    convolution = nn.Conv2d(3, 2, 3)
    convolution.weight.data[1] = 0
    found = filters(load(convolution_network(convolution), size=8))
    assert (found.images[1] == 0.5).all() and not found.weights()[1].any()


def convolution_network(convolution: nn.Conv2d) -> nn.Module:
    return nn.Sequential(convolution, nn.ReLU())


def test_deeper_layers_have_no_pictures_of_kernels() -> None:
    for layer in ("conv2.conv", "conv1.relu", "head"):
        with pytest.raises(UsageError, match=f"the kernels of '{layer}' are no pictures: .* only 'conv1.conv' reads the picture"):
            filters(network(), layer)
    assert filters(network(), "conv1.conv").layer == "conv1.conv"
    with pytest.raises(NotFoundError, match="did you mean conv1"):
        filters(network(), "conv11")
    with pytest.raises(UsageError, match="Sequential has no convolution that reads the picture itself"):
        filters(load(nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 4, 3)), size=8))
    # an equal kernel deeper in the network, after one that keeps the receptive field
    two = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 3))
    assert filters(load(two, size=8)).layer == "0"


def fits(found: Filters) -> Tensor:
    """How much of each kernel's variance the best of many Gabor functions in one colour, or of blobs, explains."""
    weights, side = found.weights(), found.images.shape[-1]
    axis = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    best = torch.zeros(len(weights))
    for angle in torch.arange(8) * math.pi / 8:
        along = x * angle.cos() + y * angle.sin()
        for frequency in (0.0, 0.35, 0.5, 0.75, 1.0):
            for width in (0.5, 1.0):
                window = (-(x**2 + y**2) / (2 * width**2)).exp()
                waves = [(2 * math.pi * frequency * along).cos(), (2 * math.pi * frequency * along).sin()][: 1 + (frequency > 0)]
                bank = torch.linalg.qr(torch.stack([(window * wave).flatten() for wave in waves], 1)).Q  # p 1 or 2
                part = torch.einsum("ncp,pw->ncw", weights.flatten(2), bank)
                explained = torch.linalg.svdvals(part)[:, 0].square() / weights.square().sum((1, 2, 3))  # of one colour
                best = torch.maximum(best, explained)
    return best


def test_most_learned_kernels_are_edges_and_blobs() -> None:
    learned, random = fits(filters(network())), fits(filters(untrained(network())))
    assert (learned > random.max()).float().mean() > 0.5


def test_maps_are_those_of_a_hook() -> None:
    model, heard = network(), []
    module = model.network.get_submodule("mixed3b")
    handle = module.register_forward_hook(lambda _module, _inputs, output: heard.append(output.detach().clone()))
    with torch.no_grad():
        model.network(model.preprocess(scene("lighthouse")[None]).to(memory_format=torch.channels_last))  # as it lies in memory
    handle.remove()
    with untouched(model.network):
        maps = activation_maps(model, scene("lighthouse"), "mixed3b")
    assert maps.shape == (128, 24, 24)
    torch.testing.assert_close(maps, heard[0][0], atol=1e-6, rtol=0)


def test_an_edge_lights_its_filter() -> None:
    convolution = nn.Conv2d(3, 2, 3, bias=False)
    upright = torch.tensor([-1.0, 0.0, 1.0]).expand(3, 3, 3)
    convolution.weight.data = torch.stack([upright, upright.transpose(1, 2)])
    image = torch.zeros(3, 10, 12)
    image[:, :, 6:] = 1
    maps = activation_maps(load(convolution_network(convolution), size=(10, 12)), image, "1")
    assert maps.shape == (2, 8, 10) and (maps[0].nonzero()[:, 1].unique().tolist(), maps[1].any()) == ([4, 5], False)


def test_deeper_maps_are_sparser_and_follow_what_is_shown() -> None:
    model, concepts = network(), terrarium_concepts(36, size=(SIZE, SIZE))
    truth = torch.zeros(36, len(concepts.names), 24, 24)
    for index in range(36):
        numbers, masks = concepts.masks(index)
        truth[index, numbers] = nn.functional.avg_pool2d(masks.float(), 4)
    zeros, agree = [], []
    for layer in ("conv1", "mixed3b", "mixed4b"):
        maps = torch.stack([activation_maps(model, image, layer) for image in pictures(concepts.stream)])
        zeros.append(float((maps < 0.05 * maps.amax((0, 2, 3), keepdim=True)).float().mean()))
        spread = nn.functional.avg_pool2d(torch.stack([upsample(each, model.layer(layer), (96, 96)) for each in maps]), 4)
        agree.append(float((rows(spread) @ rows(truth).T).amax(0).mean()))  # of each part, its best channel's correlation
    assert zeros == sorted(zeros) and zeros[-1] > zeros[0] + 0.1
    assert agree == sorted(agree) and agree[-1] > 1.5 * agree[0]


def rows(maps: Tensor) -> Tensor:
    """A row of mean 0 and length 1 for each channel that varies."""
    found = maps.transpose(0, 1).flatten(1)
    found = found[found.std(1) > 0]
    return nn.functional.normalize(found - found.mean(1, keepdim=True), dim=1)


def pictures(stream: Stream) -> list[Tensor]:
    return [to_image(stream.picture(index)) for index in range(len(stream))]


def test_tiles_are_black_to_white_and_black_where_nothing_differs() -> None:
    maps = torch.stack([torch.linspace(-3, 5, 12).view(3, 4), torch.full((3, 4), 7.0)])
    first, second = (to_image(each, 1)[0] for each in map_pictures(maps))
    assert first.shape == (48, 64) and first[8, 8] == 0 and first[40, 60] == 1
    torch.testing.assert_close(first[8::16, 8::16], (maps[0] + 3) / 8, atol=0.5 / 255 + 1e-6, rtol=0)
    assert not second.any()
    assert enlarged(to_picture(torch.rand(3, 50, 60))).size == (60, 50)


def by_loops(map: Tensor, size: tuple[int, int], field: ReceptiveField) -> Tensor:
    """Each pixel between the positions whose centres are around it."""
    found = torch.zeros(size)
    for row in range(size[0]):
        for col in range(size[1]):
            at = [
                (place + 0.5 - offset) / stride
                for place, offset, stride in zip((row, col), field.offset, field.stride, strict=True)
            ]
            at = [min(max(place, 0), count - 1) for place, count in zip(at, map.shape, strict=True)]
            for top in {math.floor(at[0]), math.ceil(at[0])}:
                for left in {math.floor(at[1]), math.ceil(at[1])}:
                    found[row, col] += (1 - abs(at[0] - top)) * (1 - abs(at[1] - left)) * map[top, left]
    return found


@pytest.mark.parametrize("field", [ReceptiveField((5, 7), (4, 3), (0.5, 3.5)), ReceptiveField((9, 9), (2, 2), (-1.5, 4.5))])
def test_maps_are_laid_between_the_centres_of_what_positions_see(field: ReceptiveField) -> None:
    map = torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
    layer = Layer("a", "Conv2d", 1, 4, 5, field)
    torch.testing.assert_close(upsample(map[None], layer, (15, 17))[0], by_loops(map, (15, 17), field))


def test_without_a_receptive_field_maps_are_stretched() -> None:
    maps, layer = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0)), Layer("a", "Block", 2, 3, 5, None)
    wanted = nn.functional.interpolate(maps[None], (12, 11), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(upsample(maps, layer, (12, 11)), wanted)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 1.0])
def test_a_mask_covers_its_share(share: float) -> None:
    model, image = network(), scene("fireboat")
    found = mask(model, image, "conv2.conv:5", share)
    values = upsample(activation_maps(model, image, "conv2.conv")[5, None], model.layer("conv2.conv"), (96, 96))[0]
    lowest = int((values == values.min()).sum())
    assert int(found.pixels.sum()) == min(round(share * 96 * 96), 96 * 96 - lowest)
    assert values[found.pixels].min() == found.threshold
    assert share == 1 or values[~found.pixels].max() <= found.threshold


def test_a_channel_that_answers_nowhere_selects_nothing() -> None:
    convolution = nn.Conv2d(3, 1, 1)
    convolution.weight.data, convolution.bias.data = torch.zeros(1, 3, 1, 1), torch.ones(1)  # pyright: ignore[reportOptionalMemberAccess]
    found = mask(load(convolution_network(convolution), size=8), torch.rand(3, 8, 8), "1:0", 0.5)
    assert not found.pixels.any() and found.threshold == torch.inf


def test_a_detectors_mask_is_where_the_thing_is() -> None:
    """Of the detectors that other pictures gave, against a random channel each."""
    model, shown = network(), terrarium_concepts(90, size=(SIZE, SIZE), seed=77)
    found = dissect(model, "mixed4b", terrarium_concepts(90, size=(SIZE, SIZE)))
    numbers = torch.Generator().manual_seed(0)
    won, seen = 0, 0
    for unit in found.scores.argsort(descending=True)[:10].tolist():
        concept = found.concepts.index(str(found.best[unit]))
        for index in range(len(shown.stream)):
            there, masks = shown.masks(index)
            if seen == 40 or concept not in there.tolist():
                continue
            truth, image = masks[there.tolist().index(concept)], to_image(shown.stream.picture(index))
            other = int(torch.randint(192, (1,), generator=numbers))
            share = float(truth.float().mean())
            scores = [iou(mask(model, image, f"mixed4b:{each}", max(share, 0.01)).pixels, truth) for each in (unit, other)]
            won, seen = won + (scores[0] > scores[1]), seen + 1
    assert seen >= 30 and won / seen > 0.8


def iou(first: Tensor, second: Tensor) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_an_overlay_keeps_what_is_masked() -> None:
    image, pixels = torch.rand(3, 4, 5), torch.rand(4, 5) > 0.5
    found = overlay(image, pixels)
    assert torch.equal(found[:, pixels], image[:, pixels]) and torch.equal(found[:, ~pixels], 0.25 * image[:, ~pixels])


def test_an_overlay_of_another_size_is_said() -> None:
    with pytest.raises(UsageError, match="pixels: a mask of 96 × 96 for a picture of 50 × 96; give one of the picture's size"):
        overlay(torch.rand(3, 50, 96), torch.ones(96, 96, dtype=torch.bool))


@pytest.mark.parametrize(
    "look",
    [
        lambda image: activation_maps(network(), image, "mixed3b"),
        lambda image: mask(network(), image, "mixed3b:1"),
        lambda image: picture_vector(network(), "mixed3b", image),
        lambda image: picture_groups(network(), image, "mixed3b"),
    ],
    ids=["activation_maps", "mask", "picture_vector", "picture_groups"],
)
@pytest.mark.parametrize(("value", "said"), [(torch.nan, "not finite"), (200.0, "to 200; terrarium takes pictures in")])
def test_what_is_no_picture_is_said(look: Callable[[Tensor], object], value: float, said: str) -> None:
    image = scene("lake").clone()
    image[0, 5, 5] = value
    with pytest.raises(UsageError, match=said):
        look(image)


def test_wrong_use_is_said() -> None:
    model, image = network(), scene("lake")
    for unit, said in (
        ("class:lake", "not a single channel"),
        ("mixed4a:7@1,1", "not a single channel"),
        ("-mixed4a:1", "not a single"),
    ):
        with pytest.raises(UsageError, match=said):
            mask(model, image, unit)
    with pytest.raises(UsageError, match="has the channels 0 to 159, not 160"):
        mask(model, image, "mixed4a:160")
    with pytest.raises(UsageError, match="share=0: must be above 0"):
        mask(model, image, "mixed4a:1", 0)
