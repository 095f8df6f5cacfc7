"""From no regularisation to real pictures: what each constraint gives, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean as mean

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.figures.measures import falling, fine_share
from pellucid.figures.page import Cell, Figure, Table, cell
from pellucid.figures.studio import NAIVE, Studio
from pellucid.vis.objectives import Objective, logit, total_variation
from pellucid.vis.prior import sample

UNITS = 2  # of the middle layer, of the high one, and classes
PENALTY = 1 / 8  # of what the unregularised picture gains is what total variation would take from a typical real one
PRIOR = "learned prior"
MISSING = "no prior of these pictures came; train_prior learns one"


@dataclass(frozen=True)
class Column:
    """Pictures under one constraint.

    Attributes:
        name: of the constraint.
        images: one for each unit.
        gains: how far each excites its unit beyond a typical real picture; 1 is the best real one.
        apart: for each network that looks, their mean distance to the nearest real picture; 1 is usual among real ones.
    """

    name: str
    images: Float[Tensor, "n c h w"]
    gains: Sequence[float]
    apart: Sequence[float]

    @property
    def gain(self) -> float:
        return mean(self.gains)

    @property
    def fine(self) -> float:
        return float(fine_share(self.images).mean())


def spectrum(studio: Studio) -> Figure:
    """Some units without regularisation, with a frequency penalty, with robustness, with a learned prior, and in real pictures."""
    classes = studio.classes(UNITS)
    channels = [unit for name in studio.layers[1:] for unit in studio.units(name, UNITS)]
    names = [*(unit.name for unit in channels), *(studio.model.classes[index] for index in classes)]
    columns = _columns(studio, [*channels, *map(logit, classes)])
    gains, (apart, *judged) = [each.gain for each in columns], zip(*(each.apart for each in columns), strict=True)
    second = "".join(f", {_series(values, '.1f')} in a second one" for values in judged)
    return Figure(
        key="regularisation",
        title="The spectrum of regularisation",
        claim="The stronger the constraint, the more a picture is like real ones, and the less it excites the unit.",
        measured=f"from left to right, pictures excite their unit {_series(gains, '.2f')} times as far beyond a typical real one "
        f"as the best real one does; their distance to the nearest real one is {_series(apart, '.1f')} in what the network sees"
        f"{second}, where 1 is usual among these; {_series([each.fine for each in columns], '.0%')} of their variance is finer "
        f"than four pixels." + (f" One column is empty: {MISSING}." if studio.prior is None else ""),
        holds=all(falling(values) for values in (gains, apart, *judged)),
        numbers={f"gain, {each.name}": each.gain for each in columns}
        | {f"distance, {each.name}": each.apart[0] for each in columns}
        | {f"distance for a second network, {each.name}": value for each in columns for value in each.apart[1:]}
        | {f"fine, {each.name}": each.fine for each in columns},
        tables=[_table(names, columns)],
        source="Olah et al. 2017, The Spectrum of Regularization; Nguyen et al. 2017",
    )


def _columns(studio: Studio, units: Sequence[Objective]) -> list[Column]:
    """One for each constraint, from none to all; no prior's where there is none."""
    plain = studio.render(units, method=NAIVE)
    penalised = [_penalised(studio, unit, beside.score) for unit, beside in zip(units, plain, strict=True)]
    made = {
        "unregularised": plain,
        "frequency penalty": studio.render(penalised, method=NAIVE),
        "robustness": studio.render(units),
    }
    if studio.prior is not None:
        made[PRIOR] = sample(studio.model, units, studio.prior, steps=studio.steps, seeds=studio.seed)
    pictures = {name: torch.stack([each.image for each in row]) for name, row in made.items()}
    best = studio.photos[[int(studio.real(unit).argmax()) for unit in units]]
    return [_column(studio, name, units, images) for name, images in (pictures | {"real picture": best}).items()]


def _column(studio: Studio, name: str, units: Sequence[Objective], images: Float[Tensor, "n c h w"]) -> Column:
    gains = []
    for unit, image in zip(units, images, strict=True):
        typical, best = studio.typical(unit), float(studio.real(unit).max())
        gains.append((float(studio.scores(unit, image[None])) - typical) / (best - typical))
    return Column(name, images, gains, [float(crowd.apart(images).mean()) for crowd in studio.crowds])


def _penalised(studio: Studio, unit: Objective, score: float) -> Objective:
    """A unit less total variation, by what its picture scores without."""
    variation = total_variation()
    return unit - PENALTY * (score - studio.typical(unit)) / studio.typical(variation) * variation


def _table(names: Sequence[str], columns: Sequence[Column]) -> Table:
    """A row for each unit, and one of means."""
    shown: dict[str, list[Cell]] = {}
    for each in columns:
        pictures = [cell(image, f"gain {gain:.2f}") for image, gain in zip(each.images, each.gains, strict=True)]
        means = f"gain {each.gain:.2f}, distance {each.apart[0]:.1f}, {each.fine:.0%} fine"
        if each is columns[-1] and PRIOR not in shown:
            shown[PRIOR] = [Cell(None, MISSING), *[Cell(None)] * len(names)]
        shown[each.name] = [*pictures, Cell(None, means)]
    return Table(list(shown), list(zip([*names, "mean"], zip(*shown.values(), strict=True), strict=True)))


def _series(values: Sequence[float], form: str) -> str:
    return ", ".join(format(value, form) for value in values)
