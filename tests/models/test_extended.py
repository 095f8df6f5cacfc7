"""The features of a sparse autoencoder as a layer, beside what is computed vector by vector from the layer itself."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.networks import ChannelsLast, Inplace, Reused, Swallowing, Tokens, Tuples, seeded
from tests.models.untouched import untouched
from torch import Tensor, nn
from torch.nn.functional import normalize

from pellucid.data.collect import collect
from pellucid.data.stream import open_stream
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import OUTPUT, capture, load, logit_attribution
from pellucid.models.autoencoder import SparseAutoencoder
from pellucid.models.extended import Extended, extend
from pellucid.models.layer_gradients import derivatives
from pellucid.models.receptive import Field
from pellucid.models.trace import Tracer
from pellucid.models.untrained import untrained
from pellucid.vis import render

PLACES = [(Inplace, "conv1"), (Inplace, "drop"), (Reused, "relu"), (ChannelsLast, "norm"), (Tokens, "blocks.0"), (Tuples, "pair")]


def drawn(channels: int, features: int = 20, k: int = 3, seed: int = 0, **about: Any) -> SparseAutoencoder:
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = (normalize(torch.randn(features, channels, generator=generator), dim=1) for _ in range(2))
    bias, centre = 0.3 * torch.randn(features, generator=generator), 0.1 * torch.randn(channels, generator=generator)
    return SparseAutoencoder(encoder, bias, decoder, centre, k, **about)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kind", "layer"), PLACES)
def test_the_features_answer_as_encode_says_vector_by_vector(kind: type[nn.Module], layer: str, images: Tensor) -> None:
    model = load(seeded(kind), size=16)
    features = drawn(model.layer(layer).channels)
    extended = extend(model, features, layer=layer)
    found, plain = capture(extended, images, [f"{layer}.sparse"])[f"{layer}.sparse"], capture(model, images, [layer])[layer]
    assert found.shape == (3, 20, *plain.shape[2:]) and (found > 0).sum(1).max() == 3
    for picture in range(3):
        for row in range(plain.shape[2]):
            for col in range(plain.shape[3]):
                wanted = features.encode(plain[picture, :, row, col][None])[0]
                torch.testing.assert_close(found[picture, :, row, col], wanted)


@pytest.mark.parametrize(("kind", "layer"), PLACES)
def test_one_layer_more_and_all_else_keeps_its_bits(kind: type[nn.Module], layer: str, images: Tensor) -> None:
    model = load(seeded(kind), size=16)
    extended = extend(model, drawn(model.layer(layer).channels), layer=layer)
    names = list(model.layers)
    names.insert(names.index(layer) + 1, f"{layer}.sparse")
    assert list(extended.layers) == names
    plain, more = model.layer(layer), extended.layer(f"{layer}.sparse")
    assert (more.height, more.width, more.receptive_field) == (plain.height, plain.width, plain.receptive_field)
    assert (more.channels, more.kind) == (20, "Features")
    before, after = capture(model, images, [*model.layers, OUTPUT]), capture(extended, images, [*extended.layers, OUTPUT])
    for name, map in before.items():
        assert torch.equal(map, after[name]), name
    assert [extended.layers[name] for name in model.layers] == list(model.layers.values())
    parameters = {name: id(each) for name, each in extended.network.named_parameters()}
    assert parameters == {name: id(each) for name, each in model.network.named_parameters()}


def test_it_stops_where_the_features_are(images: Tensor) -> None:
    network, ran = seeded(Inplace), []
    extended = extend(load(network, size=16), drawn(12), layer="conv2")
    _ = extended.layers
    for name in ("conv2", "relu2"):
        network.get_submodule(name).register_forward_hook(lambda _m, _i, _o, name=name: ran.append(name))
    capture(extended, images, ["conv2.sparse"])
    assert ran == ["conv2"]
    swallowing = extend(load(seeded(Swallowing), size=16), drawn(4), layer="conv")
    assert capture(swallowing, images, ["conv.sparse"])["conv.sparse"].shape == (3, 20, 14, 14)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_network_is_left_as_it_was(wrong: bool, images: Tensor, tmp_path: Path) -> None:
    model = load("terrarium")
    extended = extend(model, drawn(160), layer="mixed4a")
    with untouched(model.network):
        _ = extended.layers, extended.fingerprint()
        if wrong:
            handle = model.network.get_submodule("mixed4b").register_forward_hook(lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                capture(extended, torch.rand(1, 3, 96, 96), [OUTPUT])
            handle.remove()
        render(extended, ["mixed4a.sparse:3"], steps=2, size=48)
        collect(extended, open_stream("terrarium:2", size=model.size), ["mixed4a.sparse"], tmp_path)


def test_what_features_give_to_the_classes(images: Tensor) -> None:
    """An answer times the gradient along the feature's decoder, of the network without any autoencoder."""
    model = load(seeded(Inplace), size=16)
    features = drawn(12)
    extended = extend(model, features, layer="conv2")
    where, sizes = torch.tensor([[[1, 2], [7, 0]]] * 3), []
    _ = extended.layers
    handle = model.network.get_submodule("conv1").register_forward_hook(lambda _m, inputs, _o: sizes.append(len(inputs[0])))
    vectors, given = logit_attribution(extended, images, "conv2.sparse", where)
    handle.remove()
    assert sizes == [3]  # not once for each position
    for logit in range(6):
        found = derivatives(
            model, images, lambda maps, _, logit=logit: maps[OUTPUT][:, logit, 0, 0], reads=[OUTPUT], layers=["conv2"]
        )
        for number, (row, col) in enumerate(where[0].tolist()):
            answers = features.encode(found.maps["conv2"][:, :, row, col])
            along = found.gradients["conv2"][:, :, row, col] @ features.decoder.T
            torch.testing.assert_close(vectors[:, number], answers)
            torch.testing.assert_close(given[:, number, logit], (answers * along).sum(1), atol=1e-6, rtol=1e-4)


