"""Backward rules for the ReLUs of a graph that autograd has recorded: guided backpropagation and deconvolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from pellucid.errors import UsageError

Rule = Callable[[Tensor, Tensor], Tensor]


def guided(plain: Tensor, incoming: Tensor) -> Tensor:
    """The gradient where the ReLU was open and what comes in is positive (Springenberg et al. 2015, arXiv:1412.6806, section 3.4).

    >>> guided(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([-1.0, 5.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return plain.clamp(min=0)


def deconvolved(plain: Tensor, incoming: Tensor) -> Tensor:
    """What comes in where it is positive, whether the ReLU was open or not (Zeiler & Fergus 2014, arXiv:1311.2901, section 2.1).

    >>> deconvolved(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([-1.0, 5.0, 2.0]))
    tensor([0., 5., 2.])
    """
    return incoming.clamp(min=0)


@contextmanager
def rectified(score: Tensor, rule: Rule) -> Iterator[None]:
    """While inside, gradients of this score pass its ReLUs by another rule than autograd's.

    The ReLUs are found in what autograd recorded, and so however they were written: `torch.relu`, `F.relu`, methods, in-place
    forms, modules, `F.relu6`, `F.hardtanh` from 0, `clamp(min=0)`. What may be a ReLU in disguise, such as `torch.where` or a
    product with a mask, is refused. Everything else keeps its own gradient: max pools send what
    they get back to where their maximum was, as the switches of a deconvnet do.

    Args:
        score: something computed while autograd recorded.
        rule: from autograd's own gradient of a ReLU and what comes in from above to what goes on.

    Raises:
        UsageError: there are activations other than ReLUs, operations with a gradient of their own, or such as write into a
            part of a tensor, for which the rule says nothing.

    Example:
        >>> x = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
        >>> score = (torch.relu(x) * torch.tensor([2.0, -3.0, 4.0])).sum()
        >>> with rectified(score, guided):
        ...     torch.autograd.grad(score, x, retain_graph=True)[0]
        tensor([2., 0., 0.])
        >>> with rectified(score, deconvolved):
        ...     torch.autograd.grad(score, x)[0]
        tensor([2., 0., 4.])
    """
    nodes = list(_graph(score.grad_fn))
    if foreign := sorted({reason for node in nodes if (reason := _foreign(node)) is not None}):
        raise UsageError(f"the rule is for ReLUs, and this network has {', '.join(foreign)}; take another method, such as saliency")
    with ExitStack() as stack:
        for node in filter(_is_relu, nodes):
            handle = node.register_hook(lambda plain, incoming: (rule(plain[0], incoming[0]), *plain[1:]))
            stack.callback(handle.remove)
        yield


def _graph(node: Any) -> Iterator[Any]:
    """Every operation that a gradient can pass, once."""
    waiting, seen = [node], {None}
    while waiting:
        if (node := waiting.pop()) not in seen:
            seen.add(node)
            yield node
            waiting += [earlier for earlier, _ in node.next_functions]


ACTIVATIONS = {
    "Gelu": "GELU",
    "Silu": "SiLU",
    "Elu": "ELU or SELU",
    "Celu": "CELU",
    "LeakyRelu": "leaky ReLU",
    "PreluKernel": "PReLU",
    "RreluWithNoise": "randomised ReLU",
    "Mish": "Mish",
    "Hardswish": "hard swish",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "LogSigmoid": "log-sigmoid",
    "Glu": "gated linear units",
    "Maximum": "torch.maximum",
    "Minimum": "torch.minimum",
    "Where": "torch.where",
    "MaskedFill": "masked_fill",
    "MaskedScatter": "masked_scatter",
    "IndexPut": "writing into a part of a tensor",
    "Abs": "absolute values",
    "Sign": "signs",
    "Threshold": "a threshold other than 0",
    "Clamp": "a clamp that does not begin at 0",
    "ClampMin": "a clamp that does not begin at 0",
    "torch::autograd::CopySlices": "writing in place into a part of a tensor",
    "CompiledFunction": "compiled parts",
}
OURS = "pellucid."  # whose own operations neither rectify nor hide anything that does


def _foreign(node: Any) -> str | None:
    """What there is to say against an operation; None where the rule holds."""
    name = _kind(node)
    if _is_relu(node):
        return None
    if name == "Mul" and _masks(node):
        return "products with masks"
    if name in ("Sigmoid", "Hardsigmoid"):  # as a gate of one number a channel it weighs; at every position it is an activation
        shape = node._saved_result.shape if name == "Sigmoid" else node._saved_self.shape
        return "sigmoids at every position" if len(shape) == 4 and shape[2:].numel() > 1 else None
    if name == "Hardtanh":
        return "hardtanh that does not begin at 0"
    if name == "Clamp" and node._saved_min is None:  # from above only, as the second half of a ReLU6
        return None
    if isinstance(node, torch.autograd.function.BackwardCFunction) and not _maker(node).startswith(OURS):
        return f"an operation with a gradient of its own ({name})"
    return ACTIVATIONS.get(name) or ("compiled parts" if "DifferentiableGraph" in name else None)


def _maker(node: Any) -> str:
    return type(node)._forward_cls.__module__  # an operation's class is torch's own, and knows the class that it was made from


def _is_relu(node: Any) -> bool:
    name = _kind(node)
    if name in ("Clamp", "ClampMin"):
        return node._saved_min is not None and bool(torch.as_tensor(node._saved_min == 0).all())
    if name == "Hardtanh":
        return node._saved_min_val == 0
    return name == "Relu" or (name == "Threshold" and node._saved_threshold == 0)


def _masks(node: Any) -> bool:
    """Whether a product's other factor has no gradient and one of two values for each of what it multiplies, as (x > 0) has."""
    factors = [each for each in (node._saved_self, node._saved_other) if each is not None]
    if len(factors) != 1 or list(factors[0].shape) != list(node._input_metadata[0].shape):
        return False
    return bool(((factors[0] == factors[0].amin()) | (factors[0] == factors[0].amax())).all()) and factors[0].numel() > 1


def _kind(node: Any) -> str:
    """An operation's name without what autograd puts behind it: `ReluBackward0` is `Relu`."""
    return node.name().rpartition("Backward")[0] or node.name()
