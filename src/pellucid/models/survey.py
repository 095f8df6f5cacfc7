"""One dry run of a network: which places it has, and how each one's output becomes a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import UsageError
from pellucid.models.grids import USUAL_PREFIXES, Form, nearest_grid
from pellucid.models.network import held_still, listening, logits_of, tensor_of
from pellucid.models.receptive import ReceptiveField
from pellucid.models.rules import Trace
from pellucid.models.trace import Tracer


@dataclass(frozen=True)
class Place:
    """Where a map comes from: a named module, how often it runs, what its last run returned."""

    name: str
    kind: str
    calls: int
    channels: int
    form: Form
    receptive_field: ReceptiveField | None


@dataclass
class _Heard:
    calls: int = 0
    shape: tuple[int, ...] = ()
    trace: Trace | None = None


@dataclass(frozen=True)
class Survey:
    """What a run of a network shows: the places in the order in which they finish, how many outputs there are (0 where it gives no
    scores), and the names of the functions of torch that were given the pictures themselves."""

    places: dict[str, Place]
    outputs: int
    takers: frozenset[str]


def survey(network: nn.Module, inputs: Tensor) -> Survey:
    """Run the network once on two pictures.

    Two, because a second one tells the batch from other axes of length one.

    Args:
        network: held still meanwhile.
        inputs: two pictures as the network wants them.

    Raises:
        UsageError: the network does not run on such pictures.
    """
    heard: dict[str, _Heard] = {}
    modules = {name: module for name, module in network.named_modules() if name}
    tracer = Tracer()
    listeners = {name: _listener(name, heard, tracer) for name in modules}
    with torch.no_grad(), held_still(network), listening(network, listeners), tracer:
        try:
            scores = logits_of(network(tracer.follow(inputs)))
        except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
            raise UsageError(_no_run(network, inputs, error)) from error
    picture = (inputs.shape[2], inputs.shape[3])
    forms = {name: form for name, each in heard.items() if (form := _form(each, picture, len(inputs), tracer, network)) is not None}
    places = {name: _place(name, modules[name], heard[name], form) for name, form in forms.items()}
    outputs = 0 if scores is None or len(scores) != len(inputs) else scores.shape[1]
    return Survey(places, outputs, frozenset(tracer.takers))


def _listener(name: str, heard: dict[str, _Heard], tracer: Tracer) -> Callable[[Any], None]:
    def listen(output: Any) -> None:
        if (tensor := tensor_of(output)) is None or not tensor.is_floating_point():
            return
        earlier = heard.pop(name, _Heard())  # so that the last run decides about the order
        heard[name] = _Heard(earlier.calls + 1, tuple(tensor.shape), tracer.of(tensor))

    return listen


def _place(name: str, module: nn.Module, heard: _Heard, form: Form) -> Place:
    field = heard.trace.field if heard.trace is not None and len(heard.shape) > 2 else None
    return Place(name, type(module).__name__, heard.calls, heard.shape[form.axis], form, field and field.public())


def _form(heard: _Heard, picture: tuple[int, int], batch: int, tracer: Tracer, network: nn.Module) -> Form | None:
    shape, trace = heard.shape, heard.trace
    if len(shape) not in (2, 3, 4) or shape[0] != batch:
        return None
    if len(shape) == 2:
        return Form(1, (1, 1), picture)
    if len(shape) == 4:
        axis = _map_axis(shape, trace, tracer.grids)
        grid = {1: shape[2:], 3: shape[1:3]}.get(axis) if axis else None
        return Form(axis, (grid[0], grid[1]), picture) if axis and grid else None
    axis = 2 if trace is None or trace.axis is None else trace.axis
    return _token_form(axis, shape[3 - axis], picture, trace, tracer, network)


def _map_axis(shape: tuple[int, ...], trace: Trace | None, grids: set[tuple[int, int]]) -> int | None:
    """Where the channels are; where they were lost (attention weights look like maps), only a grid seen elsewhere makes a map."""
    if trace is None or trace.axis is not None:
        return 1 if trace is None else trace.axis
    return 1 if shape[2:] in grids else 3 if shape[1:3] in grids else None


def _token_form(
    axis: int, tokens: int, picture: tuple[int, int], trace: Trace | None, tracer: Tracer, network: nn.Module
) -> Form | None:
    if trace is None or trace.grid is None:
        trace = tracer.tokens.get(tokens)
    if trace is not None and trace.grid is not None:
        return Form(axis, trace.grid, picture, trace.prefix, tokens - trace.grid[0] * trace.grid[1])
    declared = getattr(network, "num_prefix_tokens", None)  # timm's
    for prefix in USUAL_PREFIXES if declared is None else (declared, 0):
        if tokens > prefix and (grid := nearest_grid(tokens - prefix, picture)) is not None:
            return Form(axis, grid, picture, prefix, prefix)
    return None


def _no_run(network: nn.Module, inputs: Tensor, error: Exception) -> str:
    _, channels, height, width = inputs.shape
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    pictures = f"pictures of {channels} channels, {height} × {width}"
    return f"{type(network).__name__} does not run on {pictures}: {reason}; give channels= and size= that suit it"