def test_gradients_past_the_features_are_the_networks_own(images: Tensor) -> None:
    model = load(seeded(Inplace), size=16)
    extended = extend(model, drawn(12), layer="conv2")

    def score(maps: Any, _: Tensor) -> Tensor:
        return maps[OUTPUT][:, 2, 0, 0]

    plain = derivatives(model, images, score, reads=[OUTPUT], layers=["conv2"])
    found = derivatives(extended, images, score, reads=[OUTPUT], layers=["conv2", "conv2.sparse"])
    assert torch.equal(found.scores, plain.scores)
    assert plain.pixels is not None and found.pixels is not None
    torch.testing.assert_close(found.pixels, plain.pixels)
    torch.testing.assert_close(found.gradients["conv2"], plain.gradients["conv2"])
    wanted = torch.einsum("nchw,mc->nmhw", plain.gradients["conv2"], drawn(12).decoder)
    torch.testing.assert_close(found.gradients["conv2.sparse"], wanted)


def test_gradients_of_features_are_those_of_their_values_and_descending_can_raise_the_beaten() -> None:
    model = load(nn.Sequential(nn.Conv2d(3, 6, 1)), size=4).network.double()
    features = replace(drawn(6), **{name: getattr(drawn(6), name).double() for name in ("encoder", "bias", "decoder", "centre")})
    extended = extend(load(model, size=4), features, layer="0")
    images = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    weights = torch.rand(1, 20, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: (weights * capture(extended, x, ["0.sparse"])["0.sparse"]).sum(), images, check_undefined_grad=False
    )
    answers = features.answers(capture(extended, images, ["0"])["0"].movedim(1, -1))  # before the choice
    (free,) = torch.autograd.grad(-(weights.movedim(1, -1) * answers.relu()).sum(), images)
    (found,) = torch.autograd.grad(-(weights * capture(extended, images, ["0.sparse"])["0.sparse"]).sum(), images)
    torch.testing.assert_close(found, free)


