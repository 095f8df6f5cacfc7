"""What a picture should excite: functions from activations to one score per picture, always to be maximised.

Objectives add, subtract and scale: `0.2 * channel("mixed4a", 20) + 0.8 * channel("mixed4a", 21)`. They know no network; `layers`
tells who evaluates them what to capture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import OUTPUT, Model

Activations = Mapping[str, Tensor]
Position = Literal["centre"] | tuple[int, int]

SUM, PRODUCT, ATOM = range(3)  # how tightly a name binds: a sum inside a product needs brackets


@dataclass(frozen=True, repr=False)
class Objective:
    """A score per picture, to be maximised.

    Args:
        name: how it is written, which is also its `repr`.
        layers: names of the layers whose activations it reads.
        function: from {layer: activations n c h w} to scores n.
        placed: whether it reads a fixed (row, col), which means the same only in pictures of the model's own size.
        binding: how tightly the name binds: SUM, PRODUCT or ATOM.

    >>> 0.2 * channel("mixed4a", 20) - (channel("conv1", 3) + 1)
    0.2 * channel('mixed4a', 20) - (channel('conv1', 3) + 1)
    >>> total = sum([channel("mixed4a", 0), -channel("mixed4a", 1)])
    >>> total({"mixed4a": torch.tensor([[[[5.0]], [[3.0]]]])})
    tensor([2.])
    """

    name: str
    layers: frozenset[str]
    function: Callable[[Activations], Float[Tensor, " n"]]
    placed: bool = False
    binding: int = ATOM

    def __call__(self, activations: Activations) -> Float[Tensor, " n"]:
        return self.function(activations)

    def __repr__(self) -> str:
        return self.name

    def __add__(self, other: Objective | float) -> Objective:
        return _combine(self, "+", other, lambda a, b: a + b)

    def __radd__(self, other: float) -> Objective:
        return self if other == 0 else _combine(other, "+", self, lambda a, b: a + b)  # sum() starts from 0

    def __sub__(self, other: Objective | float) -> Objective:
        return _combine(self, "-", other, lambda a, b: a - b)

    def __rsub__(self, other: float) -> Objective:
        return _combine(other, "-", self, lambda a, b: a - b)

    def __mul__(self, other: Objective | float) -> Objective:
        return _combine(self, "*", other, lambda a, b: a * b)

    def __rmul__(self, other: float) -> Objective:
        return _combine(other, "*", self, lambda a, b: a * b)

    def __neg__(self) -> Objective:
        return Objective(f"-{_inside(self, ATOM)}", self.layers, lambda seen: -self(seen), self.placed, PRODUCT)


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel over all positions.

    >>> channel("conv1", 1)({"conv1": torch.tensor([[[[0.0, 0.0]], [[1.0, 3.0]]]])})
    tensor([2.])
    """
    return Objective(f"channel({layer!r}, {index})", frozenset({layer}), lambda seen: _maps(seen, layer, index).mean((1, 2)))


