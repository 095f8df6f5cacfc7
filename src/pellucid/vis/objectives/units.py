"""What a network computes of a picture: its channels, neurons, directions, whole layers and classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import OUTPUT
from pellucid.vis.objectives.algebra import Objective, formed
from pellucid.vis.objectives.forms import Activations, Form, along_pictures, take
from pellucid.vis.objectives.names import call, described, times

Position = Literal["centre"] | tuple[int, int]


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel over all positions.

    >>> channel("conv1", 1)({"conv1": torch.tensor([[[[0.0, 0.0]], [[1.0, 3.0]]]])})
    tensor([2.])
    """

    def score(seen: Activations, indices: Sequence[int]) -> Float[Tensor, " n"]:
        return _channels(seen, layer, indices).mean((1, 2))

    return formed(f"channel({layer!r}, {index})", frozenset({layer}), Form(("channel", layer), score), index)


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

    def score(seen: Activations, channels: Sequence[int]) -> Float[Tensor, " n"]:
        height, width = seen[layer].shape[2:]
        position = height // 2 if row is None else row, width // 2 if col is None else col
        return _channels(seen, layer, channels, _inside(position, seen[layer], layer))

    name = call("neuron", repr(layer), str(channel), row=(row, None), col=(col, None))
    form = Form(("neuron", layer, row, col), score)
    return formed(name, frozenset({layer}), form, channel, placed=(row, col) != (None, None))


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
    along = given(vector, f"the direction in layer {layer!r}", axes=1)
    along = along / along.norm()

    def score(seen: Activations, vectors: Sequence[Tensor]) -> Float[Tensor, " n"]:
        for vector in vectors:
            if seen[layer].shape[1] != len(vector):
                raise UsageError(f"the direction has {len(vector)} numbers, layer {layer!r} has {seen[layer].shape[1]} channels")
        maps = seen[layer].float() if position is None else vectors_at(seen, layer, position)[:, :, None, None]
        return dot_cosine(maps, torch.stack(list(vectors))[:, :, None, None], cosine_power).mean((1, 2))

    name = call("direction", repr(layer), described(along), cosine_power=(cosine_power, 0), position=(position, None))
    form = Form(("direction", layer, cosine_power, position), score)
    return formed(name, frozenset({layer}), form, along, placed=isinstance(position, tuple))


def tensor_direction(layer: str, block: Float[Tensor, "c h w"], *, cosine_power: float = 0.0) -> Objective:
    """The length of the middle of the activations along a block of them, each position's share times a power of its cosine.

    A block of one position is a `direction` at the centre; a larger one says where things are to each other.

    Args:
        layer: name of the layer.
        block: c h w, no larger than the activations; its length does not matter.
        cosine_power: as of `direction`, with the cosine at each position.

    Raises:
        UsageError: the block is zero, or does not fit into the activations (when it is evaluated).

    >>> tensor_direction("conv1", torch.ones(1, 1, 4))({"conv1": torch.ones(1, 1, 5, 5)})
    tensor([2.])
    """
    along = given(block, f"the block in layer {layer!r}", axes=3)
    along = along / along.norm()

    def score(seen: Activations) -> Float[Tensor, " n"]:
        _, rows, cols = along.shape
        _, channels, height, width = seen[layer].shape
        if channels != len(along) or rows > height or cols > width:
            has = f"is {times(along.shape)} (channels, rows, columns), layer {layer!r} has {times(seen[layer].shape[1:])} here"
            raise UsageError(f"the block {has}; it has to have as many channels, and no more rows and columns")
        top, left = height // 2 - rows // 2, width // 2 - cols // 2
        return dot_cosine(seen[layer][:, :, top : top + rows, left : left + cols], along, cosine_power).sum((1, 2))

    name = call("tensor_direction", repr(layer), described(along), cosine_power=(cosine_power, 0))
    return Objective(name, frozenset({layer}), score)


def layer(name: str) -> Objective:
    """The mean of the squares of all activations of a layer: whatever it answers, more of it (DeepDream, Mordvintsev et al. 2015).

    >>> layer("conv1")({"conv1": torch.tensor([[[[1.0, -3.0]]]])})
    tensor([5.])
    """
    return Objective(f"layer({name!r})", frozenset({name}), lambda seen: seen[name].square().mean((1, 2, 3)))


def logit(index: int) -> Objective:
    """The network's output for one class, before any softmax: a probability also rises by silencing the other classes.

    >>> logit(1)({"logits": torch.tensor([[[[0.5]], [[2.0]]]])})
    tensor([2.])
    """
    return _output("logit", index, lambda logits: logits)


