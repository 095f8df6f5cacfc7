"""The gradient of a score at the picture and at the layers on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.models.capture import capture, prepared
from pellucid.models.model import Model
from pellucid.models.network import listening, tensor_of, with_tensor


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
    leaf = images.detach().requires_grad_()
    with prepared(model), torch.enable_grad():
        with keeping(model, layers) as kept:
            maps = capture(model, leaf, reads)
        places = [leaf, *(kept[name] for name in layers if name in kept)]
        gradients = torch.autograd.grad(score(maps).sum(), places, allow_unused=True)
    found = dict(zip(["the picture", *(name for name in layers if name in kept)], gradients, strict=True))
    for name in ("the picture", *layers):
        if found.get(name) is None:
            raise PellucidError(f"{name} has no part in the score, which reads {', '.join(reads)}")
    size = (images.shape[2], images.shape[3])
    return gradients[0], {name: model.place(name).form.to_map(found[name], size).detach() for name in layers}


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
        kept[name] = tensor
        return with_tensor(output, tensor.clone())

    return listen
