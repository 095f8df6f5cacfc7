"""The gradient of a score at the picture and at the layers on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError, UsageError
from pellucid.models.capture import capture, prepared
from pellucid.models.model import Model
from pellucid.models.network import listening, tensor_of, with_tensor
from pellucid.models.rectified import Rule, rectified

PICTURE = "the picture"

Score = Callable[[Mapping[str, Tensor], Tensor], Float[Tensor, " n"]]


def layer_gradients(
    model: Model,
    images: Float[Tensor, "n c h w"],
    score: Callable[[Mapping[str, Tensor]], Float[Tensor, " n"]],
    *,
    reads: Sequence[str],
    layers: Sequence[str],
) -> tuple[Float[Tensor, "n c h w"], dict[str, Float[Tensor, "n _ _ _"]]]:
    """How each picture's score changes with its pixels and with what layers answer to it.

    Args:
        model: from `load`; left as it was, also after an exception.
        images: in [0, 1].
        score: from {layer: activations} to one score per picture, as objectives are.
        reads: the layers that the score reads.
        layers: earlier layers whose gradients are wanted; of a module that runs several times, its last run counts.

    Returns:
        The gradient with respect to the images, and to each layer as a map; without history.

    Raises:
        NotFoundError: no such layer.
        PellucidError: a layer has no part in the score.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3)), size=8)
        >>> score = lambda maps: maps["2"].mean((1, 2, 3))
        >>> pixels, found = layer_gradients(model, torch.rand(5, 3, 8, 8), score, reads=["2"], layers=["0"])
        >>> pixels.shape, found["0"].shape
        (torch.Size([5, 3, 8, 8]), torch.Size([5, 4, 6, 6]))
    """
    found = derivatives(model, images, lambda maps, _: score(maps), reads=reads, layers=layers)
    assert found.pixels is not None
    return found.pixels, found.gradients


@dataclass(frozen=True)
class Derivatives:
    """What a score is, and how it changes with what it was computed from; everything without history.

    Attributes:
        scores: one for each picture.
        pixels: the gradient with respect to the images; None where it was not asked for.
        maps: what the layers answered.
        gradients: of the score with respect to them.
    """

    scores: Float[Tensor, " n"]
    pixels: Float[Tensor, "n c h w"] | None
    maps: dict[str, Float[Tensor, "n _ _ _"]]
    gradients: dict[str, Float[Tensor, "n _ _ _"]]


def derivatives(
    model: Model,
    images: Float[Tensor, "n c h w"],
    score: Score,
    *,
    reads: Sequence[str],
    layers: Sequence[str] = (),
    pixels: bool = True,
    rule: Rule | None = None,
) -> Derivatives:
    """A score, the layers' answers, and the score's gradient with respect to both pixels and layers, in one pass there and back.

    Args:
        model: from `load`; left as it was, also after an exception.
        images: in [0, 1].
        score: from {layer: activations} and the images to one score per picture.
        reads: the layers that the score reads.
        layers: earlier layers whose gradients are wanted; of a module that runs several times, its last run counts.
        pixels: False spares the way back to the picture, and with it most of the work where the layers are deep.
        rule: by which the gradient passes ReLUs, see `rectified`; None for the plain gradient.

    Raises:
        NotFoundError: no such layer.
        UsageError: the rule does not hold for this network, or `torch.inference_mode()` is on.
        PellucidError: a layer has no part in the score, or the gradient is cut before it reaches the layer or the picture.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)), size=8)
        >>> score = lambda maps, images: maps["2"].mean((1, 2, 3))
        >>> found = derivatives(model, torch.rand(5, 3, 8, 8), score, reads=["2"], layers=["1"], pixels=False)
        >>> found.scores.shape, found.pixels, found.gradients["1"].shape
        (torch.Size([5]), None, torch.Size([5, 4, 6, 6]))
    """
    with recording(model):
        leaf = (images.clone() if images.is_inference() else images).detach().requires_grad_(pixels)
        with keeping(model, layers) as kept:
            scores = score(capture(model, leaf, reads) if reads else {}, leaf)
        places = {PICTURE: leaf} if pixels else {}
        places |= {name: kept[name] for name in layers if name in kept}
        gradients = _gradients(scores, places, rule)
    for name in layers if not pixels else (PICTURE, *layers):
        if gradients.get(name) is None:
            raise without_gradient(model, images, score, reads, name)
    size = (images.shape[2], images.shape[3])
    forms = {name: model.place(name).form for name in layers}
    return Derivatives(
        scores.detach(),
        gradients.get(PICTURE),
        {name: form.to_map(kept[name], size).detach().contiguous() for name, form in forms.items()},
        {name: form.to_map(gradients[name], size).detach().contiguous() for name, form in forms.items()},
    )


def _gradients(scores: Tensor, places: Mapping[str, Tensor], rule: Rule | None) -> dict[str, Any]:
    """The gradients of the sum of scores; None for places without a part in it."""
    there = {name: tensor for name, tensor in places.items() if tensor.requires_grad}
    if not (scores.requires_grad and there):
        return {}
    with nullcontext() if rule is None else rectified(scores, rule):
        found = torch.autograd.grad(scores.sum(), list(there.values()), allow_unused=True)
    return dict(zip(there, found, strict=True))


def without_gradient(model: Model, images: Tensor, score: Score, reads: Sequence[str], name: str) -> PellucidError:
    """Why a score has no gradient at a layer, or at the picture: it is computed without it, or the gradient is cut on the way.

    Args:
        model: from `load`.
        images: in [0, 1].
        score: as of `derivatives`.
        reads: the layers that the score reads.
        name: of the layer; `PICTURE` for the picture.
    """
    read, depth = ", ".join(reads) if reads else PICTURE, max(map(model.depth, reads), default=0)
    before = [each for each in model.layers if model.depth(each) <= depth]
    with recording(model):
        with keeping(model, before) as kept:
            scores = score(capture(model, images.detach(), reads) if reads else {}, images.detach())
        found = _gradients(scores, kept, None)
    first = next((each for each in before if found.get(each) is not None), None)
    if first is not None and name != PICTURE and model.depth(first) < model.depth(name):
        return PellucidError(f"{name} has no part in the score, which reads {read}; name a layer that it is computed from")
    reached = "take occlusion, which needs none" + (f", or a method at the layer {first}, which it reaches" if first else "")
    return PellucidError(
        f"the gradient of the score, which reads {read}, does not reach {name}: the network or the target cuts it, as detach(), "
        f"no_grad() and argmax do; {reached}"
    )


@contextmanager
def recording(model: Model) -> Iterator[None]:
    """The network held still and autograd recording while inside, also inside of `torch.no_grad()`.

    Args:
        model: from `load`.

    Raises:
        UsageError: inside of `torch.inference_mode()`, or the network was made there.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Conv2d(3, 4, 3), size=8)
        >>> with torch.no_grad(), recording(model):
        ...     torch.is_grad_enabled(), model.network.weight.requires_grad
        (True, False)
    """
    if torch.is_inference_mode_enabled():
        raise UsageError(
            "torch.inference_mode() is on, inside of which nothing has a gradient; call this outside, or in torch.no_grad()"
        )
    some = next(model.network.parameters(), None)
    if some is not None and some.is_inference():
        raise UsageError(
            f"{model.name} was made in torch.inference_mode(), and has no gradient; load it outside, or in torch.no_grad()"
        )
    with prepared(model), torch.enable_grad():
        yield


@contextmanager
def keeping(model: Model, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While inside, what layers return is kept as it is, so that a score can be differentiated with respect to it.

    Args:
        model: from `load`.
        layers: of a module that runs several times, its last run counts.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)), size=8)
        >>> with keeping(model, ["0"]) as kept:
        ...     score = capture(model, torch.rand(5, 3, 8, 8).requires_grad_(), ["1"])["1"].sum()
        >>> torch.autograd.grad(score, kept["0"])[0].shape
        torch.Size([5, 4, 6, 6])
    """
    kept: dict[str, Tensor] = {}
    with listening(model.network, {name: _keeper(model, name, kept) for name in layers}):
        yield kept


def _keeper(model: Model, name: str, kept: dict[str, Tensor]) -> Callable[[Any], Any]:
    """Keeps the last run's output itself, and lets the network go on with a copy, which it may change in place."""
    left = model.place(name).calls

    def listen(output: Any) -> Any:
        nonlocal left
        left -= 1
        tensor = tensor_of(output)
        if left != 0 or tensor is None:
            return None
        if torch.is_grad_enabled() and not tensor.requires_grad:  # nothing before it is asked about: the graph begins here
            tensor = tensor.detach().requires_grad_()
        kept[name] = tensor
        return with_tensor(output, tensor.clone())

    return listen
