"""Coarse to fine: pictures made in stages, each larger and sharper than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from pellucid.arrays import resized
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.methods import Method, natural_rate
from pellucid.vis.objectives import Objective
from pellucid.vis.recipes.measures import one
from pellucid.vis.recipes.photos import Progress, check_steps, part
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

# Share of the 500 steps, size, standard deviations of the blur in pixels at 224 px, grey levels that a step moves a pixel by.
DEEPDRAW = (
    (0.38, 1 / 1.44, (2.5, 0.78), (11, 11)),
    (0.30, 1 / 1.2, (0.936, 0.78), (6, 6)),
    (0.30, 1.0, (0.936, 0.44), (6, 3)),
    (0.02, 1.0, (0.44, 0.304), (3, 3)),
)
GREY_LEVEL = 4 / 255  # of a pixel, in the values that the logistic function makes it from, where that is steepest


@dataclass(frozen=True)
class shrinking_blur:
    """A `picture_filter` that blurs less and less: from the first step's standard deviation in pixels to the last step's.

    >>> import torch
    >>> shrinking_blur(2.5, 0.5)(torch.rand(1, 3, 8, 8), 0.5).shape
    torch.Size([1, 3, 8, 8])
    """

    start: float
    stop: float

    def __call__(self, images: Float[Tensor, "n c h w"], progress: float) -> Float[Tensor, "n c h w"]:
        return gaussian_blur(images, self.start + (self.stop - self.start) * progress)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the way from coarse to fine.

    Args:
        objective: what to maximise: a unit as text, or an objective about single pictures.
        steps: from 1.
        scale: the stage's size in units of the finished picture's, above 0.
        blur: standard deviation in pixels of the blur after the first and after the last step; None for none.
        learning_rate: at the first and at the last step; None for what suits the steps.

    Raises:
        UsageError: a number out of range.
    """

    objective: str | Objective
    steps: int
    scale: float = 1.0
    blur: tuple[float, float] | None = None
    learning_rate: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.scale > 0 or (self.blur is not None and not min(self.blur) >= 0):
            raise UsageError(f"a stage needs 1 step or more, a scale above 0 and a blur of 0 or more, not {self}")


def auxiliary_stages(
    early: str | Objective, middle: str | Objective, last: str | Objective, *, steps: int = 500, size: int = 224
) -> list[Stage]:
    """The schedule of Audun Øygard's deepdraw for GoogLeNet and its three heads: the last head lays out, the earlier ones refine.

    Its shares of the steps, sizes, blurs and step sizes in grey levels, which are those of `pixel(colours=None)`. On the terrarium,
    with linear probes as heads, pictures have 1.7 times the fine detail of those of the last head alone (photos have three times
    that), and the same or a slightly worse layout: the earlier heads no longer hold on to it.

    Args:
        early: of the head nearest to the picture: a layer of the network's own, or a linear probe as a `direction`.
        middle: of the head in between.
        last: of the network's output.
        steps: in all; 500 are the published.
        size: of the finished picture in pixels, to which the blurs belong; 224 is the published.

    Raises:
        UsageError: fewer than 50 steps, of which the last head but one would get none.

    >>> [stage.steps for stage in auxiliary_stages("head1:3", "head2:3", "class:3")]
    [190, 150, 150, 10]
    """
    check_steps(steps, least=50)
    heads = (last, last, middle, early)
    return [
        Stage(
            objective=head,
            steps=round(share * steps),
            scale=scale,
            blur=(start * size / 224, stop * size / 224),
            learning_rate=(first * GREY_LEVEL, final * GREY_LEVEL),
        )
        for head, (share, scale, (start, stop), (first, final)) in zip(heads, DEEPDRAW, strict=True)
    ]


