"""Units as text."""

from __future__ import annotations

import pytest
from torch import nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load
from pellucid.models.model import Model
from pellucid.vis.objectives import parse_unit


@pytest.fixture(scope="module")
def model() -> Model:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return load(network, size=(17, 21), classes=["cat", "dog: small", "7"])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0:3", "channel('0', 3)"),
        ("0:3@7,9", "neuron('0', 3, row=7, col=9)"),
        ("class:dog: small", "logit(1)"),
        ("class:0", "logit(0)"),
        ("-0:3", "-channel('0', 3)"),
        ("-0:3@7,9", "-neuron('0', 3, row=7, col=9)"),
        ("-class:cat", "-logit(0)"),
    ],
)
def test_parse(model: Model, text: str, written: str) -> None:
    assert parse_unit(text, model).name == written


@pytest.mark.parametrize(
    "text", ["0", "0:", "0:x", "0:-1", "0:1@2", "0:1@2,3,4", "0:1@", "0:1@a,b", "", "-", "0:4", "-0:4", "0:1@8,0", "0:1@0,10"]
)
def test_not_a_unit(model: Model, text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_unit(text, model)
    assert not isinstance(error.value, NotFoundError)


@pytest.mark.parametrize("text", ["9:0", "-9:0", "class:cats", "class:"])
def test_not_there(model: Model, text: str) -> None:
    with pytest.raises(NotFoundError):
        parse_unit(text, model)
