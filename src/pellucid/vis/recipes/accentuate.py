"""Feature accentuation: a photograph that stays itself while a unit answers more to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.models.spanning import spanning_layers
from pellucid.vis.methods import Method
from pellucid.vis.objectives import IMAGE, Activations, Objective
from pellucid.vis.objectives.algebra import compose
from pellucid.vis.objectives.names import call, described
from pellucid.vis.recipes.measures import answers, one
from pellucid.vis.recipes.photos import Progress, check_steps, checked, features, ssim
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

WAY = 1.28  # first learning rate × steps: a fifth of what a picture from noise needs


@dataclass(frozen=True)
class Accentuation:
    """A photograph, changed so that a unit answers more to it.

    Attributes:
        rendering: of the photo's size; its score is the objective of this very picture.
        strength: how far it was allowed to go.
        photo_score: the objective of the photo.
        distance: how far the layer's activations moved, relative to their length.
        similarity: the structural similarity to the photo, 1 for the same.
    """

    rendering: Rendering
    strength: float
    photo_score: float
    distance: float
    similarity: float

    def facts(self) -> dict[str, Any]:
        """Everything but the picture, ready for JSON."""
        numbers = {"photo_score": self.photo_score, "score": self.rendering.score}
        return {"strength": self.strength, **numbers, "distance": self.distance, "similarity": self.similarity}


def accentuate(
    model: Model,
    image: Float[Tensor, "c h w"],
    objective: str | Objective,
    *,
    layer: str | None = None,
    strengths: Sequence[float] = (0.1, 0.3, 1.0),
    steps: int = 64,
    method: Method | None = None,
    progress: Progress | None = None,
) -> list[Accentuation]:
    """Change a photo so that a unit answers more to it, while an early layer still answers about the same.

    After Hamblin et al. 2024 (Feature Accentuation), who add a weighted distance. Here the gain over the photo is multiplied by
    exp(-(distance / strength)²), which needs no weight that suits the unit. The photo is seen beside its versions, through the same
    transforms.

    Args:
        model: the network.
        image: the photo, c h w in [0, 1], of any size that the network accepts.
        objective: a unit as text, or an objective about single pictures.
        layer: name of the layer in which the photo is kept, or `"image"` for its pixels; None for the second of those that span
            the network.
        strengths: how far the layer's activations may move, about, relative to their length; above 0. At 0.1 one has to look for
            the difference, at 0.3 one sees it, at 1 the photo begins to go.
        steps: from 1.
        method: how to optimise; what it leaves open is as for `render`, but for a slower learning rate; gradient filters are taken.
        progress: called with the steps of single pictures that are done, and their total.

    Returns:
        One for each strength.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: a setting out of range, an objective about several pictures, or a size that the network refuses.

    Example:
        >>> import pellucid.models as models
        >>> model = models.load("terrarium")
        >>> made = accentuate(model, torch.rand(3, 48, 64), "mixed3a:5", strengths=(0.1, 0.3), steps=2)
        >>> [each.strength for each in made]
        [0.1, 0.3]
    """
    check_steps(steps)
    photo, unit = checked(image, model), one(objective, model)
    kept = spanning_layers(model)[:2][-1] if layer is None else layer
    given = Method() if method is None else method
    if not strengths or not all(0 < strength < torch.inf for strength in strengths):
        raise UsageError(f"strengths must be one number above 0 or more, not {strengths!r}")
    if given.gradient_filter is not None:
        raise UsageError("method: gradient_filter is taken, it holds the photo still; leave it out")
    before = _activations(model, photo, kept)
    (photo_score,) = answers(model, unit, photo[None]).tolist()
    _, *found = render(
        model, [_near(unit, kept, strengths)], start=photo, steps=steps, method=_suited(given, steps), progress=progress
    )
    made = []
    for strength, each in zip(strengths, found, strict=True):
        (score,) = answers(model, unit, each.image[None]).tolist()
        recipe = {"name": "accentuate", "image": described(photo), "unit": unit.name, "layer": kept, "strength": strength}
        rendering = replace(each, score=score, settings=each.settings | {"recipe": recipe})
        distance = (_activations(model, each.image, kept) - before).norm() / before.norm()
        made.append(Accentuation(rendering, strength, photo_score, float(distance), ssim(each.image, photo.cpu())))
    return made


def _near(unit: Objective, layer: str, strengths: Sequence[float]) -> Objective:
    """Of the photo itself the unit, and of each version the gain over it, less the farther the layer is from the photo."""

    def away(seen: Activations) -> Float[Tensor, " n"]:
        maps = seen[layer]
        here = maps[:1].detach()
        return (maps - here).square().mean((1, 2, 3)) / here.square().mean().clamp(min=1e-12)

    def score(seen: Activations, unit: Objective, apart: Objective) -> Float[Tensor, " n"]:
        answer, limits = unit.function(seen), torch.tensor(strengths)
        photo, gain = answer[:1], answer[1:] - answer[:1].detach()
        nearness = torch.exp(-apart.function(seen)[1:] / limits.to(gain) ** 2)
        # a loss is not made up by going away
        return torch.cat([photo, gain * torch.where(gain > 0, nearness, nearness.detach())])

    def write(unit: Objective, apart: Objective) -> str:
        return call("accentuation", unit.name, apart.name, "[" + ", ".join(f"{each:g}" for each in strengths) + "]")

    apart = Objective(call("away", repr(layer)), frozenset({layer}), away, placed=True)
    return compose([unit, apart], write, score, pictures=len(strengths) + 1)


def _suited(method: Method, steps: int) -> Method:
    rate = min(0.05, WAY / steps)
    return replace(
        method,
        learning_rate=(rate, rate / 5) if method.learning_rate is None else method.learning_rate,
        gradient_filter=_photo_stays,
    )


def _photo_stays(gradient: Float[Tensor, "n c h w"], progress: float) -> Float[Tensor, "n c h w"]:
    return torch.cat([torch.zeros_like(gradient[:1]), gradient[1:]])


def _activations(model: Model, image: Float[Tensor, "c h w"], layer: str) -> Float[Tensor, "c h w"]:
    return image.cpu() if layer == IMAGE else features(model, image, [layer])[layer]
