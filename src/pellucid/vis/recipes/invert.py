"""What layers know of a photograph: pictures that are the same to them, and pictures with more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from pellucid.errors import UsageError
from pellucid.models.model import Layer, Model
from pellucid.vis import objectives
from pellucid.vis.methods import Method, natural_rate
from pellucid.vis.objectives import Objective, matching, total_variation
from pellucid.vis.objectives.names import described
from pellucid.vis.recipes.photos import Progress, check_steps, checked, correlation, features, part, recovered, ssim
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering
from pellucid.vis.transforms import Transform, warp

SMOOTHNESS = 0.5
RATE = (0.05, 0.01)  # of 192 steps; the last third takes a fifth of it
LOOSE = 0.25  # shifts in units of a layer's stride that leave its answers about where they are
SHIFT = 8  # px at 224, where a layer tells nothing of places
CALMER = 0.6  # of the natural learning rate: what a photo has strongly saturates first


@dataclass(frozen=True)
class Inversion:
    """A picture to which a layer answers as it does to a photo.

    Attributes:
        layer: name of the layer.
        rendering: of the photo's size; its score is -(1 - recovered)² of the layer.
        recovered: by the name of each layer, how much of its answers to the photo it gives to this picture: 1 for all, 0 for as
            far from it as silence, below 0 for farther.
        similarity: the structural similarity of the two pictures, 1 for the same.
        correlation: that of their values, from -1 to 1.
    """

    layer: str
    rendering: Rendering
    recovered: dict[str, float]
    similarity: float
    correlation: float

    def facts(self) -> dict[str, Any]:
        """Everything but the picture, ready for JSON."""
        numbers = {"recovered": self.recovered, "similarity": self.similarity, "correlation": self.correlation}
        return {"layer": self.layer, **numbers}


@dataclass(frozen=True)
class Caricature:
    """A picture with more of what a layer answers to a photo.

    Attributes:
        layer: name of the layer.
        rendering: of the photo's size.
        cosine: between the layer's answers to the two pictures, the mean over all positions.
        gain: how many times as strong the answers to this picture are.
    """

    layer: str
    rendering: Rendering
    cosine: float
    gain: float

    def facts(self) -> dict[str, Any]:
        """Everything but the picture, ready for JSON."""
        return {"layer": self.layer, "cosine": self.cosine, "gain": self.gain}


def invert(
    model: Model,
    image: Float[Tensor, "c h w"],
    layers: Sequence[str],
    *,
    steps: int = 192,
    smoothness: float = SMOOTHNESS,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Inversion]:
    """Make pictures from noise to which layers answer as they do to a photo: what is missing in one, the layer has not kept.

    Mahendran and Vedaldi 2015, equations 1 and 3. In the first two thirds of the steps the picture is shifted a little, by a part
    of the layer's stride, which keeps out what only the network sees; the last third matches place by place.

    Args:
        model: the network.
        image: the photo, c h w in [0, 1], of any size that the network accepts.
        layers: names of layers, or `"logits"`.
        steps: for each layer, from 2; with 64 one sees what is kept.
        smoothness: weight of the total variation that is paid for, 0 or more.
        seed: of the noise, from 0.
        progress: called with the steps that are done, and their total.

    Returns:
        One for each layer, each with what all of the layers recover: what an early layer has not kept, no later one has.

    Raises:
        NotFoundError: no such layer.
        UsageError: a setting out of range, a layer silent on the photo, or a size that the network refuses.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> made = invert(models.load("terrarium"), torch.rand(3, 64, 48), ["conv1", "mixed3a"], steps=2)
        >>> [(each.layer, sorted(each.recovered)) for each in made]
        [('conv1', ['conv1', 'mixed3a']), ('mixed3a', ['conv1', 'mixed3a'])]
    """
    check_steps(steps, least=2)
    if not smoothness >= 0:
        raise UsageError(f"smoothness must be 0 or more, not {smoothness:g}")
    photo = checked(image, model)
    known = features(model, photo, layers)
    made = []
    for number, (name, maps) in enumerate(known.items()):
        heard = part(progress, number * steps, len(known) * steps)
        found = _inverted(model, photo, matching(name, maps), name, steps, smoothness, seed, heard)
        recipe = {
            "name": "invert",
            "image": described(photo),
            "layer": name,
            "steps": steps,
            "smoothness": smoothness,
            "seed": seed,
        }
        rendering = replace(found, settings=found.settings | {"recipe": recipe})
        kept = features(model, rendering.image, list(known))
        shares = {layer: recovered(kept[layer], known[layer]) for layer in known}
        alike = ssim(rendering.image, photo.cpu()), correlation(rendering.image, photo.cpu())
        made.append(Inversion(name, rendering, shares, *alike))
    return made


def caricature(
    model: Model,
    image: Float[Tensor, "c h w"],
    layers: Sequence[str],
    *,
    cosine_power: float = 0.0,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Caricature]:
    """Make pictures from noise that have more of whatever layers answer to a photo, in the same places.

    Lucid's `recipes/caricature.py`: at every position the dot product with the photo's answers times a power of the cosine. Unlike
    an inversion it has no end: what the layer saw most strongly is overdrawn most.

    Args:
        model: the network.
        image: the photo, c h w in [0, 1], of any size that the network accepts.
        layers: names of layers, or `"logits"`.
        cosine_power: 0 overdraws most, 1 or 2 keep more of what is less strong.
        steps: from 1.
        method: how to optimise; what it leaves open is small shifts, turns and scales, and a calm learning rate.
        seed: of the noise, from 0.
        progress: called with the steps that are done, and their total.

    Returns:
        One for each layer.

    Raises:
        NotFoundError: no such layer.
        UsageError: a setting out of range, a layer silent on the photo, or a size that the network refuses.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> made = caricature(models.load("terrarium"), torch.rand(3, 64, 48), ["conv1", "mixed3a"], steps=2)
        >>> [(each.layer, tuple(each.rendering.image.shape)) for each in made]
        [('conv1', (3, 64, 48)), ('mixed3a', (3, 64, 48))]
    """
    check_steps(steps)
    photo = checked(image, model)
    known, size = features(model, photo, layers), (photo.shape[1], photo.shape[2])
    wanted = [objectives.caricature(name, maps, cosine_power=cosine_power) for name, maps in known.items()]
    suited = _calm(Method() if method is None else method, size, steps)
    renderings = render(model, wanted, size=size, steps=steps, method=suited, seeds=seed, progress=progress)
    made = []
    for (name, maps), found in zip(known.items(), renderings, strict=True):
        recipe = {"name": "caricature", "image": described(photo), "layer": name, "cosine_power": cosine_power}
        rendering, answer = replace(found, settings=found.settings | {"recipe": recipe}), features(model, found.image, [name])[name]
        cosine, gain = cosine_similarity(answer, maps, dim=0).mean(), answer.norm() / maps.norm()
        made.append(Caricature(name, rendering, float(cosine), float(gain)))
    return made


def _inverted(
    model: Model,
    photo: Float[Tensor, "c h w"],
    objective: Objective,
    layer: str,
    steps: int,
    smoothness: float,
    seed: int,
    progress: Progress | None,
) -> Rendering:
    """First with shifts, then without: from the first alone fine answers are missing, from the second places are full of grain."""
    size, exact = (photo.shape[1], photo.shape[2]), max(1, steps // 3)
    smooth, fine = -smoothness * total_variation(), RATE[1]
    first = Method(transforms=_loose(model, model.layer(layer), size), penalty=smooth, learning_rate=_over(steps, RATE))
    second = Method(transforms=(), penalty=smooth, learning_rate=_over(steps, (fine, fine / 10)))
    ((rough,),) = [render(model, [objective], size=size, steps=steps - exact, method=first, seeds=seed, progress=progress)]
    heard = part(progress, steps - exact, steps)
    (done,) = render(model, [objective], start=rough.image, steps=exact, method=second, progress=heard)
    return replace(done, history=rough.history + done.history)


def _over(steps: int, rates: tuple[float, float]) -> tuple[float, float]:
    """Learning rates for 192 steps, for another number of them."""
    first, last = rates
    return min(0.2, first * 192 / steps), min(0.2, last * 192 / steps)


def _loose(model: Model, layer: Layer, size: tuple[int, int]) -> tuple[Transform, ...]:
    """Shifts, turns and scales so small that a layer's answers stay about where they are."""
    places = min(layer.height, layer.width) > 1
    shift = LOOSE * model.size[0] / layer.height if places else SHIFT * min(size) / 224
    wide = shift / min(size)
    if shift < 2:
        return ()
    return (warp(jitter=shift, rotate=60 * wide, scale=(1 - 2 * wide, 1 + 2 * wide), crop=size),)


def _calm(method: Method, size: tuple[int, int], steps: int) -> Method:
    jitter = SHIFT * min(size) / 224
    small = (warp(jitter=jitter, rotate=5, scale=(0.9, 1.1), crop=size),)
    first, last = natural_rate(steps)
    return replace(
        method,
        transforms=small if method.transforms is None else method.transforms,
        learning_rate=(CALMER * first, CALMER * last) if method.learning_rate is None else method.learning_rate,
    )
