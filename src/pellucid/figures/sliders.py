"""Regularisation as sliders: penalties, filters and transforms, from nothing to too much."""

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
from pellucid.vis.filters import bilateral, gaussian_blur
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import Objective, blur_residual, l1, l2, total_variation
from pellucid.vis.params import pixel
from pellucid.vis.transforms import robust, warp

UNITS = 3
PARTS = (0.0, 0.25, 1.0, 4.0)  # of a penalty: 1 takes as much from a typical real picture as the unit's best one gives


@dataclass(frozen=True)
class Row:
    """What one setting gave."""

    name: str
    images: Float[Tensor, "n c h w"]
    scores: Sequence[float]
    fine: float  # share of the variance finer than four pixels
    score: float  # mean, as a share of that of the first setting
    kept: float  # mean share that held-out changes leave
    size: float  # root mean square distance from grey


def made(studio: Studio, units: Sequence[Objective], methods: dict[str, Method]) -> list[Row]:
    """A row of pictures for each method."""
    rows: list[Row] = []
    for name, method in methods.items():
        images = torch.stack([each.image for each in studio.render(units, method=method)])
        rows.append(row(studio, units, name, images, rows[0] if rows else None))
    return rows


def row(studio: Studio, units: Sequence[Objective], name: str, images: Float[Tensor, "n c h w"], first: Row | None) -> Row:
    """What pictures of some units are like, beside those of the first row."""
    pairs = list(zip(units, images, strict=True))
    scores = [float(studio.scores(unit, image[None])) for unit, image in pairs]
    starts = scores if first is None else first.scores
    share = mean([score / start if start else 0.0 for score, start in zip(scores, starts, strict=True)])
    kept = mean([studio.kept(unit, image) for unit, image in pairs])
    size = mean([float(each) for each in (images - 0.5).square().mean((1, 2, 3)).sqrt()])
    return Row(name, images, scores, float(fine_share(images).mean()), share, kept, size)


def table(units: Sequence[Objective], rows: Sequence[Row], title: str = "") -> Table:
    """Their pictures, and behind them what each row is like on average."""
    return Table([*(unit.name for unit in units), "mean"], [(row.name, _cells(row)) for row in rows], title)


def _cells(row: Row) -> list[Cell]:
    means = f"{row.fine:.0%} fine, score {row.score:.0%}, kept {row.kept:.0%}"
    return [*map(cell, row.images), Cell(None, means)]


def numbers(rows: Sequence[Row]) -> dict[str, float]:
    return {f"{what}, {row.name}": getattr(row, what) for row in rows for what in ("fine", "score", "kept", "size")}


def penalties(studio: Studio) -> Figure:
    """L1, L2, total variation and blur as penalties on plain pixels."""
    units = studio.units(studio.layers[1], UNITS)
    gain = mean([float(studio.real(unit).max()) for unit in units])
    kinds = {"L1": l1(), "L2": l2(), "total variation": total_variation(), "blur": blur_residual()}
    found: dict[str, list[Row]] = {}
    for name, penalty in kinds.items():
        unit_cost = gain / studio.typical(penalty)
        methods = {
            f"{name} × {part:g}": Method(
                parameterization=NAIVE.parameterization,
                transforms=(),
                penalty=None if part == 0 else -(part * unit_cost) * penalty,
            )
            for part in PARTS
        }
        found[name] = made(studio, units, methods)
    fine = {name: [row.fine for row in rows] for name, rows in found.items()}
    lower = [name for name in ("total variation", "blur") if fine[name][-1] < fine[name][0]]
    shrinking = [name for name in ("L1", "L2") if falling([row.size for row in found[name]])]
    costly = [name for name in ("L1", "L2") if falling([row.score for row in found[name]])]
    return Figure(
        key="penalties",
        title="Frequency penalties",
        claim="Penalties on variation and sharpness lower high frequencies, one on size lowers size and objective.",
        measured="; ".join(
            f"{name}: from {values[0]:.0%} to {values[-1]:.0%} finer than four pixels" for name, values in fine.items()
        )
        + f"; the size falls at every step of {' and '.join(shrinking) or 'none'}, "
        f"the objective at every step of {' and '.join(costly) or 'none'}, "
        f"in the end to {found['L1'][-1].score:.0%} with L1 and {found['L2'][-1].score:.0%} with L2.",
        holds=len(lower) == len(shrinking) == 2 and all(found[name][-1].score < 1 for name in ("L1", "L2")),
        numbers={key: value for rows in found.values() for key, value in numbers(rows).items()},
        tables=[table(units, rows, name) for name, rows in found.items()],
        source="Olah et al. 2017, The Spectrum of Regularization; Mahendran and Vedaldi 2015",
    )