def neuron(layer: str, channel: int, *, row: int | None = None, col: int | None = None) -> Objective:
    """One channel at one position, the centre where none is given.

    Args:
        layer: name of the layer.
        channel: index of the channel.
        row: from 0 at the top; None for the middle row.
        col: from 0 at the left; None for the middle column.

    Raises:
        UsageError: the position lies outside the map (when it is evaluated).

    >>> neuron("conv1", 0, row=0, col=1)({"conv1": torch.tensor([[[[5.0, 7.0]]]])})
    tensor([7.])
    """
    place = "".join(f", {axis}={value}" for axis, value in (("row", row), ("col", col)) if value is not None)

    def score(seen: Activations) -> Float[Tensor, " n"]:
        maps = _maps(seen, layer, channel)
        return _at(maps, layer, maps.shape[1] // 2 if row is None else row, maps.shape[2] // 2 if col is None else col)

    return Objective(f"neuron({layer!r}, {channel}{place})", frozenset({layer}), score, placed=bool(place))


def direction(layer: str, vector: Float[Tensor, " c"], *, cosine_power: float = 0.0, position: Position | None = None) -> Objective:
    """The length of the activation vector along a direction, times a power of the cosine between the two.

    The score at a position is dot * max(0.1, cos)^p with dot = a·v / |v| (Carter et al. 2019, Activation Atlas, "Aggregating
    multiple images"; the floor as in lucid's `_dot_cossim`: without it a negative dot times a negative cosine looks good).

    Args:
        layer: name of the layer.
        vector: one number per channel; its length does not matter.
        cosine_power: 0 takes the strongest picture, 1 to 4 ever purer ones.
        position: None for the mean over all positions, "centre", or (row, col).

    Raises:
        UsageError: the vector is zero, or has another length than the layer has channels (when it is evaluated).

    >>> direction("conv1", torch.tensor([3.0, 4.0]), position="centre")({"conv1": torch.ones(1, 2, 3, 3)})
    tensor([1.4000])
    """
    unit = torch.as_tensor(vector, dtype=torch.float32).flatten()
    if not unit.norm() > 0:
        raise UsageError(f"the direction in layer {layer!r} is zero or not a number")
    unit = unit / unit.norm()

    def score(seen: Activations) -> Float[Tensor, " n"]:
        maps = seen[layer]
        if maps.shape[1] != len(unit):
            raise UsageError(f"the direction has {len(unit)} numbers, layer {layer!r} has {maps.shape[1]} channels")
        if position is not None:
            row, col = (maps.shape[2] // 2, maps.shape[3] // 2) if position == "centre" else position
            maps = _at(maps, layer, row, col)[:, :, None, None]
        dot = torch.einsum("nchw,c->nhw", maps, unit.to(maps))
        if cosine_power:
            dot = dot * (dot / (maps.norm(dim=1) + 1e-4)).clamp(min=0.1) ** cosine_power
        return dot.mean((1, 2))

    power = f", cosine_power={cosine_power:g}" if cosine_power else ""
    place = f", position={position!r}" if position is not None else ""
    digest = hashlib.sha256(unit.numpy().tobytes()).hexdigest()[:8]
    name = f"direction({layer!r}, <{len(unit)} numbers {digest}>{power}{place})"
    return Objective(name, frozenset({layer}), score, placed=isinstance(position, tuple))


def logit(index: int) -> Objective:
    """The network's output for one class, before any softmax: a probability also rises by silencing the other classes.

    >>> logit(1)({"logits": torch.tensor([[[[0.5]], [[2.0]]]])})
    tensor([2.])
    """
    return Objective(f"logit({index})", frozenset({OUTPUT}), lambda seen: _maps(seen, OUTPUT, index).mean((1, 2)))


def parse_unit(text: str, model: Model) -> Objective:
    """The objective of a unit: `layer:channel`, `layer:channel@row,col` or `class:name`, checked against the model.

    Args:
        text: the unit; a class is given by its name or its index, a position counts on the map of a picture of the model's size.
        model: the network it belongs to.

    Raises:
        NotFoundError: no such layer or class; the message has the nearest names.
        UsageError: it is not written like a unit, or the channel or position is out of range.
    """
    name, colon, unit = text.rpartition(":")
    if text.startswith("class:"):
        return logit(model.class_index(text.removeprefix("class:")))
    index, at, place = unit.partition("@")
    numbers = [index, *place.split(",")] if at else [index]
    if not colon or len(numbers) not in (1, 3) or not all(number.strip().isdecimal() for number in numbers):
        raise UsageError(f"{text!r} is not a unit; write layer:channel, layer:channel@row,col or class:name")
    layer, (number, *position) = model.layer(name), map(int, numbers)
    if number >= layer.channels:
        raise UsageError(f"layer {name!r} has the channels 0 to {layer.channels - 1}, not {number}")
    if not position:
        return channel(name, number)
    row, col = position
    if row >= layer.height or col >= layer.width:
        raise UsageError(f"layer {name!r} has {layer.height} rows and {layer.width} columns; ({row}, {col}) lies outside")
    return neuron(name, number, row=row, col=col)


def _maps(seen: Activations, layer: str, index: int) -> Float[Tensor, "n h w"]:
    channels = seen[layer].shape[1]
    if not 0 <= index < channels:
        raise UsageError(f"layer {layer!r} has the channels 0 to {channels - 1}, not {index}")
    return seen[layer][:, index]


def _at(maps: Tensor, layer: str, row: int, col: int) -> Tensor:
    height, width = maps.shape[-2:]
    if not (0 <= row < height and 0 <= col < width):
        raise UsageError(f"layer {layer!r} has {height} rows and {width} columns here; ({row}, {col}) lies outside")
    return maps[..., row, col]


def _combine(
    left: Objective | float, sign: str, right: Objective | float, function: Callable[[Tensor, Tensor], Tensor]
) -> Objective:
    if not isinstance(left, Objective | int | float) or not isinstance(right, Objective | int | float):
        return NotImplemented
    a, b = _objective(left), _objective(right)
    binding = PRODUCT if sign == "*" else SUM
    return Objective(
        f"{_inside(a, binding)} {sign} {_inside(b, binding + 1)}",
        a.layers | b.layers,
        lambda seen: function(a.function(seen), b.function(seen)),
        a.placed or b.placed,
        binding,
    )


def _objective(value: Objective | float) -> Objective:
    if isinstance(value, Objective):
        return value
    return Objective(f"{value:.12g}", frozenset(), lambda seen: torch.tensor(float(value)))  # one number serves all pictures


def _inside(objective: Objective, binding: int) -> str:
    return objective.name if objective.binding >= binding else f"({objective.name})"