def probability(index: int) -> Objective:
    """The softmax of one class: it rises by silencing the other classes too, and hardly moves near 0 and 1.

    >>> probability(1)({"logits": torch.tensor([[[[0.0]], [[0.0]], [[0.0]], [[0.0]]]])})
    tensor([0.2500])
    """
    return _output("probability", index, lambda logits: logits.softmax(1))


def log_probability(index: int) -> Objective:
    """The log-softmax of one class: it has the rivals of `probability` without its squashing near 0.

    >>> log_probability(1)({"logits": torch.zeros(1, 1000, 1, 1)})
    tensor([-6.9078])
    """
    return _output("log_probability", index, lambda logits: logits.log_softmax(1))


def dot_cosine(maps: Float[Tensor, "n c h w"], along: Float[Tensor, "*n c _ _"], power: float) -> Float[Tensor, "n h w"]:
    """At every position dot * max(0.1, cos)^power with what lies there in `along`.

    >>> dot_cosine(torch.ones(1, 2, 1, 1), torch.tensor([3.0, 4.0])[:, None, None], 0.0)
    tensor([[[7.]]])
    """
    along = along.to(maps)
    dot = (maps * along).sum(1)
    if not power:
        return dot
    cosine = dot / ((maps.norm(dim=1) + 1e-4) * along.norm(dim=-3).clamp(min=1e-12))
    return dot * cosine.clamp(min=0.1) ** power


def given(numbers: Tensor, what: str, *, axes: int) -> Tensor:
    """Numbers that an objective aims at, as a constant.

    Args:
        numbers: as they came.
        what: what they are, for errors.
        axes: how many axes they have to have.

    Raises:
        UsageError: they have another number of axes, are all zero, or one is not a number.

    >>> given(torch.ones(2, requires_grad=True), "the vector", axes=1)
    tensor([1., 1.])
    """
    numbers = torch.as_tensor(numbers, dtype=torch.float32).detach()
    if numbers.ndim != axes:
        wanted = {1: "one number per channel", 3: "channels, rows, columns of one picture"}[axes]
        raise UsageError(f"{what} has the shape {times(numbers.shape)}; give {wanted}")
    if not 0 < numbers.norm() < torch.inf:
        raise UsageError(f"{what} is zero or not a number")
    return numbers


def vectors_at(seen: Activations, layer: str, position: Position) -> Float[Tensor, "n c"]:
    """What all channels of a layer answer at one position, in full precision.

    Raises:
        UsageError: the position lies outside the map.

    >>> vectors_at({"conv1": torch.tensor([[[[5.0, 7.0]], [[2.0, 3.0]]]])}, "conv1", "centre")
    tensor([[7., 3.]])
    """
    maps = seen[layer]
    row, col = (maps.shape[2] // 2, maps.shape[3] // 2) if position == "centre" else position
    return take(maps, (slice(None), slice(None), *_inside((row, col), maps, layer)))


def _channels(seen: Activations, layer: str, indices: Sequence[int], position: tuple[int, ...] = ()) -> Float[Tensor, "n ..."]:
    """Of every picture one channel."""
    return take(seen[layer], (*along_pictures(_known(indices, seen[layer], layer), seen[layer].device), *position))


def _output(name: str, index: int, squash: Callable[[Float[Tensor, "n k"]], Float[Tensor, "n k"]]) -> Objective:
    def score(seen: Activations, indices: Sequence[int]) -> Float[Tensor, " n"]:
        logits = seen[OUTPUT].float().mean((2, 3))
        return squash(logits)[along_pictures(_known(indices, seen[OUTPUT], OUTPUT), logits.device)]

    return formed(f"{name}({index})", frozenset({OUTPUT}), Form((name,), score), index)


def _known(indices: Sequence[int], maps: Tensor, layer: str) -> Sequence[int]:
    for index in indices:
        if not 0 <= index < maps.shape[1]:
            raise UsageError(f"layer {layer!r} has the channels 0 to {maps.shape[1] - 1}, not {index}")
    return indices


def _inside(position: tuple[int, int], maps: Tensor, layer: str) -> tuple[int, int]:
    (row, col), (height, width) = position, maps.shape[2:]
    if not (0 <= row < height and 0 <= col < width):
        raise UsageError(f"layer {layer!r} has {height} rows and {width} columns here; ({row}, {col}) lies outside")
    return row, col
