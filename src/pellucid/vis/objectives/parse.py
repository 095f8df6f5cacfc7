"""Units as people write them."""

from __future__ import annotations

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.objectives.algebra import Objective
from pellucid.vis.objectives.units import channel, logit, neuron


def parse_unit(text: str, model: Model) -> Objective:
    """The objective of a unit: `layer:channel`, `layer:channel@row,col` or `class:name`, checked against the model.

    Args:
        text: the unit; a class is given by its name or its index, a position counts on the map of a picture of the model's size.
            With a `-` before it, what the unit answers least to.
        model: the network it belongs to.

    Raises:
        NotFoundError: no such layer or class; the message has the nearest names.
        UsageError: it is not written like a unit, or the channel or position is out of range.
    """
    if text.startswith("-"):
        return -parse_unit(text.removeprefix("-"), model)
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