def test_a_picture_made_for_a_feature_excites_it() -> None:
    model = load("terrarium")
    extended = extend(model, drawn(160, features=64, k=4), layer="mixed4a")
    ((_, pictures),) = open_stream("terrarium:18", size=model.size).batches(0, 18, batch=18)
    usual = capture(extended, pictures, ["mixed4a.sparse"])["mixed4a.sparse"].mean((2, 3)).detach()
    rare = (usual > 0).sum(0).argsort(stable=True)[16:18].tolist()
    for channel, made in zip(rare, render(extended, [f"mixed4a.sparse:{each}" for each in rare], steps=16, size=72), strict=True):
        assert not made.silent and made.score > usual[:, channel].max(), channel


def test_two_layers_and_copies(images: Tensor) -> None:
    model = load(seeded(Inplace), size=16)
    first = drawn(8, layer="conv1", network=model.fingerprint())
    both = extend(extend(model, first), replace(drawn(12, seed=1), layer="conv2", network=model.fingerprint()))
    assert [name for name in both.layers if name not in model.layers] == ["conv1.sparse", "conv2.sparse"]
    once = capture(extend(model, first), images, ["conv1.sparse"])["conv1.sparse"]
    assert torch.equal(capture(both, images, ["conv1.sparse", "conv2.sparse"])["conv1.sparse"], once)
    fresh = untrained(both)
    assert list(fresh.layers) == list(both.layers) and isinstance(fresh.network, Extended)
    duplicate = load(copy.deepcopy(both.network), size=16)
    assert torch.equal(capture(duplicate, images, ["conv1.sparse"])["conv1.sparse"], once)


def test_what_is_asked_of_the_network_is_asked_of_it_through_all_layers_more() -> None:
    network = seeded(Inplace)
    vars(network)["num_prefix_tokens"] = 3  # as in timm
    extended = extend(load(network, size=16), drawn(12), layer="conv2").network
    assert extended.num_prefix_tokens == 3 and not hasattr(extended, "nothing")
    assert not hasattr(Extended.__new__(Extended), "nothing")  # as it is for a moment while it is copied


def test_the_fingerprint_is_of_the_network_and_the_features() -> None:
    model = load(seeded(Inplace), size=16)
    different = [drawn(12), drawn(12, k=4), drawn(12, seed=1), replace(drawn(12), bias=torch.ones(20))]
    prints = [extend(model, each, layer="conv2").fingerprint() for each in different]
    assert len({model.fingerprint(), *prints}) == 5
    assert extend(model, drawn(12), layer="conv2").fingerprint() == prints[0]


def test_wrong_use() -> None:
    model = load(seeded(Inplace), size=16, name="net")
    with pytest.raises(UsageError, match="trained on 7 channels, 'conv2' of net has 12"):
        extend(model, drawn(7), layer="conv2")
    with pytest.raises(UsageError, match="does not say whose features it has; name the layer"):
        extend(model, drawn(12))
    with pytest.raises(UsageError, match="'relu2'; the sparse autoencoder was trained on 'conv2'"):
        extend(model, drawn(12, layer="conv2"), layer="relu2")
    with pytest.raises(UsageError, match="trained on another network than 'net'"):
        extend(model, drawn(12, layer="conv2", network="0" * 64))
    with pytest.raises(UsageError, match=r"has a layer 'conv2\.sparse' already"):
        extend(extend(model, drawn(12), layer="conv2"), drawn(12), layer="conv2")
    with pytest.raises(NotFoundError, match="conv7"):
        extend(model, drawn(12), layer="conv7")


def test_only_choices_over_the_channels_keep_fields() -> None:
    with Tracer() as tracer:
        maps = tracer.follow(torch.rand(2, 5, 4, 4)).movedim(1, -1)
        assert tracer.of(maps) is not None and tracer.of(maps).axis == 3  # pyright: ignore[reportOptionalMemberAccess]
        for dim, field in ((-1, Field()), (3, Field()), (1, None)):
            found = maps.topk(2, dim=dim)
            zeroed = maps.scatter(dim, found.indices, 0.0)
            for each in (found.values, zeroed):
                trace = tracer.of(each)
                assert trace is not None and trace.field == field
        back = tracer.of(maps.movedim(-1, 1))
        assert back is not None and (back.axis, back.field) == (1, Field())
