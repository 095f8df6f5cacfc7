"""Style transfer: where things are as in one photograph, how they look as in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.models.spanning import fine_layers
from pellucid.vis import objectives
from pellucid.vis.methods import Method
from pellucid.vis.objectives import gram, matching, total_variation
from pellucid.vis.objectives.names import described
from pellucid.vis.recipes.photos import Progress, check_steps, checked, features, recovered, ssim
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

CONTENT_WEIGHT = 0.1  # against 1 for each style layer
WAY = 12.8  # first learning rate × steps
SMOOTHNESS = 0.5


@dataclass(frozen=True)
class Styled:
    """A picture with the content of one photo and the style of another.

    Attributes:
        rendering: of the content's size, or else of the style's.
        content: by the name of each layer that counts, how much of its answers to the content it gives to the picture: 1 for
            all, 0 for as far from it as silence, below 0 for farther; empty without content.
        style: the same of the Gram matrices of its answers to the style; empty without style.
        similarity: the structural similarity to the content, 1 for the same; None without content.
    """

    rendering: Rendering
    content: dict[str, float]
    style: dict[str, float]
    similarity: float | None

    def facts(self) -> dict[str, Any]:
        """Everything but the picture, ready for JSON."""
        return {"content": self.content, "style": self.style, "similarity": self.similarity}


def style(
    model: Model,
    content: Float[Tensor, "c h w"] | None,
    style_image: Float[Tensor, "c p q"] | None,
    *,
    content_layers: Sequence[str] | None = None,
    style_layers: Sequence[str] | None = None,
    content_weight: float = CONTENT_WEIGHT,
    steps: int = 256,
    start: Float[Tensor, "c h w"] | None = None,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Styled:
    """Paint the content of one photo in the style of another (Gatys et al. 2016, equation 7).

    Each layer's distance counts relative to the length of what is wanted, so that the same weights serve all layers and networks.

    Args:
        model: the network.
        content: what is where, c h w in [0, 1], of any size that the network accepts; None for style alone.
        style_image: how it looks, of any other size; None for content alone.
        content_layers: whose answers should be those to the content; None for the deepest of the default style layers.
        style_layers: whose Gram matrices should be those of the style; None for those that span the network and see at
            most half of a picture.
        content_weight: of each content layer against 1 for each style layer, above 0; 0.03 melts the content, 1 tints it.
        steps: from 1.
        start: what to begin with, of any size; None for the content where there is a style too, and else for noise.
        method: how to optimise; what it leaves open is no transforms, the total variation as penalty, and a fast learning rate.
        seed: of the noise, from 0.
        progress: called with the steps that are done, and their total.

    Raises:
        NotFoundError: no such layer.
        UsageError: neither content nor style, a setting out of range, or a size that the network refuses.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> made = style(models.load("terrarium"), torch.rand(3, 64, 48), torch.rand(3, 32, 32), steps=1)
        >>> tuple(made.rendering.image.shape), list(made.content), list(made.style)
        ((3, 64, 48), ['conv1', 'mixed3b'], ['conv1', 'mixed3b'])
    """
    check_steps(steps)
    if not content_weight > 0:
        raise UsageError(f"content_weight must be above 0, not {content_weight:g}; give no content to have none")
    photo = None if content is None else checked(content, model, "content")
    painting = None if style_image is None else checked(style_image, model, "style_image")
    canvas = painting if photo is None else photo
    if canvas is None:
        raise UsageError("content and style_image are both None; give one of them, or both")
    placed = _local(model)[-1:] if content_layers is None else list(content_layers)
    looks = _local(model) if style_layers is None else list(style_layers)
    layers = list(dict.fromkeys([*looks, *placed]))
    there = {} if photo is None else features(model, photo, layers)
    looked = {} if painting is None else features(model, painting, layers)
    weight = content_weight if looked else 1.0
    terms = [weight * matching(name, there[name]) for name in placed if there]
    terms += [objectives.style(name, looked[name]) for name in looks if looked]
    if not terms:
        raise UsageError("content_layers and style_layers name no layer for what is given")
    (found,) = render(
        model,
        [sum(terms[1:], terms[0])],
        size=(canvas.shape[1], canvas.shape[2]),
        steps=steps,
        method=_suited(Method() if method is None else method, steps),
        seeds=seed,
        start=photo if start is None and there and looked else start,
        progress=progress,
    )
    recipe = {"name": "style", "content": _said(photo), "style": _said(painting), "content_weight": content_weight}
    rendering = replace(found, settings=found.settings | {"recipe": recipe | {"content_layers": placed, "style_layers": looks}})
    made = features(model, rendering.image, layers)
    kept = {name: recovered(made[name], maps) for name, maps in there.items()}
    taken = {name: recovered(gram(made[name][None]), gram(maps[None])) for name, maps in looked.items()}
    return Styled(rendering, kept, taken, None if photo is None else ssim(rendering.image, photo.cpu()))


def _local(model: Model) -> list[str]:
    """Fine layers that see at most half of a picture: beyond, they know from its border where they are, which is no style."""
    names = fine_layers(model)
    fields = {name: model.layer(name).receptive_field for name in names}
    local = [name for name, field in fields.items() if field is not None and 2 * max(field.size) <= min(model.size)]
    return local or names


def _said(photo: Tensor | None) -> str | None:
    return None if photo is None else described(photo)


def _suited(method: Method, steps: int) -> Method:
    rate = min(0.2, WAY / steps)
    return replace(
        method,
        transforms=() if method.transforms is None else method.transforms,
        penalty=-SMOOTHNESS * total_variation() if method.penalty is None else method.penalty,
        learning_rate=(rate, rate / 10) if method.learning_rate is None else method.learning_rate,
    )
