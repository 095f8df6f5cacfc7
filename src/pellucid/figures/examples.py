"""Optimised pictures beside real ones: what each tells about a unit."""

from __future__ import annotations

from pellucid.figures.page import Figure, Table, cell
from pellucid.figures.studio import Studio
from pellucid.vis.objectives import channel

BUCKETS = {"minimum": 0.0, "low": 0.25, "middle": 0.5, "high": 0.75, "maximum": 1.0}


def spectrum(studio: Studio) -> Figure:
    """From the negative optimum over real pictures, least to most exciting, to the positive one."""
    name = studio.layers[1]
    indices = studio.channels(name, 4)
    units = [channel(name, index) for index in indices]
    made = studio.render([*(-unit for unit in units), *units])
    rows, beyond, below = [], [], []
    for unit, index, least, most in zip(units, indices, made, made[len(units) :], strict=False):
        answers = studio.answers[name][:, index]
        order = answers.argsort()
        places = [int(order[round(part * (len(order) - 1))]) for part in BUCKETS.values()]
        real = [cell(studio.photos[place], f"{float(answers[place]):.3g}") for place in places]
        rows.append((unit.name, [cell(least.image, f"{-least.score:.3g}"), *real, cell(most.image, f"{most.score:.3g}")]))
        beyond.append(most.score > float(answers.max()))
        below.append(-least.score <= float(answers.min()))
    return Figure(
        key="spectrum",
        title="Optimisation and examples",
        claim="Optimisation goes beyond the strongest real picture on both sides, and shows what among its contents counts.",
        measured=f"{sum(beyond)} of {len(units)} optima are above the best of {len(studio.photos)} real pictures, "
        f"{sum(below)} negative optima at or below the least.",
        holds=all(beyond),
        numbers={"above": sum(beyond), "below": sum(below), "units": len(units)},
        tables=[Table(["negative optimum", *BUCKETS, "optimum"], rows)],
        source="Olah et al. 2017, Why visualize by optimization?; The Spectrum of Examples",
    )
