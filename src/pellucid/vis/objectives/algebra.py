"""Scores of pictures that add, subtract and scale: `0.2 * channel("mixed4a", 20) + 0.8 * channel("mixed4a", 21)`.

An objective knows no network; `layers` tells who evaluates it what to capture. The picture itself is the layer `IMAGE`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.vis.objectives.forms import Activations, Form
from pellucid.vis.objectives.names import call

IMAGE = "image"  # the reserved layer that is the picture itself, untransformed and in [0, 1]

Weight = float | Callable[[float], float]

SUM, PRODUCT, ATOM = range(3)  # how tightly a name binds: a sum inside a product needs brackets


@dataclass(frozen=True, repr=False)
class Objective:
    """A score per picture, to be maximised.

    Args:
        name: how it is written, which is also its `repr`.
        layers: names of the layers whose activations it reads.
        function: from {layer: activations n c h w} to scores n; of one that changes over the steps, what it is at the last.
        pictures: how many pictures it speaks about together, in this order; None for any number, each by itself.
        placed: whether it reads a fixed (row, col), which means the same only in pictures of the model's own size.
        binding: how tightly the name binds: SUM, PRODUCT or ATOM.
        schedule: what it is at a progress from 0 (the first step) to 1 (the last); None for always itself.
        terms: of a sum, each part with its sign: adding to a long one makes it longer, not deeper.
        form: what it shares with others that differ in `argument` alone, with which `scores` evaluates it at once.
        argument: what of its form is its own.

    >>> from pellucid.vis.objectives import channel
    >>> 0.2 * channel("mixed4a", 20) - (channel("conv1", 3) + 1)
    0.2 * channel('mixed4a', 20) - (channel('conv1', 3) + 1)
    >>> total = sum([channel("mixed4a", 0), -channel("mixed4a", 1)])
    >>> total({"mixed4a": torch.tensor([[[[5.0]], [[3.0]]]])})
    tensor([2.])
    >>> (ramp(0, 1) * channel("conv1", 3)).at(0.25)
    0.25 * channel('conv1', 3)
    """

    name: str
    layers: frozenset[str]
    function: Callable[[Activations], Float[Tensor, " n"]]
    pictures: int | None = None
    placed: bool = False
    binding: int = ATOM
    schedule: Callable[[float], Objective] | None = None
    terms: tuple[tuple[str, Objective], ...] = ()
    form: Form | None = None
    argument: Any = None

    def __call__(self, activations: Activations) -> Float[Tensor, " n"]:
        for maps in activations.values() if self.pictures is not None else ():
            if len(maps) != self.pictures:
                raise UsageError(f"{self} speaks about {self.pictures} pictures together, not about {len(maps)}")
        return self.function(activations)

    def __repr__(self) -> str:
        return self.name

    def at(self, progress: float) -> Objective:
        """What it is at a progress from 0 (the first step) to 1 (the last)."""
        return self if self.schedule is None else self.schedule(progress)

    def __add__(self, other: Objective | Weight) -> Objective:
        return _sum(self, "+", other)

    def __radd__(self, other: Weight) -> Objective:
        return self if other == 0 else _sum(other, "+", self)  # sum() starts from 0

    def __sub__(self, other: Objective | Weight) -> Objective:
        return _sum(self, "-", other)

    def __rsub__(self, other: Weight) -> Objective:
        return _sum(other, "-", self)

    def __mul__(self, other: Objective | Weight) -> Objective:
        return _product(self, other)

    def __rmul__(self, other: Weight) -> Objective:
        return _product(other, self)

    def __neg__(self) -> Objective:
        return compose([self], lambda it: f"-{_inside(it, ATOM)}", lambda seen, it: -it.function(seen), binding=PRODUCT, kind="-")


@dataclass(frozen=True, repr=False)
class ramp:
    """A weight that changes over the steps: 0 before `after`, then from `start` to `stop`, which it keeps from `until` on.

    Any function from progress (0 at the first step, 1 at the last) to a number is a weight too.

    Args:
        start: the weight at `after`.
        stop: the weight from `until` on.
        power: of the way between the two: 1 is straight, more is late, less is early.
        after: progress from 0 to 1.
        until: progress from `after` to 1.

    Raises:
        UsageError: `power` is not above 0, or not 0 <= after <= until <= 1.

    >>> [ramp(1, 0, power=0.5)(progress) for progress in (0, 0.25, 1)]
    [1.0, 0.5, 0.0]
    >>> [ramp(-5, -5, after=0.15)(progress) for progress in (0, 0.15, 1)]
    [0.0, -5.0, -5.0]
    """

    start: float
    stop: float
    power: float = 1.0
    after: float = 0.0
    until: float = 1.0

    def __post_init__(self) -> None:
        if not (self.power > 0 and 0 <= self.after <= self.until <= 1):
            raise UsageError(f"{self} needs power above 0 and 0 <= after <= until <= 1")

    def __call__(self, progress: float) -> float:
        if progress < self.after:
            return 0.0
        way = 1.0 if progress >= self.until else ((progress - self.after) / (self.until - self.after)) ** self.power
        return self.start + (self.stop - self.start) * way

    def __neg__(self) -> ramp:
        return replace(self, start=-self.start, stop=-self.stop)

    def __repr__(self) -> str:
        rest = {each.name: (getattr(self, each.name), each.default) for each in fields(self)[2:]}
        return call("ramp", f"{self.start:.12g}", f"{self.stop:.12g}", **rest)


def sigmoid(objective: Objective) -> Objective:
    """An objective squashed to (0, 1): of a `logit`, a probability that no rival class can lower.

    >>> from pellucid.vis.objectives import logit
    >>> sigmoid(logit(0))({"logits": torch.zeros(1, 5, 1, 1)})
    tensor([0.5000])
    """
    return compose([objective], lambda it: f"sigmoid({it})", lambda seen, it: it.function(seen).sigmoid(), kind="sigmoid")


def tanh(objective: Objective) -> Objective:
    """An objective squashed to (-1, 1).

    >>> from pellucid.vis.objectives import logit
    >>> tanh(logit(0))({"logits": torch.zeros(1, 5, 1, 1)})
    tensor([0.])
    """
    return compose([objective], lambda it: f"tanh({it})", lambda seen, it: it.function(seen).tanh(), kind="tanh")


def formed(name: str, layers: frozenset[str], form: Form, argument: Any, *, placed: bool = False, binding: int = ATOM) -> Objective:
    """An objective of a form: what the form says of its argument.

    >>> formed("twice(3)", frozenset(), Form("twice", lambda seen, numbers: 2 * torch.tensor(numbers)), 3)({})
    tensor([6])
    """

    def score(seen: Activations) -> Float[Tensor, " n"]:
        return form.score(seen, [argument])

    return Objective(name, layers, score, placed=placed, binding=binding, form=form, argument=argument)


def scores(objectives: Sequence[Objective], activations: Activations) -> Float[Tensor, " n"]:
    """Each picture's score under its own objective; neighbours of one form are evaluated at once.

    Args:
        objectives: in the order of the pictures, of which each takes as many as it speaks about, and one that is about any number
            takes one.
        activations: what the objectives read, of all pictures.

    >>> from pellucid.vis.objectives import channel
    >>> scores([channel("a", 1), channel("a", 0)], {"a": torch.tensor([1.0, 2.0])[None, :, None, None].expand(2, 2, 1, 1)})
    tensor([2., 1.])
    """
    runs = [list(run) for _, run in groupby(enumerate(objectives), key=lambda one: one[1].form or one[0])]
    counts = [sum(objective.pictures or 1 for _, objective in run) for run in runs]
    parts = {name: maps.split(counts) if len(runs) > 1 else (maps,) for name, maps in activations.items()}
    found = []
    for place, run in enumerate(runs):
        (_, one), arguments = run[0], [objective.argument for _, objective in run]
        seen = {name: parts[name][place] for name in one.layers}
        whole = {name: maps.float() for name, maps in seen.items()} if one.form is None else seen
        found.append(one(whole) if one.form is None else one.form.score(seen, arguments))
    return torch.cat(found)


def compose(
    parts: Sequence[Objective],
    write: Callable[..., str],
    score: Callable[..., Float[Tensor, " n"]],
    *,
    pictures: int | None = None,
    binding: int = ATOM,
    kind: Hashable = None,
) -> Objective:
    """An objective made of others, which changes over the steps as they do.

    Args:
        parts: what it is made of.
        write: from the parts to its name.
        score: from activations and the parts to scores.
        pictures: how many it speaks about together; None for as many as the parts do.
        binding: how tightly the name binds.
        kind: says which objectives have the same `score`, so that those whose parts are alike too share a form; None for no other.

    Raises:
        UsageError: the parts speak about different numbers of pictures.
    """
    together = _together(parts) if pictures is None else pictures
    options: dict[str, Any] = {"binding": binding, "kind": kind}
    return Objective(
        write(*parts),
        frozenset().union(*(part.layers for part in parts)),
        lambda seen: score(seen, *parts),
        pictures=together,
        placed=any(part.placed for part in parts),
        binding=binding,
        schedule=(lambda progress: compose([part.at(progress) for part in parts], write, score, pictures=together, **options))
        if any(part.schedule for part in parts)
        else None,
        form=_form(kind, parts, score),
        argument=tuple(part.argument for part in parts),
    )


def _form(kind: Hashable, parts: Sequence[Objective], score: Callable[..., Float[Tensor, " n"]]) -> Form | None:
    forms = [part.form for part in parts if part.form is not None]
    if kind is None or len(forms) < len(parts):
        return None

    def together(seen: Activations, arguments: Sequence[Any]) -> Float[Tensor, " n"]:
        columns = zip(*arguments, strict=True)  # of each part the arguments, of one for each picture or of one for all
        return score(seen, *(_column(*each) for each in zip(parts, forms, columns, strict=True)))

    return Form((kind, *(form.key for form in forms)), together)


def _column(part: Objective, form: Form, arguments: Sequence[Any]) -> Objective:
    """A part of many objectives of one form, with the argument that it has in each of them."""
    return replace(part, function=lambda seen: form.score(seen, arguments))


def _together(parts: Sequence[Objective]) -> int | None:
    groups = {part.pictures: part for part in parts if part.pictures is not None}
    if len(groups) > 1:
        (one, first), (other, second), *_ = groups.items()
        raise UsageError(f"{first} speaks about {one} pictures together, {second} about {other}: give both the same number")
    return next(iter(groups), None)


def _sum(left: Objective | Weight, sign: str, right: Objective | Weight) -> Objective:
    if not (_operand(left) and _operand(right)):
        return NotImplemented
    first = _objective(left)
    terms = (*(first.terms or (("+", first),)), (sign, _objective(right)))

    def write(first: Objective, *others: Objective) -> str:
        rest = zip(terms[1:], others, strict=True)
        return " ".join([first.name, *(f"{sign} {_inside(other, PRODUCT)}" for (sign, _), other in rest)])

    def score(seen: Activations, first: Objective, *others: Objective) -> Float[Tensor, " n"]:
        total = first.function(seen)
        for (sign, _), other in zip(terms[1:], others, strict=True):
            total = total + other.function(seen) if sign == "+" else total - other.function(seen)
        return total

    signs = "".join(sign for sign, _ in terms)
    return replace(compose([part for _, part in terms], write, score, binding=SUM, kind=signs), terms=terms)


def _product(left: Objective | Weight, right: Objective | Weight) -> Objective:
    if not (_operand(left) and _operand(right)):
        return NotImplemented
    return compose(
        [_objective(left), _objective(right)],
        lambda a, b: f"{_inside(a, PRODUCT)} * {_inside(b, ATOM)}",
        lambda seen, a, b: a.function(seen) * b.function(seen),
        binding=PRODUCT,
        kind="*",
    )


def _operand(value: object) -> bool:
    return isinstance(value, Objective | Real) or callable(value)


def _objective(value: Objective | Weight) -> Objective:
    """A number serves all pictures; a weight that changes is the number that it is at each progress."""
    if isinstance(value, Objective):
        return value
    if callable(value):
        name = getattr(value, "__name__", repr(value))
        return replace(_objective(float(value(1.0))), name=name, schedule=lambda progress: _objective(float(value(progress))))
    return formed(f"{value:.12g}", frozenset(), NUMBER, float(value))


def _numbers(seen: Activations, values: Sequence[float]) -> Float[Tensor, " _"]:
    device = next((maps.device for maps in seen.values()), None)
    return torch.tensor(values, device=device)


NUMBER = Form("number", _numbers)


def _inside(objective: Objective, binding: int) -> str:
    return objective.name if objective.binding >= binding else f"({objective.name})"
