"""Feature visualization: pictures that are optimised until units of a network respond to them as strongly as possible."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.arrays import resized
from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import capture, prepared
from pellucid.models.memory import memory_kept
from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_fourier, natural_rate, natural_transforms
from pellucid.vis.objectives import IMAGE, Objective, parse_unit
from pellucid.vis.optimise import Job, NotFinite, Outcome, Plan, deepest, has_bfloat16, optimise
from pellucid.vis.packing import first, natural_batch, out_of_memory
from pellucid.vis.rendering import Diverged, Rendering, common_settings, own_settings


def render(
    model: Model,
    objectives: Sequence[str | Objective],
    *,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seeds: int | Sequence[int] = 0,
    tries: int = 1,
    start: Float[Tensor, "c h w"] | Sequence[Float[Tensor, "c h w"] | None] | None = None,
    snapshots: Sequence[int] = (),
    batch: int | None = None,
    autocast: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Rendering]:
    """Optimise pictures until they excite their units as strongly as possible.

    Olah et al. 2017, Feature Visualization. A picture depends on its objective and its seed, not on its batch mates (up to the
    rounding of floats); on a CPU the same call gives the same bits. The forward pass ends at the last layer that a batch
    needs. The canvas is a seventh larger than the picture, which is its middle.

    Args:
        model: the network; left as it was, also after an exception.
        objectives: units as text (`layer:channel`, `layer:channel@row,col`, `class:name`) or objectives.
        size: height and width of the pictures in pixels; None for that of `start`, or `natural_size` of each objective.
        steps: of optimisation, from 1; 64 show what a unit is about, 128 finish it, far more oversaturate.
        method: how to optimise; None for what suits the model, the size and the steps.
        seeds: one from 0 up for all pictures, or one for each objective.
        tries: pictures made from different noise for each objective, of which the best untransformed one is kept.
        start: a picture to begin with in place of noise, or one for each objective (None for noise); resized to `size`.
        snapshots: numbers of steps after which the pictures are kept as they are then; 0 is the start.
        batch: pictures optimised together; None for what suits the device and its free memory; halved where memory runs out.
        autocast: whether the network runs in bfloat16; None where the device computes in it.
        progress: called with the steps of single pictures that are done, and their total.

    Returns:
        One rendering per objective, in the order given; of an objective that speaks about several pictures, so many in a row.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range.
        Diverged: a score is no number; what is done is in the exception.
        PellucidError: not even one picture fits into memory.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> from pellucid.vis import channel
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=16)
        >>> both = render(model, ["1:2", 0.5 * channel("0", 0) + channel("0", 1)], steps=2)
        >>> [(rendering.objective, tuple(rendering.image.shape)) for rendering in both]
        [("channel('1', 2)", (3, 16, 16)), ("0.5 * channel('0', 0) + channel('0', 1)", (3, 16, 16))]
    """
    _check(steps=steps, tries=tries, batch=1 if batch is None else batch)
    units = [_known(parse_unit(each, model) if isinstance(each, str) else each, model) for each in objectives]
    jobs = [
        Job(unit, seed, attempt, *_sized(model, unit, size, begin))
        for unit, seed, begin in zip(units, _seeds(seeds, len(units)), _starts(start, model, len(units)), strict=True)
        for attempt in range(tries)
    ]
    settings = _Settings(model, Method() if method is None else method, steps, frozenset(snapshots), autocast)
    made = _Work(model, jobs, settings, progress).run(batch)
    tried = [made[first : first + tries] for first in range(0, len(made), tries)]
    return [rendering for each in tried for rendering in max(each, key=lambda group: sum(one.score for one in group))]


@dataclass(frozen=True)
class _Settings:
    """What a call of `render` decides for all of its pictures."""

    model: Model
    method: Method
    steps: int
    snapshots: frozenset[int]
    autocast: bool | None

    def plan(self, size: tuple[int, int]) -> Plan:
        method = self.method
        return Plan(
            steps=self.steps,
            method=method,
            parameterization=natural_fourier(self.model) if method.parameterization is None else method.parameterization,
            transforms=natural_transforms(size) if method.transforms is None else method.transforms,
            learning_rate=natural_rate(self.steps) if method.learning_rate is None else method.learning_rate,
            autocast=has_bfloat16(self.model) if self.autocast is None else self.autocast,
            snapshots=self.snapshots,
        )


class _Work:
    """All jobs of a call, packed into batches that share their size and their last layer; what is done stays done."""

    def __init__(self, model: Model, jobs: Sequence[Job], settings: _Settings, progress: Callable[[int, int], None] | None) -> None:
        self.model, self.jobs, self.settings = model, jobs, settings
        self.made: list[list[Rendering] | None] = [None] * len(jobs)
        self.progress, self.done, self.total = progress, 0, settings.steps * sum(job.pictures for job in jobs)
        self.common = common_settings(model)

    def run(self, batch: int | None) -> list[list[Rendering]]:
        def alike(index: int) -> tuple[tuple[int, int], int]:
            return self.jobs[index].size, self.model.depth(deepest(self.model, self.jobs[index]))

        with prepared(self.model), memory_kept():
            for kind, run in itertools.groupby(sorted(range(len(self.jobs)), key=alike), key=alike):
                indices, limit = list(run), natural_batch(self.model, *kind) if batch is None else batch
                self.check([self.jobs[index] for index in indices])
                while indices:
                    chunk = first(indices, [self.jobs[index].pictures for index in indices], limit)
                    if self.fits(chunk):
                        del indices[: len(chunk)]
                    else:
                        limit = max(1, sum(self.jobs[index].pictures for index in chunk) // 2)
        return [each for each in self.made if each is not None]

    def check(self, jobs: Sequence[Job]) -> None:
        """Refuse a size that the network refuses, before any work."""
        size, layers = jobs[0].size, frozenset().union(*(job.objective.layers for job in jobs)) - {IMAGE}
        if size == self.model.size or not layers:
            return
        error = _refusal(self.model, size, layers)
        if error is not None:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"size: {self.model.name} refuses {_by(size)} px ({reason}); its own is {_by(self.model.size)}"
            ) from error

    def fits(self, chunk: Sequence[int]) -> bool:
        """Make these pictures; False where memory ran out and fewer may fit."""
        jobs, before = [self.jobs[index] for index in chunk], self.done
        plan = self.settings.plan(jobs[0].size)
        try:
            outcomes = iter(optimise(self.model, jobs, plan, self.tick))
        except NotFinite as error:
            raise self.diverged(error) from error
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if len(chunk) == 1:
                raise PellucidError(f"{jobs[0].objective} at {_by(jobs[0].size)} px does not fit into memory") from error
            self.done = before
            return False
        for index, job in zip(chunk, jobs, strict=True):
            self.made[index] = [self.rendering(job, plan, next(outcomes)) for _ in range(job.pictures)]
        return True

    def tick(self, pictures: int) -> None:
        self.done += pictures
        if self.progress is not None:
            self.progress(self.done, self.total)

    def rendering(self, job: Job, plan: Plan, outcome: Outcome) -> Rendering:
        settings = self.common | own_settings(job, plan)
        name, history = job.objective.name, outcome.history
        return Rendering(outcome.image, name, outcome.score, history, settings, outcome.snapshots, silent=outcome.silent)

    def diverged(self, error: NotFinite) -> Diverged:
        slots = [[None] * job.pictures if made is None else made for job, made in zip(self.jobs, self.made, strict=True)]
        earlier = itertools.takewhile(lambda job: job is not error.job, self.jobs)
        index = sum(job.pictures for job in earlier)
        return Diverged(str(error), [each for slot in slots for each in slot], index, error.picture)


def natural_size(model: Model, objective: Objective) -> tuple[int, int]:
    """Height and width that suit an objective.

    Twice the receptive field of its layers, in steps of 16 px, at least 64 px and at most the model's size; the model's size
    where a layer sees the whole picture, where its field is not known (attention may need the exact size), where the network
    refuses another (vision transformers do, even before any attention) and where the objective names a position.
    """
    fields = [model.layer(name).receptive_field for name in objective.layers - {IMAGE}]
    if objective.placed or not fields or None in fields:
        return model.size
    height, width = (max(field.size[axis] for field in fields if field) for axis in (0, 1))
    suited = (max(64, math.ceil(2 * field / 16) * 16) for field in (height, width))
    tall, wide = (min(limit, side) for limit, side in zip(model.size, suited, strict=True))
    fits = (tall, wide) == model.size or _refusal(model, (tall, wide), objective.layers - {IMAGE}) is None
    return (tall, wide) if fits else model.size


_refusals: WeakKeyDictionary[Model, dict[tuple[tuple[int, int], frozenset[str]], Exception | None]] = WeakKeyDictionary()


def _refusal(model: Model, size: tuple[int, int], layers: frozenset[str]) -> Exception | None:
    """What the network raises for pictures of a size, None where it takes them; tried once."""
    known, key = _refusals.setdefault(model, {}), (size, layers)
    if key not in known:
        try:
            with torch.no_grad():
                capture(model, torch.zeros(1, model.channels, *size), sorted(layers))
            known[key] = None
        except (RuntimeError, ValueError, AssertionError, PellucidError) as error:
            known[key] = error.with_traceback(None)
    return known[key]


def _known(objective: Objective, model: Model) -> Objective:
    """The objective, all of whose layers the model has."""
    for name in objective.layers - {IMAGE}:
        model.layer(name)
    return objective


def _seeds(seeds: int | Sequence[int], count: int) -> list[int]:
    each = [seeds] * count if isinstance(seeds, int) else list(seeds)
    if len(each) != count or any(seed < 0 for seed in each):
        raise UsageError(f"seeds must be one number from 0 up, or one for each of the {count} objectives, not {seeds!r}")
    return each


def _starts(start: Tensor | Sequence[Tensor | None] | None, model: Model, count: int) -> list[Tensor | None]:
    each = [start] * count if start is None or isinstance(start, Tensor) else list(start)
    if len(each) != count:
        raise UsageError(f"start must be one picture, or one for each of the {count} objectives, not {len(each)}")
    for picture in each:
        if picture is not None and (picture.ndim != 3 or picture.shape[0] != model.channels or not picture.is_floating_point()):
            raise UsageError(f"start: shape {tuple(picture.shape)}; pictures of ({model.channels}, h, w) in [0, 1] are wanted")
    return each


def _sized(
    model: Model, unit: Objective, size: int | tuple[int, int] | None, start: Tensor | None
) -> tuple[tuple[int, int], Tensor | None]:
    """The size of a job's picture, and what it starts from in that size."""
    if start is None:
        return natural_size(model, unit) if size is None else _pair(size), None
    wanted = (start.shape[1], start.shape[2]) if size is None else _pair(size)
    return wanted, resized(start, wanted)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    _check(height=height, width=width)
    return height, width


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}")
