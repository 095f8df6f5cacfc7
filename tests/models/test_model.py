from __future__ import annotations

import pytest
import torch
from tests.models.networks import Inplace, seeded
from torch import nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import OUTPUT, load


def test_preprocess_normalises_and_never_resizes() -> None:
    model = load(seeded(Inplace), mean=(0.1, 0.2, 0.3), std=0.5)
    images = torch.rand(2, 3, 5, 7, requires_grad=True)
    wanted = (images - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / 0.5
    torch.testing.assert_close(model.preprocess(images), wanted)
    model.preprocess(images).sum().backward()
    assert images.grad is not None
    assert model.preprocess(images.double()).dtype == model.dtype == torch.float32


def test_classes_by_name_number_and_digits() -> None:
    model = load(seeded(Inplace), size=16, classes=["cat", "3", "crane", "house", "crane", "boat"])
    assert [model.class_index(name) for name in ("cat", 5, "5", "3")] == [0, 5, 5, 1]
    with pytest.raises(UsageError, match="'crane' is the name of 2, 4; give the number"):
        model.class_index("crane")
    with pytest.raises(NotFoundError, match="'hause' is not there \\(did you mean house"):
        model.class_index("hause")
    for wrong in (6, -1, "6", "-1"):
        with pytest.raises(NotFoundError, match="from 0 to 5"):
            model.class_index(wrong)


def test_without_names_the_classes_are_numbers() -> None:
    model = load(seeded(Inplace), size=16)
    assert model.classes == ("0", "1", "2", "3", "4", "5")
    assert model.layer(OUTPUT).channels == 6 and OUTPUT not in model.layers


def test_a_module_called_logits_gives_way_to_the_output() -> None:
    network = nn.Sequential()
    network.add_module("logits", nn.Conv2d(3, 2, 1))
    network.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model = load(network, size=4)
    assert list(model.layers) == ["pool"] and model.layer(OUTPUT).height == 1


def test_unknown_layers_name_the_command_that_lists_them() -> None:
    with pytest.raises(NotFoundError, match=r"layer 'relu3' is not there \(did you mean relu2, relu1"):
        load(seeded(Inplace), size=16).layer("relu3")


def test_fingerprints_tell_weights_and_preprocessing_apart() -> None:
    network = seeded(Inplace)
    first = load(network, size=16).fingerprint()
    assert first == load(seeded(Inplace), size=16).fingerprint() and len(first) == 64
    assert first != load(seeded(Inplace), size=16, mean=0.5).fingerprint()
    assert first != load(seeded(Inplace), size=17).fingerprint()
    network.head.bias.data[3] += 1e-6
    assert first != load(network, size=16).fingerprint()


def test_fingerprints_do_not_depend_on_addresses_or_types_of_storage() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.key = nn.Parameter(torch.ones((), dtype=torch.bfloat16)), object()
            self.register_buffer("seen", torch.tensor([True, False]))

        def extra_repr(self) -> str:
            return repr(self.key)

    assert load(Odd()).fingerprint() == load(Odd()).fingerprint()
