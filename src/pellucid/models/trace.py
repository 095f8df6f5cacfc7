"""Follow channels, token grids and receptive fields through whatever a network executes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from pellucid.models.receptive import Field
from pellucid.models.rules import LOST, Trace, traced


class Tracer(TorchFunctionMode):
    """While active, keeps a `Trace` for every tensor that the network computes from the picture.

    Example:
        >>> with Tracer() as tracer:
        ...     images = tracer.follow(torch.zeros(2, 3, 8, 8))
        ...     maps = torch.nn.functional.max_pool2d(images, 2)
        >>> tracer.of(maps).field.public().size
        (2, 2)
    """

    def __init__(self) -> None:
        super().__init__()
        self.traces: Any = WeakIdKeyDictionary()
        self.grids: set[tuple[int, int]] = set()
        self.tokens: dict[int, Trace] = {}
        self.batch = 0
        self.images: Tensor | None = None
        self.takers: set[str] = set()  # the functions that were given the pictures themselves

    def follow(self, images: Tensor) -> Tensor:
        """Start from these pictures, `n c h w`."""
        self.images, self.batch = images, images.shape[0]
        self._note(images, Trace(1, Field()))
        return images

    def of(self, tensor: Tensor) -> Trace | None:
        """What is known of a tensor; None if it was never seen."""
        return self.traces.get(tensor)

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        inputs = list(_tensors((args, kwargs)))
        before = [self._input(tensor) for tensor in inputs]
        if any(tensor is self.images for tensor in inputs):
            self.takers.add(_name(func))
        output = func(*args, **kwargs)
        known = [(tensor, trace) for tensor, trace in zip(inputs, before, strict=True) if trace is not None]
        if known:
            name = _name(func)
            self._assignment(name, args)
            for result in _tensors(output):
                self._note(result, traced(name, args, kwargs, known, result))
        return output

    def _input(self, tensor: Tensor) -> Trace | None:
        """Parameters and constants count as nothing; what was never seen and is as long as the batch may depend on the picture."""
        trace = self.traces.get(tensor)
        suspicious = (
            trace is None and tensor.ndim >= 2 and tensor.shape[0] == self.batch and not isinstance(tensor, torch.nn.Parameter)
        )
        return LOST if suspicious else trace

    def _assignment(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "setitem" and (trace := self.traces.get(args[0])) is not None:
            self._note(args[0], replace(trace, field=None))

    def _note(self, tensor: Tensor, trace: Trace) -> None:
        self.traces[tensor] = trace
        if tensor.ndim == 4 and trace.axis in (1, 3):
            self.grids.add((tensor.shape[2], tensor.shape[3]) if trace.axis == 1 else (tensor.shape[1], tensor.shape[2]))
        if tensor.ndim == 3 and trace.axis is not None and trace.grid is not None:
            self.tokens[tensor.shape[3 - trace.axis]] = trace


def _name(func: Any) -> str:
    name = getattr(func, "__name__", "")
    if name == "__get__":  # of a property
        name = getattr(getattr(func, "__self__", None), "__name__", "")
    return name.strip("_")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
