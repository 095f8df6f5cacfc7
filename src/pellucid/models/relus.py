"""Gradients of ReLUs other than autograd's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@contextmanager
def redirected_relu() -> Iterator[None]:
    """Let gradients through the ReLUs that would block all of them, so that dead starts move.

    Where the ordinary gradient of a ReLU or ReLU6 is zero everywhere in one picture, that picture's gradient passes, except
    where following it would push a blocked value still further out. Forward results stay the same bits. For losses that are
    minimised (`loss = -score`). As in Lucid's `redirected_relu_grad` (Olah, Mordvintsev & Schubert, "Feature Visualization",
    Distill 2017).

    Covers `torch.relu`, `F.relu`, `F.relu6`, `F.hardtanh`, the methods and the in-place forms, and so the modules that use them.

    Example:
        >>> x = torch.tensor([[-1.0]], requires_grad=True)
        >>> with redirected_relu():
        ...     (-torch.relu(x).sum()).backward()
        >>> x.grad
        tensor([[-1.]])
    """
    before = _redirecting.set(True)
    try:
        with _Redirect():
            yield
    finally:
        _redirecting.reset(before)


_redirecting = ContextVar("redirecting", default=False)


def redirecting() -> bool:
    """Whether gradients are redirected here and now, so that ReLUs have to be torch's own.

    >>> with redirected_relu():
    ...     redirecting()
    True
    """
    return _redirecting.get()


REDIRECTED = frozenset((torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu, F.relu6, F.hardtanh, F.hardtanh_))
# What autograd calls their gradients. Where one works in place on a view, its node has another name, and stays plain.
NODES = frozenset(("ReluBackward0", "HardtanhBackward0"))


class _Redirect(TorchFunctionMode):
    """Runs everything as it is and puts a hook on the nodes of those functions in autograd's graph."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in REDIRECTED and output.grad_fn is not None and output.grad_fn.name() in NODES:
            high = output == output.new_tensor(_upper(func, args, kwargs or {})) if "Hardtanh" in output.grad_fn.name() else None
            output.grad_fn.register_hook(lambda plain, incoming: _redirected(plain[0], incoming[0], high))
        return output


def _upper(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    return 6.0 if func is F.relu6 else kwargs.get("max_val", args[2] if len(args) > 2 else 1.0)


def _redirected(plain: Tensor, incoming: Tensor, high: Tensor | None) -> tuple[Tensor] | None:
    """The gradient of a ReLU in place of autograd's, or None where no picture's is blocked.

    In a blocked picture, whatever came in came in at blocked values, so only their side has to be known.
    """
    rest = tuple(range(1, plain.ndim))
    if not rest or (plain.sum(rest) != 0).all():  # cheap, and nearly always enough
        return None
    blocked = (plain.amax(rest, keepdim=True) == 0) & (plain.amin(rest, keepdim=True) == 0)
    upward = incoming.clamp(max=0)  # descending a negative gradient raises the value
    inward = upward if high is None else torch.where(high, incoming.clamp(min=0), upward)
    return (torch.where(blocked, inward, plain),)