def coarse_to_fine(
    model: Model,
    stages: Sequence[Stage],
    *,
    size: int | tuple[int, int] | None = None,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Rendering]:
    """Make a picture in stages, each from the result of the one before, enlarged.

    Args:
        model: the network.
        stages: in turn.
        size: height and width of the finished picture; None for the model's.
        method: how to optimise; each stage puts its own blur and learning rate in, where it has them.
        seed: of the first stage's noise, from 0.
        progress: called with the steps that are done, and their total.

    Returns:
        One rendering for each stage; the last is the finished picture.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: no stage, a setting out of range, or a size that the network refuses.

    Example:
        >>> import pellucid.models as models
        >>> stages = [Stage(objective="class:3", steps=2, scale=0.5), Stage(objective="mixed3a:5", steps=1, blur=(1, 0.3))]
        >>> [tuple(each.image.shape) for each in coarse_to_fine(models.load("terrarium"), stages, size=64)]
        [(3, 32, 32), (3, 64, 64)]
    """
    if not stages:
        raise UsageError("stages: none; give one or more")
    height, width = model.size if size is None else (size, size) if isinstance(size, int) else size
    total, done, made = sum(stage.steps for stage in stages), 0, []
    for stage in stages:
        shape = (round(height * stage.scale), round(width * stage.scale))
        made += render(
            model,
            [one(stage.objective, model)],
            size=shape,
            steps=stage.steps,
            method=_of(stage, Method() if method is None else method),
            seeds=seed,
            start=resized(made[-1].image, shape) if made else None,
            progress=part(progress, done, total),
        )
        done += stage.steps
    return made


def progressive(
    model: Model,
    objectives: Sequence[str | Objective],
    *,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    scale: float = 0.5,
    small: float = 0.75,
    method: Method | None = None,
    seeds: int | Sequence[int] = 0,
    progress: Progress | None = None,
) -> list[Rendering]:
    """Render small first, and finish at full size: half the time, and few large objects where `render` shows many small ones.

    What a network likes has a size in pixels; laid out at half of it and enlarged, it comes out twice as large, and the score
    is lower for that. It suits classes; for textures and parts `render` shows the size that the unit really looks for.

    Args:
        model: the network.
        objectives: units as text, or objectives about single pictures.
        size: height and width of the pictures; None for the model's.
        steps: in all, from 2.
        scale: the first size in units of the full one, above 0 and below 1.
        small: share of the steps at the first size, above 0 and below 1.
        method: how to optimise; what it leaves open is as for `render`.
        seeds: as for `render`.
        progress: called with the steps of single pictures that are done, and their total.

    Returns:
        One rendering for each objective.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range, or a size that the network refuses.

    Example:
        >>> import pellucid.models as models
        >>> (made,) = progressive(models.load("terrarium"), ["class:fireboat"], size=48, steps=2)
        >>> tuple(made.image.shape), len(made.history)
        ((3, 48, 48), 2)
    """
    check_steps(steps, least=2)
    if not 0 < scale < 1 or not 0 < small < 1:
        raise UsageError(f"scale and small must be between 0 and 1, not {scale:g} and {small:g}")
    height, width = model.size if size is None else (size, size) if isinstance(size, int) else size
    given, first = Method() if method is None else method, min(steps - 1, max(1, round(small * steps)))
    high, low = natural_rate(steps) if given.learning_rate is None else given.learning_rate
    between = (high + low) / 2
    units = [one(each, model) for each in objectives]
    total = steps * len(units)
    laid_out = render(
        model,
        units,
        size=(round(height * scale), round(width * scale)),
        steps=first,
        method=replace(given, learning_rate=(high, between)),
        seeds=seeds,
        progress=part(progress, 0, total),
    )
    finished = render(
        model,
        units,
        size=(height, width),
        steps=steps - first,
        method=replace(given, learning_rate=(between, low)),
        start=[resized(each.image, (height, width)) for each in laid_out],
        progress=part(progress, first * len(units), total),
    )
    return [replace(last, history=rough.history + last.history) for rough, last in zip(laid_out, finished, strict=True)]


def _of(stage: Stage, method: Method) -> Method:
    return replace(
        method,
        picture_filter=method.picture_filter if stage.blur is None else shrinking_blur(*stage.blur),
        learning_rate=method.learning_rate if stage.learning_rate is None else stage.learning_rate,
    )
