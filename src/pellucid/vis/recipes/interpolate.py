"""From one unit to another in a row of aligned pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.models.capture import capture
from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import Objective, alignment, interpolate
from pellucid.vis.params import shared
from pellucid.vis.recipes.measures import answers, gained, one
from pellucid.vis.recipes.photos import Progress, part
from pellucid.vis.recipes.suited import coarser_layer, shared_size
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

WEIGHT = 0.2  # of alignment


@dataclass(frozen=True)
class Interpolation:
    """A row of pictures from one unit to another.

    Attributes:
        renderings: the frames.
        first: how much of what the first unit gains over noise alone it gains in each frame.
        last: the same of the last unit.
        layer: where neighbouring frames are aligned.
        neighbours: root mean square difference between neighbouring frames, in pixels from 0 to 1.
        pairs: the same between two frames taken at random.
    """

    renderings: tuple[Rendering, ...]
    first: tuple[float, ...]
    last: tuple[float, ...]
    layer: str
    neighbours: float
    pairs: float

    @property
    def violations(self) -> int:
        """From frame to frame, how often the first unit's answer rises or the last one's falls: 0 where both are monotone."""
        falls, rises = torch.tensor(self.first).diff(), torch.tensor(self.last).diff()
        return int((falls > 0).sum() + (rises < 0).sum())

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "objective": self.renderings[0].objective,
            "first": list(self.first),
            "last": list(self.last),
            "violations": self.violations,
            "layer": self.layer,
            "neighbours": self.neighbours,
            "pairs": self.pairs,
        }


def interpolation(
    model: Model,
    first: str | Objective,
    last: str | Objective,
    *,
    frames: int = 6,
    layer: str | None = None,
    weight: float = WEIGHT,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Interpolation:
    """Lead from one unit to another in frames that keep what they have in common in place.

    Olah et al. 2017, Feature Visualization, "Interpolating between neurons": a mix of the two objectives, neighbours aligned at
    a lower layer, and coarse structure that all frames share (Mordvintsev et al. 2018). Each unit counts in units of what it
    gains over noise alone; alignment, in units of how far the two units' own pictures are apart.

    Args:
        model: the network.
        first: the unit of the first frame.
        last: the unit of the last frame.
        frames: 2 or more.
        layer: where neighbours are aligned; None for the last one with larger maps than the units' own.
        weight: of alignment; 0 for none.
        size: height and width; None for what suits the unit that needs more.
        steps: from 1.
        method: how to optimise; what it leaves open is `shared` and what suits the model, the size and the steps.
        seed: of the noise, from 0.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a unit that answers nothing, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> made = interpolation(models.load("terrarium"), "mixed3a:5", "mixed3a:2", frames=3, steps=4)
        >>> len(made.renderings), made.layer
        (3, 'conv1')
    """
    ends = [one(unit, model) for unit in (first, last)]
    shape, total = shared_size(model, ends, size), (2 + frames) * steps
    where = coarser_layer(model, ends) if layer is None else model.layer(layer).name
    sharing = _sharing(model, Method() if method is None else method)

    def make(objective: Objective, done: int) -> list[Rendering]:
        heard = part(progress, done, total)
        return render(model, [objective], size=shape, steps=steps, method=sharing, seeds=seed, progress=heard)

    singles = [make(unit, index * steps)[0] for index, unit in enumerate(ends)]  # apart, for pictures of one call share
    scaled = [1 / gained(single) * unit for single, unit in zip(singles, ends, strict=True)]
    mix = interpolate(*scaled, pictures=frames)
    if weight:
        mix = mix + weight / _apart(model, where, singles) * alignment(where, pictures=frames)
    made = make(mix, 2 * steps)
    pictures = torch.stack([each.image for each in made])
    begin, end = (
        tuple(((answers(model, unit, pictures) - single.history[0]) / gained(single)).tolist())
        for unit, single in zip(ends, singles, strict=True)
    )
    return Interpolation(tuple(made), begin, end, where, *distances(pictures))


def distances(pictures: Float[Tensor, "n c h w"]) -> tuple[float, float]:
    """Root mean square differences of pictures in a row: the mean between neighbours, and the mean between any two.

    >>> distances(torch.tensor([0.0, 0.5, 1.0])[:, None, None, None])
    (0.5, 0.6666666865348816)
    """
    flat = pictures.flatten(1)
    apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist") / flat.shape[1] ** 0.5
    count = len(pictures)
    return float(apart.diagonal(1).mean()), float(apart.sum() / (count * (count - 1)))


def _apart(model: Model, layer: str, singles: list[Rendering]) -> float:
    """The mean squared difference that the two units' own pictures make in a layer."""
    with torch.no_grad():
        first, last = capture(model, torch.stack([each.image for each in singles]), [layer])[layer].float()
    return max(1e-12, float((first - last).square().mean()))


def _sharing(model: Model, method: Method) -> Method:
    if method.parameterization is not None:
        return method
    return replace(method, parameterization=shared(decay=natural_fourier(model).decay))
