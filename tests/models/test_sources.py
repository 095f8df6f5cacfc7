from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from tests.models.networks import Inplace, seeded
from torch import nn

from pellucid.errors import MissingExtraError, NotFoundError, PellucidError, UsageError
from pellucid.models import capture, load

FILE = """
from dataclasses import dataclass
from torch import nn
from neighbour import WIDTH

MEAN, STD, SIZE, CLASSES = 0.5, (0.2, 0.3), (8, 12), ("a", "b")

@dataclass
class Settings:
    width: int = WIDTH

class Network(nn.Sequential):
    pass

def make():
    return Network(nn.Conv2d(2, Settings().width, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def broken():
    raise ValueError("no weights here\\nsecond line")

def number():
    return 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").write_text("WIDTH = 2\n")
    (tmp_path / "net.py").write_text(FILE)
    yield tmp_path / "net.py"
    sys.modules.pop("neighbour", None)


def test_a_factory_in_a_file_and_its_constants(file: Path) -> None:
    path_before = list(sys.path)
    model = load(f"{file}:make")
    assert (model.name, model.channels, model.size) == ("net", 2, (8, 12))
    assert (model.mean, model.std, model.classes) == ((0.5, 0.5), (0.2, 0.3), ("a", "b"))
    assert list(model.layers) == ["0", "1", "2"] and model.spec == f"{file}:make"
    assert sys.path == path_before and "net" not in sys.modules
    given = load(f"{file}:make", mean=0, std=[1, 2], size=4, classes=["c", "d"], name="mine")
    assert (given.name, given.size, given.mean, given.std, given.classes) == ("mine", (4, 4), (0, 0), (1, 2), ("c", "d"))


@pytest.mark.parametrize(
    ("tail", "error", "said"),
    [
        (":mak", NotFoundError, "'mak' is not there \\(did you mean make"),
        (":SIZE", NotFoundError, "the callable 'SIZE'"),
        (":broken", PellucidError, "net.py:broken failed with ValueError: no weights here$"),
        (":number", UsageError, "returned int, not an nn.Module"),
        ("", UsageError, "names no factory"),
    ],
)
def test_wrong_factories(file: Path, tail: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load(f"{file}{tail}")


def test_a_file_that_cannot_be_imported_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import no_such_package\n")
    modules, path = set(sys.modules), list(sys.path)
    with pytest.raises(PellucidError, match=r"bad\.py failed with ModuleNotFoundError: No module named 'no_such_package'"):
        load(f"{tmp_path}/bad.py:make")
    assert set(sys.modules) == modules and sys.path == path
    with pytest.raises(UsageError, match="there is no file"):
        load(f"{tmp_path}/none.py:make")


@pytest.mark.parametrize("spec", ["terarium", "torchvison:resnet18", "resnet18", "timm:", "", "net.txt:make"])
def test_unknown_specs_say_what_there_is(spec: str) -> None:
    with pytest.raises(NotFoundError, match=r"a model is one of terrarium, .*path/to/file.py:factory"):
        load(spec)


@pytest.mark.parametrize(
    ("spec", "package"), [("torchvision:resnet18", "torchvision"), ("timm:resnet18", "timm"), ("hf:a/b", "transformers")]
)
def test_missing_packages_name_the_extra(spec: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}': pip install 'pellucid\[zoo\]'"):
        load(spec)


def test_a_module_is_used_as_it_is() -> None:
    network = seeded(Inplace)
    model = load(network)
    assert model.network is network
    assert (model.spec, model.channels, model.size, model.mean, model.std) == (
        "python:Inplace",
        3,
        (224, 224),
        (0, 0, 0),
        (1, 1, 1),
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch itself
def test_compiled_modules_are_opened_and_scripts_refused() -> None:
    network = seeded(Inplace)
    assert load(torch.compile(network)).network is network
    script = torch.jit.ScriptModule.__new__(torch.jit.ScriptModule)
    with pytest.raises(UsageError, match="TorchScript"):
        load(script)


def test_classes_from_files(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text('﻿class_index,wnid,name\n1,x,"b, c"\n0,y,a\n2,z,d\n3,z,e\n4,z,f\n5,z,g\n')
    (tmp_path / "c.txt").write_text("a\nb, c\n\nd\ne\nf\ng\n")
    for name in ("c.csv", "c.txt"):
        model = load(seeded(Inplace), size=16, classes=tmp_path / name)
        assert model.classes == ("a", "b, c", "d", "e", "f", "g")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class_index,name\n0,a\n", "1 names for the 6 outputs of Inplace"),
        ("class_index,name\n0,a\n2,b\n", "every class_index from 0 to 1 once"),
        ("class_index,name\n0,a\n0,b\n", "every class_index from 0 to 1 once"),
        ("index,name\n0,a\n", "needs the columns class_index"),
        ("class_index,name\nx,a\n", "needs the columns class_index"),
        ("class_index,name\n0\n", "needs the columns class_index"),
    ],
)
def test_wrong_classes(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        load(seeded(Inplace), size=16, classes=tmp_path / "c.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        load(seeded(Inplace), size=16, classes=tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mean": (0.1, 0.2)}, "mean: .* for 3 channels"),
        ({"mean": float("nan")}, "mean: nan for 3 channels"),
        ({"std": 0}, "every number must be above 0"),
        ({"size": 0}, "size: 0"),
        ({"size": (3, 4, 5)}, r"size: \(3, 4, 5\)"),
        ({"size": 22.5}, "size: 22.5"),
        ({"channels": 0}, "channels: 0"),
        ({"device": "cudda"}, "device: 'cudda' is not there"),
        ({"device": "cuda:77"}, "device: 'cuda:77' is not there"),
        ({"classes": ["a"]}, "1 names for the 6 outputs"),
    ],
)
def test_wrong_arguments(arguments: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(seeded(Inplace), **{"size": 16, **arguments})


def test_a_network_without_any_parameters() -> None:
    model = load(nn.Sequential(nn.AvgPool2d(2)), size=4)
    assert (model.channels, model.device.type, model.dtype) == (3, "cpu", torch.float32)
    assert capture(model, torch.ones(1, 3, 4, 6), ["0"])["0"].shape == (1, 3, 2, 3)


@pytest.mark.skipif(importlib.util.find_spec("pellucid.terrarium") is None, reason="the terrarium is not built yet")
@pytest.mark.parametrize("spec", ["terrarium", "terrarium:judge"])
def test_the_terrarium(spec: str) -> None:
    model = load(spec)
    assert len(model.classes) >= 16 and {"conv1", "mixed3a", "mixed4b", "head"} <= set(model.layers)
    assert model.layer("logits").channels == len(model.classes)
