"""Hold a user's network still, listen to it, and leave it as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

Listener = Callable[[Any], Any]


class Stop(BaseException):
    """Ends a forward pass early; no `except Exception` in a network swallows it."""


@dataclass
class _Held:
    users: int
    modes: list[tuple[nn.Module, bool]]
    gradients: list[tuple[nn.Parameter, bool]]


_held: WeakKeyDictionary[nn.Module, _Held] = WeakKeyDictionary()
_lock = threading.Lock()


@contextmanager
def held_still(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and parameters without gradients while inside; the last one out restores what was.

    Flags are set directly: some networks override `train()` to do more than set flags.

    Args:
        network: any module; may be held by several threads, and again by who holds it already.

    Example:
        >>> network = nn.Sequential(nn.Dropout(), nn.Linear(2, 2))
        >>> with held_still(network):
        ...     network.training, network[1].weight.requires_grad
        (False, False)
        >>> network.training, network[1].weight.requires_grad
        (True, True)
    """
    with _lock:
        if (held := _held.get(network)) is None:
            held = _held[network] = _Held(0, _modes(network), _gradients(network))
        held.users += 1
    try:
        yield
    finally:
        with _lock:
            held.users -= 1
            if not held.users:
                del _held[network]
                _restore(held)


def _modes(network: nn.Module) -> list[tuple[nn.Module, bool]]:
    modes = [(module, module.training) for module in network.modules()]
    for module, mode in modes:
        if mode:  # a module takes its time over being assigned to
            module.training = False
    return modes


def _gradients(network: nn.Module) -> list[tuple[nn.Parameter, bool]]:
    gradients = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    for parameter, wanted in gradients:
        if wanted:
            parameter.requires_grad_(False)
    return gradients


def _restore(held: _Held) -> None:
    for module, mode in held.modes:
        if module.training != mode:
            module.training = mode
    for parameter, wanted in held.gradients:
        if wanted:
            parameter.requires_grad_(True)


@contextmanager
def listening(network: nn.Module, listeners: Mapping[str, Listener]) -> Iterator[None]:
    """Call a listener with the output of each named module; what it returns, unless None, replaces the output.

    Args:
        network: any module; its own hooks run before the listeners and stay.
        listeners: from a module's dotted name to a function of its output. It may raise `Stop`, which ends the block.

    Example:
        >>> import torch
        >>> network, heard = nn.Sequential(nn.Identity(), nn.ReLU()), []
        >>> with listening(network, {"1": heard.append}):
        ...     _ = network(torch.tensor([-1.0, 2.0]))
        >>> heard
        [tensor([0., 2.])]
    """
    with ExitStack() as stack:
        for name, listener in listeners.items():
            handle = network.get_submodule(name).register_forward_hook(_hook(listener))
            stack.callback(handle.remove)
        try:
            yield
        except Stop:
            return


def _hook(listener: Listener) -> Callable[[nn.Module, Any, Any], Any]:
    return lambda _module, _inputs, output: listener(output)


def tensor_of(output: Any) -> Tensor | None:
    """The first tensor in what a module returned: itself, or the first in a tuple, list or mapping.

    >>> tensor_of((None, [nn.Parameter()])).shape
    torch.Size([0])
    """
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return next((tensor for part in parts if (tensor := tensor_of(part)) is not None), None)


def with_tensor(output: Any, tensor: Tensor) -> Any:
    """What a module returned, with its first tensor replaced.

    >>> import torch
    >>> with_tensor((torch.zeros(1), 5), torch.ones(1))
    (tensor([1.]), 5)
    """
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, Mapping):
        key = next(key for key, part in output.items() if tensor_of(part) is not None)
        return type(output)({**output, key: with_tensor(output[key], tensor)})  # pyright: ignore[reportCallIssue]
    parts = list(output)
    index = next(index for index, part in enumerate(parts) if tensor_of(part) is not None)
    parts[index] = with_tensor(parts[index], tensor)
    return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)


def logits_of(output: Any) -> Tensor | None:
    """The scores `n k` in what a network returned; scores at many positions are averaged over them.

    Understood are a tensor, an object or mapping with `logits` (Hugging Face) or `out` (torchvision's segmentation), and the
    first tensor of anything else.
    """
    for key in ("logits", "out"):
        part = output.get(key) if isinstance(output, Mapping) else getattr(output, key, None)
        output = part if isinstance(part, Tensor) else output
    tensor = tensor_of(output)
    if tensor is None or tensor.ndim not in (1, 2, 4):
        return None
    return tensor.mean((2, 3)) if tensor.ndim == 4 else tensor[:, None] if tensor.ndim == 1 else tensor
