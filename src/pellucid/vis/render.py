"""Feature visualization: pictures that are optimised until units of a network respond to them as strongly as possible."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from pellucid.arrays import to_picture
from pellucid.errors import UsageError
from pellucid.files import writing
from pellucid.models.capture import prepared
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective, parse_unit
from pellucid.vis.optimise import Job, Plan, has_bfloat16, optimise
from pellucid.vis.params import Parameterization, fourier
from pellucid.vis.transforms import Transform

WAY = 6.4  # first learning rate × steps: a picture that goes further saturates, one that goes less far stays pale
SMALL = 128  # px: networks of smaller inputs answer to finer detail than they show, so their pictures start smoother


@dataclass(frozen=True)
class Rendering:
    """A picture with how it was made.

    Attributes:
        image: c h w in [0, 1], on the CPU.
        objective: what was maximised, as it is written.
        score: the objective of this very picture, without transforms, in full precision.
        history: the objective at every step, under that step's random transforms.
        settings: everything that made it, ready for JSON.
    """

    image: Float[Tensor, "c h w"]
    objective: str
    score: float
    history: tuple[float, ...]
    settings: dict[str, Any]

    def save(self, path: Path | str) -> None:
        """Write a PNG that holds the settings as JSON in its text field "pellucid"; the same rendering gives the same bytes.

        Raises:
            PellucidError: the disk is full or the folder cannot be written.
        """
        notes = PngInfo()
        notes.add_text("pellucid", json.dumps(self.settings | {"score": self.score}, ensure_ascii=False, sort_keys=True))
        with writing(Path(path)) as temporary:
            to_picture(self.image).save(temporary, format="PNG", pnginfo=notes)


def render(
    model: Model,
    objectives: Sequence[str | Objective],
    *,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    parameterization: Parameterization | None = None,
    transforms: Sequence[Transform] | None = None,
    learning_rate: tuple[float, float] | None = None,
    seeds: int | Sequence[int] = 0,
    batch: int = 8,
    autocast: bool | None = None,
    tries: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Rendering]:
    """Optimise one picture per objective until it excites its unit as strongly as possible.

    Olah et al. 2017, Feature Visualization. A picture depends on its objective and its seed, not on its batch mates (up to the
    rounding of floats); on a CPU the same call gives the same bits. The forward pass ends at the last layer that a batch
    needs. The canvas is a seventh larger than the picture, which is its middle.

    Args:
        model: the network; left as it was, also after an exception.
        objectives: units as text (`layer:channel`, `layer:channel@row,col`, `class:name`) or objectives.
        size: height and width of the pictures in pixels; None for `natural_size` of each objective.
        steps: of optimisation, from 1; 64 show what a unit is about, 128 finish it, far more oversaturate.
        parameterization: what is optimised; None for `fourier` of a decay that suits the model.
        transforms: random changes at every step, after which the network sees the middle of `size`; None for `robust`.
        learning_rate: Adam's at the first and at the last step, falling in half a cosine; None for `natural_rate`.
        seeds: one from 0 up for all pictures, or one each.
        batch: pictures per forward pass; 4 to 8 are fastest on a CPU.
        autocast: whether the network runs in bfloat16; None where the processor computes in it.
        tries: pictures made from different noise for each objective, of which the best untransformed one is kept.
        progress: called with the steps of single pictures that are done, and their total.

    Returns:
        One rendering per objective, in the order given.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range.
        PellucidError: a score that is no number, with its unit and step.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> from pellucid.vis import channel
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=16)
        >>> both = render(model, ["1:2", 0.5 * channel("0", 0) + channel("0", 1)], steps=2)
        >>> [(rendering.objective, tuple(rendering.image.shape)) for rendering in both]
        [("channel('1', 2)", (3, 16, 16)), ("0.5 * channel('0', 0) + channel('0', 1)", (3, 16, 16))]
    """
    _check(steps=steps, batch=batch, tries=tries)
    units = [parse_unit(each, model) if isinstance(each, str) else each for each in objectives]
    each_seed = [seeds] * len(units) if isinstance(seeds, int) else list(seeds)
    if len(each_seed) != len(units) or any(seed < 0 for seed in each_seed):
        raise UsageError(f"seeds must be one number from 0 up, or one for each of the {len(units)} objectives, not {seeds!r}")
    jobs = [
        Job(unit, seed, attempt, _pair(size) if size is not None else natural_size(model, unit))
        for unit, seed in zip(units, each_seed, strict=True)
        for attempt in range(tries)
    ]
    plan = Plan(
        steps=steps,
        parameterization=natural_fourier(model) if parameterization is None else parameterization,
        transforms=transforms,
        learning_rate=natural_rate(steps) if learning_rate is None else learning_rate,
        autocast=has_bfloat16(model) if autocast is None else autocast,
    )
    common, done, total = _common_settings(model, plan), 0, steps * len(jobs)

    def tick(pictures: int) -> None:
        nonlocal done
        done += pictures
        if progress is not None:
            progress(done, total)

    made: list[Rendering] = []
    with prepared(model):
        for chunk in _chunks(jobs, batch):
            outcomes = optimise(model, chunk, plan, tick)
            made += [
                Rendering(image, job.objective.name, score, history, common | _own_settings(job, plan))
                for job, (image, score, history) in zip(chunk, outcomes, strict=True)
            ]
    return [max(made[start : start + tries], key=lambda rendering: rendering.score) for start in range(0, len(made), tries)]


def natural_fourier(model: Model) -> fourier:
    """Fourier pictures of decay 0.75, and 1.5 for models of small inputs, on which finer detail is only grain."""
    return fourier(decay=1.5) if min(model.size) < SMALL else fourier()


def natural_rate(steps: int) -> tuple[float, float]:
    """Learning rates that take a picture as far in any number of steps, at most 0.2 a step, ending at a fifth of the first.

    >>> natural_rate(128), natural_rate(64)
    ((0.05, 0.01), (0.1, 0.02))
    """
    first = min(0.2, WAY / steps)
    return first, first / 5


def natural_size(model: Model, objective: Objective) -> tuple[int, int]:
    """Height and width that suit an objective.

    Twice the receptive field of its layers, in steps of 16 px, at least 64 px and at most the model's size; the model's size
    where a layer sees the whole picture, where its field is not known (attention may need the exact size) and where the
    objective names a position.
    """
    fields = [model.layer(name).receptive_field for name in objective.layers]
    if objective.placed or not fields or None in fields:
        return model.size
    height, width = (max(field.size[axis] for field in fields if field) for axis in (0, 1))
    suited = (max(64, math.ceil(2 * field / 16) * 16) for field in (height, width))
    tall, wide = (min(limit, side) for limit, side in zip(model.size, suited, strict=True))
    return tall, wide


def _chunks(jobs: Sequence[Job], batch: int) -> list[list[Job]]:
    """Consecutive jobs of one size, at most `batch` of them."""
    runs = [list(run) for _, run in itertools.groupby(jobs, key=lambda job: job.size)]
    return [run[start : start + batch] for run in runs for start in range(0, len(run), batch)]


def _common_settings(model: Model, plan: Plan) -> dict[str, Any]:
    return {
        "model": model.name,
        "fingerprint": model.fingerprint(),
        "steps": plan.steps,
        "learning_rate": list(plan.learning_rate),
        "parameterization": _written(plan.parameterization),
        "bfloat16": plan.autocast,
        "pellucid": version("pellucid"),
    }


def _own_settings(job: Job, plan: Plan) -> dict[str, Any]:
    return {
        "objective": job.objective.name,
        "size": list(job.size),
        "seed": job.seed,
        "attempt": job.attempt,
        "transforms": [_written(transform) for transform in plan.stack(job.size)],
    }


def _written(value: object) -> str:
    """Its `repr`, or the name of a function, whose `repr` would be an address."""
    return getattr(value, "__qualname__", repr(value))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    _check(height=height, width=width)
    return height, width


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
