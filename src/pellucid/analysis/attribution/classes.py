"""What every position of a layer gives to every class at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.parts import in_parts, size_of
from pellucid.analysis.attribution.targets import targets_of
from pellucid.models.capture import capture
from pellucid.models.layer_gradients import keeping, recording, without_gradient
from pellucid.models.logits import logit_attribution
from pellucid.models.model import OUTPUT, Model
from pellucid.vis.objectives import logit

TOGETHER = 32  # positions of a picture that go through the rest of the network at once


def class_maps(model: Model, images: Float[Tensor, "n c h w"], *, layer: str) -> Float[Tensor, "n k p q"]:
    """Activation times gradient, summed over the channels, of every position of a layer for every class; float32 on the CPU.

    Where there are more classes than positions, one forward pass for each position carries its share to all classes, see
    `logit_attribution`; else one backward pass for each class serves all positions. Both give the same. (Olah et al. 2018, "The
    Building Blocks of Interpretability", Distill, "Spatial attribution".)

    Args:
        model: from `load`, with scores.
        images: in [0, 1].
        layer: a name out of `model.layers`.

    Raises:
        NotFoundError: no such layer.
        UsageError: images of another kind than the model's, or `torch.inference_mode()` is on.
        PellucidError: the network cannot be differentiated, or a single picture does not fit into memory.

    Example:
        >>> import pellucid.models as models
        >>> class_maps(models.load("terrarium"), torch.rand(2, 3, 96, 96), layer="mixed4a").shape
        torch.Size([2, 18, 12, 12])
    """
    targets = targets_of(logit(0), model, images)
    known = model.layer(layer)
    by_position = known.height * known.width < len(model.classes)

    def run(part: range) -> Tensor:
        batch = images[part.start : part.stop].detach()
        with recording(model):
            return (_by_position if by_position else _by_class)(model, batch, layer)

    return torch.cat([found.float().cpu() for _, found in in_parts(model, len(images), size_of(images), targets, run)])


def _by_position(model: Model, images: Tensor, layer: str) -> Tensor:
    with torch.no_grad():
        height, width = capture(model, images[:1], [layer])[layer].shape[2:]
    positions = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    parts = [logit_attribution(model, images, layer, some.expand(len(images), -1, -1))[1] for some in positions.split(TOGETHER)]
    return torch.cat(parts, 1).mT.unflatten(2, (height, width))


def _by_class(model: Model, images: Tensor, layer: str) -> Tensor:
    form, size = model.place(layer).form, size_of(images)
    with keeping(model, [layer]) as kept:
        logits = capture(model, images, [OUTPUT])[OUTPUT][:, :, 0, 0]
    if not (logits.requires_grad and kept[layer].requires_grad):
        raise without_gradient(model, images, lambda maps, _: maps[OUTPUT].flatten(1).sum(1), [OUTPUT], layer)
    maps = form.to_map(kept[layer], size).detach()
    found = []
    for column in logits.unbind(1):
        (slopes,) = torch.autograd.grad(column.sum(), kept[layer], retain_graph=True, materialize_grads=True)
        found.append((form.to_map(slopes, size) * maps).sum(1))
    return torch.stack(found, 1)