def robustness(studio: Studio) -> Figure:
    """Jitter, rotation and scale, each alone, on plain pixels."""
    units, side = studio.units(studio.layers[1], UNITS), min(studio.model.size)
    pixels = [round(part * side / 224) for part in (0, 1, 8, 32)]
    stacks = {
        "jitter": {f"jitter {value} px": warp(jitter=value, rotate=0, scale=(1, 1)) for value in dict.fromkeys(pixels)},
        "rotate": {f"rotate {value}°": warp(jitter=0, rotate=value, scale=(1, 1)) for value in (0, 5, 15, 45, 180)},
        "scale": {f"scale {value:g}": warp(jitter=0, rotate=0, scale=(1 / value, value)) for value in (1, 1.1, 1.2, 1.8)},
    }
    found = {
        kind: made(studio, units, {name: Method(parameterization=pixel(), transforms=(each,)) for name, each in stack.items()})
        for kind, stack in stacks.items()
    }
    best = {kind: max(rows, key=lambda row: row.kept) for kind, rows in found.items()}
    better = [kind for kind, rows in found.items() if best[kind].kept > rows[0].kept]
    return Figure(
        key="robustness",
        title="Transformation robustness",
        claim="A picture that must survive random shifts, turns and scales has less noise, and keeps more under other changes.",
        measured="; ".join(
            f"{kind}: held-out changes leave {rows[0].kept:.0%} without and {best[kind].kept:.0%} with {best[kind].name}"
            for kind, rows in found.items()
        )
        + ".",
        holds=len(better) == len(found),
        numbers={key: value for rows in found.values() for key, value in numbers(rows).items()},
        tables=[table(units, rows, kind) for kind, rows in found.items()],
        source="Olah et al. 2017, The Spectrum of Regularization",
    )


def filters(studio: Studio) -> Figure:
    """Blurring the picture, or its gradient, in every step."""
    units = studio.units(studio.layers[1], UNITS)
    plain = NAIVE.parameterization

    def blurred(images: Tensor, progress: float) -> Tensor:
        return gaussian_blur(images, 1.0 - 0.6 * progress)

    def edges_kept(images: Tensor, progress: float) -> Tensor:
        return bilateral(images, 1.5, sigma_colour=0.1)

    methods = {
        "nothing": Method(parameterization=plain, transforms=()),
        "blur the gradient": Method(parameterization=plain, transforms=(), gradient_filter=blurred),
        "blur the picture": Method(parameterization=plain, transforms=(), picture_filter=blurred),
        "bilateral filter": Method(parameterization=plain, transforms=(), picture_filter=edges_kept),
    }
    rows = made(studio, units, methods)
    fine = {row.name: row.fine for row in rows}
    return Figure(
        key="filters",
        title="Blurring the picture or the gradient",
        claim="Blurring the gradient changes the way and not the optima; blurring the picture keeps it smooth.",
        measured="; ".join(f"{name}: {value:.1%} finer than four pixels" for name, value in fine.items()) + ".",
        holds=fine["blur the picture"] < fine["nothing"] and fine["blur the gradient"] < fine["nothing"],
        numbers=numbers(rows),
        tables=[table(units, rows)],
        source="Olah et al. 2017; Øygard 2015; Tyka 2016",
    )


def weights(studio: Studio) -> Figure:
    """Weights that are perturbed in every step, beside and with perturbed pictures."""
    units = studio.units(studio.layers[2], UNITS)
    stack, plain = (robust(studio.model.size),), natural_fourier(studio.model)
    methods = {
        "neither": Method(parameterization=plain, transforms=()),
        "weights × (1 ± 0.1)": Method(parameterization=plain, transforms=(), weight_noise=0.1),
        "weights × (1 ± 0.3)": Method(parameterization=plain, transforms=(), weight_noise=0.3),
        "pictures": Method(parameterization=plain, transforms=stack),
        "pictures and weights": Method(parameterization=plain, transforms=stack, weight_noise=0.1),
    }
    rows = made(studio, units, methods)
    fine, kept = ({row.name: getattr(row, what) for row in rows} for what in ("fine", "kept"))
    return Figure(
        key="weights",
        title="Perturbed weights",
        claim="Perturbing the weights while optimising might regularise as perturbing the picture does (an open question).",
        measured="finer than four pixels, and left by held-out changes: "
        + "; ".join(f"{name} {fine[name]:.0%}, {kept[name]:.0%}" for name in fine)
        + ".",
        holds=fine["weights × (1 ± 0.3)"] < fine["neither"] and kept["weights × (1 ± 0.3)"] > kept["neither"],
        numbers=numbers(rows),
        tables=[table(units, rows)],
        source="Olah et al. 2017, footnote",
    )
