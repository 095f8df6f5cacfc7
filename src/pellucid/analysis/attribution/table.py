"""What each method is worth on the terrarium, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.methods import METHODS, attribute
from pellucid.analysis.attribution.trust.checks import checks
from pellucid.analysis.attribution.trust.curves import deletion, insertion
from pellucid.analysis.attribution.trust.pointing import pointing_game
from pellucid.analysis.attribution.trust.scenes import Posed, four_things, one_thing
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective, probability

COLUMNS = (
    "method",
    "points at the thing",
    "among four",
    "deletion",
    "insertion",
    "alike, upper half random",
    "alike, all random",
    "alike under noise",
    "sum is off by",
    "ms a picture",
)


@dataclass(frozen=True)
class Row:
    """One method's numbers, or why there are none.

    Attributes:
        name: of the method.
        cells: as they are written, without the name.
    """

    name: str
    cells: tuple[str, ...]


def table(model: Model, *, count: int = 30, fours: int = 20, progress: Callable[[str], None] | None = None) -> str:
    """Every method on pictures whose truth is known, and two that look at nothing, as a table in Markdown.

    Args:
        model: the terrarium's network, or another with its classes.
        count: pictures of one thing, 1 or more.
        fours: pictures of four things, 1 or more.
        progress: told each method's name before its turn.

    Example:
        >>> import pellucid.models as models
        >>> rows(models.load("terrarium"), one_thing(2), four_things(1), ["cam"])[-1].cells[:2]
        ('50 %', '100 %')
    """
    found = rows(model, one_thing(count), four_things(fours), list(METHODS), progress)
    lines = [COLUMNS, ("---",) * len(COLUMNS), *((row.name, *row.cells) for row in found)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rows(model: Model, one: Posed, four: Posed, methods: list[str], progress: Callable[[str], None] | None = None) -> list[Row]:
    """The rows of the table: maps that look at nothing, then the methods."""
    outcomes = [probability(model.class_index(label)) for label in one.labels]
    found = list(_blind(model, one, four, outcomes))
    for name in methods:
        if progress is not None:
            progress(name)
        found.append(_row(model, one, four, outcomes, name))
    return found


def _row(model: Model, one: Posed, four: Posed, outcomes: list[Objective], name: str) -> Row:
    title = METHODS[name].title
    try:
        seen = checks(model, one.images, one.targets, method=name, outcome=outcomes, masks=one.masks)
        grid = attribute(model, four.images, four.targets, method=name).upsampled()
    except UsageError:
        return Row(title, ("not for this network", *[""] * (len(COLUMNS) - 2)))
    assert seen.hits is not None
    random = seen.randomisation
    return Row(
        title,
        (
            _percent(seen.hits),
            _percent(pointing_game(grid, four.masks)),
            _number(seen.deletion),
            _number(seen.insertion),
            _number(torch.tensor(random.halfway)) + (" (fails)" if random.fails else ""),
            _number(random.correlations[-1]),
            _number(seen.stability),
            "" if seen.completeness is None else f"{100 * float(seen.completeness.median()):.1f} %",
            f"{1000 * seen.seconds:.0f}",
        ),
    )


def _blind(model: Model, one: Posed, four: Posed, outcomes: list[Objective]) -> Iterator[Row]:
    """What maps score that know neither network nor picture."""
    for name, made in (("random map", _random), ("middle of the picture", _middle)):
        maps = made(one)
        areas = [curve(model, one.images, outcomes, maps).area.mean() for curve in (deletion, insertion)]
        hits = [pointing_game(made(each), each.masks) for each in (one, four)]
        yield Row(name, (*map(_percent, hits), *(_number(area) for area in areas), *[""] * 5))


def _random(posed: Posed) -> Float[Tensor, "n h w"]:
    return torch.rand(posed.masks.shape, generator=torch.Generator().manual_seed(0))


def _middle(posed: Posed) -> Float[Tensor, "n h w"]:
    height, width = posed.masks.shape[1:]
    row, col = torch.arange(height)[:, None] - height // 2, torch.arange(width) - width // 2
    return -(row.square() + col.square()).float().expand(posed.masks.shape)


def _percent(hits: Tensor) -> str:
    return f"{100 * float(hits.float().mean()):.0f} %"


def _number(values: Tensor) -> str:
    return f"{round(float(values.mean()), 2) + 0.0:.2f}"  # never -0.00
