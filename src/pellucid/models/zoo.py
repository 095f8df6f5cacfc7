"""Where networks come from: the bundled ones, files of the user, and the packages of the `zoo` extra."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from pellucid.errors import MissingExtraError, NotFoundError, PellucidError, UsageError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Source:
    """A network and what its origin says about it; None where it says nothing."""

    network: nn.Module
    name: str
    mean: Sequence[float] | float | None = None
    std: Sequence[float] | float | None = None
    size: int | tuple[int, int] | None = None
    channels: int | None = None
    classes: tuple[str, ...] = ()


def terrarium(which: str) -> Source:
    """The bundled network, or `judge`, the second one."""
    from pellucid.terrarium import network, world

    module = network.load_judge() if which == "judge" else network.load()
    name = "terrarium's judge" if which == "judge" else "terrarium"
    return Source(module, name, network.MEAN, network.STD, network.SIZE, classes=tuple(world.CLASSES))


def python_file(path: Path, factory: str) -> Source:
    """What the callable `factory` in a Python file returns, and the constants MEAN, STD, SIZE and CLASSES beside it."""
    if not path.is_file():
        raise UsageError(f"model: there is no file {path}")
    with _importable(path.parent):
        module = _imported(path)
        make = getattr(module, factory, None)
        if not callable(make):
            known = [
                name
                for name, value in vars(module).items()
                if callable(value) and getattr(value, "__module__", "") == module.__name__
            ]
            raise NotFoundError(f"in {path} the callable", factory, known)
        network = _made(make, f"{path}:{factory}")
    if not isinstance(network, nn.Module):
        raise UsageError(f"model: {path}:{factory} returned {type(network).__name__}, not an nn.Module")
    mean, std, size = (getattr(module, name, None) for name in ("MEAN", "STD", "SIZE"))
    return Source(network, path.stem, mean, std, size, classes=tuple(getattr(module, "CLASSES", ())))


def torchvision(rest: str) -> Source:
    """`NAME` with random weights, `NAME@WEIGHTS` with downloaded ones."""
    models: Any = _package("torchvision", "a torchvision: model").models
    name, _, tag = rest.partition("@")
    if name not in models.list_models():
        raise NotFoundError("torchvision model", name, models.list_models())
    if not tag:
        network = _made(lambda: models.get_model(name, weights=None), f"torchvision:{rest}")
        return Source(network, name, IMAGENET_MEAN, IMAGENET_STD)
    known = models.get_model_weights(name)
    if tag not in known.__members__:
        raise NotFoundError(f"set of weights of {name}", tag, known.__members__)
    weights = known[tag]
    network = _made(lambda: models.get_model(name, weights=weights), f"torchvision:{rest}")
    recipe = weights.transforms()
    size = getattr(recipe, "crop_size", [None])[0]
    mean, std = getattr(recipe, "mean", IMAGENET_MEAN), getattr(recipe, "std", IMAGENET_STD)
    return Source(network, name, mean, std, size, classes=tuple(weights.meta.get("categories", ())))


def timm(rest: str) -> Source:
    """`NAME` with its downloaded weights, `NAME@none` with random ones; preprocessing as timm's own configuration has it."""
    package: Any = _package("timm", "a timm: model")
    name, _, tag = rest.partition("@")
    if tag not in ("", "none"):
        raise UsageError(f"model: timm:{rest}; write timm:{name} for its weights or timm:{name}@none for random ones")
    if not package.is_model(name):
        raise NotFoundError("timm model", name, package.list_models())
    network = _made(lambda: package.create_model(name, pretrained=not tag), f"timm:{rest}")
    recipe = package.data.resolve_data_config({}, model=network)
    channels, height, width = recipe["input_size"]
    classes = () if tag else _timm_classes(package, network)
    return Source(network, name, recipe["mean"], recipe["std"], (height, width), channels, classes)


def _timm_classes(package: Any, network: nn.Module) -> tuple[str, ...]:
    subset = package.data.infer_imagenet_subset(network)
    if subset is None:
        return ()
    info = package.data.ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


def huggingface(name: str) -> Source:
    """An image classifier of transformers, by its name on the hub or from a folder."""
    package: Any = _package("transformers", "an hf: model")
    network = _made(lambda: package.AutoModelForImageClassification.from_pretrained(name), f"hf:{name}")
    recipe = _made(lambda: package.AutoImageProcessor.from_pretrained(name), f"the image processor of hf:{name}")
    labels = getattr(network.config, "id2label", None) or {}
    classes = tuple(str(labels[index]) for index in sorted(labels))
    size = _processor_size(recipe)
    normalises = getattr(recipe, "do_normalize", True)
    mean, std = (getattr(recipe, key, None) if normalises else None for key in ("image_mean", "image_std"))
    return Source(
        network, name.rstrip("/").rsplit("/", 1)[-1], mean, std, size, getattr(network.config, "num_channels", None), classes
    )


def _processor_size(recipe: Any) -> int | tuple[int, int] | None:
    for size in (getattr(recipe, "crop_size", None), getattr(recipe, "size", None)):
        if size is None or isinstance(size, int):
            if size:
                return size
            continue
        given = dict(size)
        if given.get("height") and given.get("width"):
            return given["height"], given["width"]
        if given.get("shortest_edge"):
            return given["shortest_edge"]
    return None


def _package(name: str, purpose: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, "zoo", purpose) from error


def _made(make: Callable[[], Any], what: str) -> Any:
    """What `make` returns; whatever goes wrong in code that is not ours (a factory, a download) is said in one line."""
    try:
        return make()
    except PellucidError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise PellucidError(f"model: {what} failed with {type(error).__name__}: {reason}") from error


def _imported(path: Path) -> ModuleType:
    """The file as a module under a name of its own, which is forgotten if the import fails."""
    name = f"_pellucid_user_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickling look their module up there
    try:
        _made(lambda: spec.loader.exec_module(module), str(path))  # pyright: ignore[reportOptionalMemberAccess]
    except BaseException:
        sys.modules.pop(name) if before is None else sys.modules.update({name: before})
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a user's file import its neighbours; last in line, so that none of them stands in for an installed package."""
    entry = str(folder.resolve())
    sys.path.append(entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
