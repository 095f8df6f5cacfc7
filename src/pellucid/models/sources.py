"""From a spec, or any module, to a `Model`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pellucid.errors import NotFoundError, UsageError
from pellucid.models.model import Model
from pellucid.models.weights import check_finite, load_weights
from pellucid.models.zoo import Source, huggingface, python_file, terrarium, timm, torchvision

SIZE = 224  # where neither the caller nor the source names one
SCHEMES: dict[str, Callable[[str], Source]] = {"torchvision": torchvision, "timm": timm, "hf": huggingface}
SPECS = ("terrarium", "terrarium:judge", "torchvision:NAME[@WEIGHTS]", "timm:NAME", "hf:ORG/NAME", "path/to/file.py:factory")


def load(
    spec: str | nn.Module,
    *,
    weights: str | Path | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    classes: Sequence[str] | Path | str | None = None,
    device: str | torch.device | None = None,
    name: str | None = None,
) -> Model:
    """A network from anywhere, with its preprocessing and class names.

    Args:
        spec: one of

            - `terrarium`, the bundled network, or `terrarium:judge`, the second one that checks the first one's pictures;
            - `path/to/file.py:factory`, a callable without arguments that returns a module; the file's `MEAN`, `STD`, `SIZE`
              and `CLASSES` are read;
            - `torchvision:NAME` with random weights, `torchvision:NAME@DEFAULT` (or another name of weights) with downloaded ones;
            - `timm:NAME` with its downloaded weights, `timm:NAME@none` with random ones;
            - `hf:ORG/NAME`, an image classifier of transformers: a hub's name or a folder;
            - any module, used as it is, not copied.
        weights: a `.safetensors` file, or one of `torch.save` with nothing but tensors; no code in it is executed.
        mean: subtracted from images in [0, 1]; one number for each channel, or one for all. Where nothing names one, 0.
        std: what each channel is then divided by, above 0. Where nothing names one, 1.
        size: height and width that the network is made for, or one number for both. Where nothing names one, 224.
        channels: of the images. Where nothing names them, those of the first convolution, or 3.
        classes: the names of the outputs: a sequence, a CSV file with the columns `class_index` and `name`, or a text file
            with one name a line.
        device: where to move the network; where not given, a module passed in stays where it is and all else is on the CPU.
        name: for people; by default out of the spec.

    Returns:
        The model, its weights checked to be finite.

    Raises:
        NotFoundError: the spec, or something in it, is unknown; the nearest names are listed.
        UsageError: an argument does not suit the network.
        PellucidError: the network or its weights cannot be had.
        MissingExtraError: the spec needs a package that is not installed.

    Example:
        >>> model = load(nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU()), size=(12, 16), mean=0.5, std=0.25)
        >>> model
        Model('Sequential', 1 × 12 × 16)
        >>> list(model.layers), model.layers["1"].height
        (['0', '1'], 10)
    """
    source = _source(spec)
    if weights is not None:
        load_weights(source.network, weights)
    model = Model(
        source.network if device is None else source.network.to(find_device(device)),
        name=source.name if name is None else name,
        spec=spec if isinstance(spec, str) else f"python:{source.name}",
        channels=(planes := _channels(channels, source)),
        size=_size(source.size if size is None else size),
        mean=_per_channel("mean", source.mean if mean is None else mean, planes, 0.0),
        std=_positive(_per_channel("std", source.std if std is None else std, planes, 1.0)),
        classes=source.classes if classes is None else _classes(classes),
    )
    check_finite(model.network, model.name)
    if classes is not None:
        _ = model.layers  # the dry run compares their number with the network's outputs
    return model


def _source(spec: str | nn.Module) -> Source:
    if isinstance(spec, nn.Module):
        if isinstance(spec, torch.jit.ScriptModule):
            raise UsageError("spec: a TorchScript module cannot be looked into; pass the nn.Module it was made from")
        network = getattr(spec, "_orig_mod", spec)  # torch.compile's wrapper runs past hooks
        return Source(network, type(network).__name__)
    if not isinstance(spec, str):
        raise UsageError(f"spec: {type(spec).__name__}; give a string or an nn.Module")
    head, _, rest = spec.partition(":")
    if head == "terrarium" and rest in ("", "judge"):
        return terrarium(rest)
    if head in SCHEMES and rest:
        return SCHEMES[head](rest)
    path, _, factory = spec.rpartition(":")
    if path.endswith(".py") and factory:
        return python_file(Path(path), factory)
    if spec.endswith(".py"):
        raise UsageError(f"model {spec!r} names no factory; write {spec}:NAME, where NAME() returns the network")
    raise NotFoundError("model", spec, ["terrarium", "terrarium:judge"], f"a model is one of {', '.join(SPECS)}")


def find_device(device: str | torch.device) -> torch.device:
    """The device of this name, if it is there.

    Raises:
        UsageError: it is not.

    >>> find_device("cpu")
    device(type='cpu')
    """
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise UsageError(f"device: {str(device)!r} is not there: {next(iter(str(error).splitlines()), '')}") from error
    return found


def _channels(channels: int | None, source: Source) -> int:
    if channels is not None:
        if channels < 1:
            raise UsageError(f"channels: {channels}; at least 1")
        return channels
    if source.channels is not None:
        return source.channels
    first = next((module for module in source.network.modules() if isinstance(module, nn.Conv2d)), None)
    return 3 if first is None or isinstance(first, nn.LazyConv2d) else first.in_channels


def _size(size: int | Sequence[int] | None) -> tuple[int, int]:
    size = SIZE if size is None else size
    pair = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise UsageError(f"size: {size!r}; one whole number above 0, or height and width")
    return pair[0], pair[1]


def _per_channel(what: str, values: float | Sequence[float] | None, channels: int, default: float) -> tuple[float, ...]:
    given = [default if values is None else values] if values is None or isinstance(values, int | float) else list(values)
    numbers = tuple(map(float, given * channels if len(given) == 1 else given))
    if len(numbers) != channels or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{what}: {values!r} for {channels} channels; give one finite number for each, or one for all")
    return numbers


def _positive(std: tuple[float, ...]) -> tuple[float, ...]:
    if min(std) <= 0:
        raise UsageError(f"std: {std}; every number must be above 0")
    return std


def _classes(classes: Sequence[str] | Path | str) -> tuple[str, ...]:
    if not isinstance(classes, str | Path):
        return tuple(classes)
    path = Path(classes)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"classes: {path} cannot be read ({error}); give a CSV with class_index,name or one name a line"
        ) from error
    if path.suffix.lower() != ".csv":
        return tuple(line.strip() for line in lines if line.strip())
    return _table(path, list(csv.DictReader(lines)))


def _table(path: Path, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    try:
        names = {int(row["class_index"]): row["name"].strip() for row in rows}
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"classes: {path} needs the columns class_index (a whole number) and name in every row ({error!r})"
        ) from error
    if sorted(names) != list(range(len(rows))):
        raise UsageError(f"classes: {path} must name every class_index from 0 to {len(rows) - 1} once")
    return tuple(names[index] for index in range(len(names)))
