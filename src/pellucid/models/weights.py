"""Weights from files, of which nothing is ever executed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pellucid.errors import PellucidError, UsageError

WRAPPERS = ("state_dict", "model_state_dict", "model")  # what training scripts put the tensors under
PREFIXES = ("module.", "_orig_mod.")  # DataParallel's and torch.compile's
SHOWN = 5


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Put the tensors of a file into a network, all of them or none.

    Args:
        network: whose state has the same names and shapes.
        path: `.safetensors`, or a file of `torch.save` that holds nothing but tensors.

    Raises:
        UsageError: there is no such file, or its tensors do not fit; the first of those that do not are named.
        PellucidError: the file cannot be read without executing code, or not at all.

    Example:
        >>> import tempfile
        >>> network = nn.Linear(2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"state_dict": {"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}}, Path(folder, "w.pt"))
        ...     load_weights(network, Path(folder, "w.pt"))
        >>> network.weight.tolist()
        [[1.0, 1.0]]
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"weights: there is no file {path}")
    state = _unwrapped(_read(path), path)
    _check_fit(network.state_dict(), state, path)
    network.load_state_dict(state, strict=False)


def check_finite(network: nn.Module, name: str) -> None:
    """Refuse a network with a parameter that is not finite, or a buffer that is not a number.

    Buffers may be infinite: attention masks are.

    Raises:
        PellucidError: with the tensor's name.
    """
    for key, parameter in network.named_parameters():
        if not parameter.is_meta and not torch.isfinite(parameter).all():
            raise PellucidError(
                f"the weights of {name} are broken: {key} holds {_bad(parameter)} values that are not finite (NaN or infinite)"
            )
    for key, buffer in network.named_buffers():
        if buffer.is_floating_point() and torch.isnan(buffer).any():
            raise PellucidError(f"the weights of {name} are broken: {key} holds NaN")


def _bad(tensor: Tensor) -> int:
    return int((~torch.isfinite(tensor)).sum())


def _read(path: Path) -> Any:
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipped_or_pickled(path):
            reason = "holds more than tensors, and reading it would execute code"
            raise PellucidError(f"weights: {path} {reason}; save `network.state_dict()`, best as .safetensors") from error
        raise PellucidError(f"weights: {path} is no file of weights") from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise PellucidError(
            f"weights: {path} cannot be read as {'safetensors' if path.suffix == '.safetensors' else 'tensors'}: {reason}"
        ) from error


def zipped_or_pickled(path: Path) -> bool:
    """Whether a file starts as `torch.save` or `pickle` start theirs."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _unwrapped(state: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise PellucidError(f"weights: {path} holds no tensors by name; save `network.state_dict()`")
    named = {str(key): value for key, value in state.items()}
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in named):
            named = {key.removeprefix(prefix): value for key, value in named.items()}
    return named


def _check_fit(wanted: Mapping[str, Any], state: Mapping[str, Tensor], path: Path) -> None:
    # Older files lack the counters of batch normalisation, which nothing reads in evaluation mode.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} ({_shape(value)} for {_shape(wanted[key])})"
        for key, value in state.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    faults = [_listed("missing", missing), _listed("unexpected", unexpected), _listed("of another shape", shapes)]
    if any(faults):
        raise UsageError(f"weights: {path} does not fit: {'; '.join(filter(None, faults))}")


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what} {', '.join(names[:SHOWN])}{more}" if names else ""


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "scalar"
