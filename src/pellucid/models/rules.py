"""What each of torch's functions does to channels, token grids and receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pellucid.models.receptive import Field, pair, same_padding, union

_POINTWISE = """
    relu relu6 hardtanh sigmoid tanh silu gelu elu selu celu leaky_relu prelu rrelu mish hardswish hardsigmoid softplus
    softsign logsigmoid threshold hardshrink softshrink tanhshrink dropout dropout2d alpha_dropout feature_dropout
    feature_alpha_dropout batch_norm local_response_norm add sub rsub mul div true_divide pow square sqrt rsqrt abs neg exp
    log log1p erf clamp clamp_min clamp_max maximum minimum where lerp addcmul radd rmul iadd isub imul itruediv truediv
    contiguous clone detach to float half bfloat16 type type_as requires_grad nan_to_num
"""
_RESAMPLERS = """
    interpolate upsample grid_sample pixel_shuffle pixel_unshuffle conv_transpose2d lp_pool2d fractional_max_pool2d
    max_unpool2d adaptive_avg_pool2d adaptive_max_pool2d group_norm instance_norm
"""
POINTWISE = frozenset(_POINTWISE.split())  # each output value comes from the input values at the same place
RESAMPLERS = frozenset(_RESAMPLERS.split())  # maps whose positions are no longer a regular window on the input's


@dataclass(frozen=True)
class Trace:
    """What is known of one tensor that depends on the picture.

    Attributes:
        axis: of the channels; None where it was lost.
        field: of its positions; None where a position sees the whole picture or nobody knows.
        grid: rows and columns of its tokens, where it holds tokens.
        prefix: tokens before the grid.
    """

    axis: int | None = None
    field: Field | None = None
    grid: tuple[int, int] | None = None
    prefix: int = 0


LOST = Trace()
Known = list[tuple[Tensor, Trace]]


def traced(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], known: Known, output: Tensor) -> Trace:
    """What is known of an output of the function `name`, from what is known of its inputs."""
    if name in RULES:
        source, trace = known[0]
        if (found := RULES[name](_Call(args, kwargs, source, trace, known, output))) is not None:
            return found
    if name in RESAMPLERS and output.ndim == 4:
        return Trace(1)
    return _usual(name, known, output)


def _usual(name: str, known: Known, output: Tensor) -> Trace:
    """Without a rule, channels stay where an input of as many axes and channels has them; only pointwise functions keep fields."""
    alike = [
        trace
        for tensor, trace in known
        if trace.axis is not None and tensor.ndim == output.ndim and tensor.shape[trace.axis] == output.shape[trace.axis]
    ]
    same = [trace for tensor, trace in known if tensor.shape == output.shape]
    field = union(trace.field for trace in same) if name in POINTWISE and len(same) == len(known) else None
    if not alike:
        return Trace(None, field)
    tokens = next((trace for trace in same if trace.grid is not None), LOST)
    return Trace(alike[0].axis, field, tokens.grid, tokens.prefix)


@dataclass(frozen=True)
class _Call:
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    source: Tensor
    trace: Trace
    known: Known
    output: Tensor

    def get(self, place: int, name: str, default: Any) -> Any:
        value = self.args[place] if len(self.args) > place else self.kwargs.get(name, default)
        return default if value is None else value

    def is_channels(self, axis: int) -> bool:
        return self.trace.axis is not None and axis % self.source.ndim == self.trace.axis

    def spatial(self) -> bool:
        return self.trace.axis == 1 and self.source.ndim == 4 and self.trace.field is not None


def _convolution(call: _Call) -> Trace:
    weight = call.get(1, "weight", None)
    if not call.spatial() or weight.ndim != 4 or len(call.known) > 1:
        return Trace(1)
    size, dilation = (weight.shape[2], weight.shape[3]), pair(call.get(5, "dilation", 1))
    padding = call.get(4, "padding", 0)
    if isinstance(padding, str):
        padding = (0, 0) if padding == "valid" else tuple(map(same_padding, size, dilation))
    assert call.trace.field is not None
    return Trace(1, call.trace.field.window(size, call.get(3, "stride", 1), padding, dilation))


def _max_pool(call: _Call) -> Trace:
    return _pool(call, call.get(4, "dilation", 1))


def _average_pool(call: _Call) -> Trace:
    return _pool(call, 1)


def _pool(call: _Call, dilation: Any) -> Trace:
    if not call.spatial():
        return Trace(1)
    size = call.get(1, "kernel_size", 1)
    stride = call.get(2, "stride", ()) or size
    assert call.trace.field is not None
    return Trace(1, call.trace.field.window(size, stride, call.get(3, "padding", 0), dilation))


def _linear(call: _Call) -> Trace:
    last = call.source.ndim - 1
    if call.trace.axis == last:
        return replace(call.trace, field=call.trace.field if last > 1 else None)
    if call.trace.axis is not None:  # it mixes positions, not channels
        return Trace(call.trace.axis)
    return Trace(last) if last < 3 else LOST


def _layer_norm(call: _Call) -> Trace:
    shape = call.get(1, "normalized_shape", ())
    axes = len(shape) if isinstance(shape, tuple | list) else 1
    over_channels = axes == 1 and call.trace.axis == call.source.ndim - 1
    return call.trace if over_channels else replace(call.trace, field=None)


def _softmax(call: _Call) -> Trace:
    axis = call.get(1, "dim", None)
    return replace(call.trace, field=call.trace.field if axis is not None and call.is_channels(axis) else None)


def _topk(call: _Call) -> Trace | None:
    return _choice(call, call.get(2, "dim", -1))


def _scatter(call: _Call) -> Trace | None:
    return _choice(call, call.get(1, "dim", 0))


def _choice(call: _Call, axis: int) -> Trace | None:
    return replace(call.trace, field=union(trace.field for _, trace in call.known)) if call.is_channels(axis) else None


def _pad(call: _Call) -> Trace | None:
    padding, mode = list(call.get(1, "pad", ())), call.get(2, "mode", "constant")
    if call.trace.axis not in (1, 3) or call.source.ndim != 4 or call.trace.field is None or mode == "circular":
        return None
    befores = [*padding[0::2], 0, 0, 0, 0][:4][::-1]  # of the axes n, ., ., .
    rows, columns = (2, 3) if call.trace.axis == 1 else (1, 2)
    if befores[call.trace.axis]:
        return None
    return replace(call.trace, field=call.trace.field.cropped(-befores[rows], -befores[columns]))


def _concatenate(call: _Call) -> Trace | None:
    axis = call.get(1, "dim", 0) % call.output.ndim
    parts = call.get(0, "tensors", ())
    traces = {id(tensor): trace for tensor, trace in call.known}
    if all(trace.axis == axis for trace in traces.values()):  # of channels
        return Trace(
            axis,
            union(traces[id(part)].field if id(part) in traces else None for part in parts),
            call.trace.grid,
            call.trace.prefix,
        )
    first = next((i for i, part in enumerate(parts) if id(part) in traces and traces[id(part)].grid is not None), None)
    if call.output.ndim != 3 or first is None or (trace := traces[id(parts[first])]).axis == axis:
        return None
    return replace(trace, prefix=trace.prefix + sum(part.shape[axis] for part in parts[:first]))  # class tokens before the grid


def _permute(call: _Call) -> Trace | None:
    order = call.args[1:] or (call.kwargs.get("dims", ()),)
    order = order[0] if isinstance(order[0], tuple | list) else order
    return _reordered(call, [axis % call.source.ndim for axis in order])


def _transpose(call: _Call) -> Trace | None:
    return _exchanged(call, call.get(1, "dim0", 0), call.get(2, "dim1", 1))


def _move(call: _Call) -> Trace | None:
    source, destination = call.get(1, "source", ()), call.get(2, "destination", ())
    if not (isinstance(source, int) and isinstance(destination, int)):
        return None
    order = list(range(call.source.ndim))
    order.insert(destination % len(order), order.pop(source))
    return _reordered(call, order)


def _matrix_transpose(call: _Call) -> Trace | None:
    return _exchanged(call, -2, -1)


def _exchanged(call: _Call, first: int, second: int) -> Trace | None:
    order = list(range(call.source.ndim))
    order[first], order[second] = order[second], order[first]
    return _reordered(call, order)


def _reordered(call: _Call, order: list[int]) -> Trace | None:
    trace, last = call.trace, call.source.ndim - 1
    if trace.axis is None:
        shuffled = order[0] == 0 and order[-2:] == [last - 1, last]
        return trace if shuffled else LOST
    rest = [axis for axis in order if axis != trace.axis]
    upright = rest == sorted(rest)  # batch, rows and columns still in this order
    moved = replace(trace, axis=order.index(trace.axis))
    return moved if upright else Trace(moved.axis)


def _reshape(call: _Call) -> Trace | None:
    """Channels are followed while they stay the last axis, or the first after the batch, or are only dealt out and gathered."""
    before, after, trace = call.source.shape, call.output.shape, call.trace
    if before == after:
        return trace
    if len(after) < 2:
        return LOST
    if trace.axis == len(before) - 1 and before[-1] == after[-1]:
        axis, cells, positions = len(after) - 1, before[1:-1], after[1:-1]
    elif trace.axis == 1 and before[:2] == after[:2]:
        axis, cells, positions = 1, before[2:], after[2:]
    else:
        return _dealt(before, after, trace)
    if before[0] != after[0]:
        return Trace(axis)
    return _moved_positions(Trace(axis, trace.field), trace.grid, tuple(cells), tuple(positions))


def _moved_positions(trace: Trace, grid: tuple[int, int] | None, cells: tuple[int, ...], positions: tuple[int, ...]) -> Trace:
    if len(cells) == 2 and len(positions) == 1:  # a map becomes tokens
        return replace(trace, grid=(cells[0], cells[1]))
    if len(positions) == 2 and positions == grid:  # tokens become their map again
        return trace
    return LOST if len(cells) == len(positions) == 2 else Trace(trace.axis)


def _dealt(before: torch.Size, after: torch.Size, trace: Trace) -> Trace:
    """Channels of a map dealt out to several axes, or gathered from them, as in a shuffle: the positions stay where they are."""
    if before[0] != after[0] or before[-2:] != after[-2:] or trace.field is None or len({4, 5} & {len(before), len(after)}) < 2:
        return LOST
    return Trace(1 if len(after) == 4 else None, trace.field) if trace.axis in (1, None) else LOST


def _index(call: _Call) -> Trace | None:
    """Slices of maps are followed; whatever else is picked out only keeps its channels where they obviously stay."""
    index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if Ellipsis in [part for part in index if not isinstance(part, Tensor)] or not all(isinstance(part, slice) for part in index):
        return None
    if call.source.ndim != 4 or call.trace.axis not in (1, 3):
        return None
    rows, columns = (2, 3) if call.trace.axis == 1 else (1, 2)
    slices = [*index, *[slice(None)] * (4 - len(index))]
    (top, _, down), (left, _, right) = (slices[axis].indices(call.source.shape[axis]) for axis in (rows, columns))
    return replace(call.trace, field=call.trace.field and call.trace.field.cropped(top, left).thinned(down, right))


def _split(call: _Call) -> Trace | None:
    name = "dim" if call.kwargs.get("dim") is not None else "axis"
    axis = call.get(2, name, 0) % call.source.ndim
    return call.trace if axis == call.trace.axis else None


def _mean(call: _Call) -> Trace | None:
    return Trace(1) if call.output.ndim == 2 and call.output.shape[0] == call.source.shape[0] else None


RULES: dict[str, Callable[[_Call], Trace | None]] = {
    "conv2d": _convolution,
    "max_pool2d": _max_pool,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _average_pool,
    "linear": _linear,
    "layer_norm": _layer_norm,
    "rms_norm": _layer_norm,
    "softmax": _softmax,
    "topk": _topk,
    "scatter": _scatter,
    "pad": _pad,
    "cat": _concatenate,
    "concat": _concatenate,
    "concatenate": _concatenate,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "swapdims": _transpose,
    "movedim": _move,
    "moveaxis": _move,
    "mT": _matrix_transpose,
    "adjoint": _matrix_transpose,
    "reshape": _reshape,
    "view": _reshape,
    "flatten": _reshape,
    "unflatten": _reshape,
    "getitem": _index,
    "chunk": _split,
    "split": _split,
    "tensor_split": _split,
    "mean": _mean,
}
