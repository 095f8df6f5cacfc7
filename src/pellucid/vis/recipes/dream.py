"""DeepDream: what a layer sees in a photograph, more of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pellucid.arrays import resized
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import Objective, layer
from pellucid.vis.objectives.names import described
from pellucid.vis.recipes.measures import answers, one
from pellucid.vis.recipes.photos import Progress, check_steps, checked, part, ssim
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering
from pellucid.vis.transforms import Transform, warp

STRENGTH = 0.2  # learning rate × steps in an octave: at half of it patterns only shine through, at twice the photo is gone
SMALLEST = 16  # px, a side of an octave


@dataclass(frozen=True)
class Octave:
    """One size at which a photo was dreamt on.

    Attributes:
        size: height and width in pixels.
        photo_score: the objective of the photo at this size; of a layer, the mean square of its activations.
        score: that of the dream.
        similarity: the structural similarity of the dream to the photo, 1 for the same.
    """

    size: tuple[int, int]
    photo_score: float
    score: float
    similarity: float


@dataclass(frozen=True)
class Dream:
    """A photograph with more of what a layer sees in it.

    Attributes:
        rendering: of the photo's size.
        octaves: from the smallest to that size.
    """

    rendering: Rendering
    octaves: tuple[Octave, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the picture, ready for JSON."""
        return {"objective": self.rendering.objective, "octaves": [asdict(each) for each in self.octaves]}


def dream(
    model: Model,
    image: Float[Tensor, "c h w"],
    what: str | Objective,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 10,
    strength: float = STRENGTH,
    method: Method | None = None,
    progress: Progress | None = None,
) -> Dream:
    """Strengthen what a layer sees in a photograph, from coarse to fine (DeepDream, Mordvintsev et al. 2015).

    The photo is dreamt on small first. Each larger octave starts from that dream, with the detail that the photo lost when it
    was shrunk.

    Args:
        model: the network.
        image: the photo, c h w in [0, 1], of any size that the network accepts; also larger than its own.
        what: name of the layer of which all answers grow, a unit as text, or any objective about single pictures.
        octaves: how many sizes, from 1.
        octave_scale: from one size to the next, above 1.
        steps: in each octave, from 1.
        strength: how far an octave moves the picture: learning rate × steps; 0.1 is subtle, from 0.4 the photo is gone.
        method: how to optimise; what it leaves open is shifts alone, and the learning rate of `strength`.
        progress: called with the steps that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range, or a size that the network refuses.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> model = models.load("terrarium")
        >>> made = dream(model, torch.rand(3, 48, 64), "mixed3a", octaves=2, steps=1)
        >>> [octave.size for octave in made.octaves], tuple(made.rendering.image.shape)
        ([(34, 46), (48, 64)], (3, 48, 64))
    """
    check_steps(steps)
    if not 0 < strength < math.inf:
        raise UsageError(f"strength must be above 0, not {strength:g}")
    photo, objective = checked(image, model), _objective(model, what)
    sizes, records, rendering = _sizes(photo, octaves, octave_scale), [], None
    smaller = photo
    for number, size in enumerate(sizes):
        here = resized(photo, size)
        start = here if rendering is None else resized(rendering.image, size) + here - resized(smaller, size)
        (rendering,) = render(
            model,
            [objective],
            steps=steps,
            method=_suited(model, Method() if method is None else method, size, strength / steps),
            start=start.clamp(0, 1),
            progress=part(progress, number * steps, len(sizes) * steps),
        )
        (before,) = answers(model, objective, here[None]).tolist()
        records.append(Octave(size, before, rendering.score, ssim(rendering.image, here)))
        smaller = here
    assert rendering is not None
    recipe = {"name": "dream", "image": described(photo), "octaves": [list(size) for size in sizes], "strength": strength}
    return Dream(replace(rendering, settings=rendering.settings | {"recipe": recipe}), tuple(records))


def _objective(model: Model, what: str | Objective) -> Objective:
    if isinstance(what, str) and (what in model.layers or ":" not in what):
        return layer(model.layer(what).name)
    return one(what, model)


def _sizes(photo: Float[Tensor, "c h w"], octaves: int, scale: float) -> list[tuple[int, int]]:
    if octaves < 1 or not scale > 1:
        raise UsageError(f"octaves must be at least 1 and octave_scale above 1, not {octaves} and {scale:g}")
    height, width = photo.shape[1:]
    sizes = [(round(height / scale**each), round(width / scale**each)) for each in reversed(range(octaves))]
    if min(sizes[0]) < SMALLEST:
        small = " × ".join(map(str, sizes[0]))
        raise UsageError(f"octaves: the smallest of {octaves} would be {small} px, below {SMALLEST}; give fewer or a larger photo")
    return sizes


def _suited(model: Model, method: Method, size: tuple[int, int], rate: float) -> Method:
    """The method with what it leaves open: shifts as far as the canvas reaches, a constant learning rate, and no more smoothness
    than the photo has of itself."""
    shifts: Sequence[Transform] = (warp(jitter=min(size) / 14, rotate=0, scale=(1, 1), crop=size),)
    natural = natural_fourier(model)
    sharp = replace(natural, decay=min(natural.decay, 1.0))
    return replace(
        method,
        parameterization=sharp if method.parameterization is None else method.parameterization,
        transforms=shifts if method.transforms is None else method.transforms,
        learning_rate=(rate, rate) if method.learning_rate is None else method.learning_rate,
    )
