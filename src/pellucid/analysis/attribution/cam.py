"""Class activation maps: the exact share of each position in a logit, in one forward pass."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.analysis.attribution.parts import in_parts, joined, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, Targets, targets_of
from pellucid.errors import UsageError
from pellucid.models.capture import capture
from pellucid.models.layer_gradients import recording
from pellucid.models.model import OUTPUT, Model

CLOSE = 1e-3  # of the largest logit: what may lie between the logits and those of the last map, for rounding


def cam(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """How much each position of the last map gives to a class: exact where the network ends in the mean of it and a linear map.

    Zhou et al. 2016, arXiv:1512.04150, section 2. The map sums up to the logit less the class's bias, which is `base`. That the
    network does end like this is seen from its numbers, for these very images. Networks that end in the mean of one map for each
    class are such too.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: classes, or what adds them up with weights, as differences do.

    Raises:
        UsageError: the network ends in another way, or the target is no sum of classes; else as in `saliency`.

    Example:
        >>> import pellucid.models as models
        >>> found = cam(models.load("terrarium"), torch.rand(2, 3, 96, 96), "class:lake")
        >>> torch.allclose(found.map.sum((1, 2)) + found.base, found.scores, atol=1e-4)
        True
    """
    targets = targets_of(target, model, images)
    if targets.layers != [OUTPUT]:
        raise UsageError(
            f"target: {', '.join(dict.fromkeys(targets.names))}; CAM is for classes: take activation_gradient for units"
        )
    name = _last_map(model)

    def run(part: range) -> tuple[Tensor, ...]:
        return _exact(model, images[part.start : part.stop], targets, part, name)

    parts = [found for _, found in in_parts(model, len(images), size_of(images), targets, run)]
    scores, values, base = (joined(each) for each in zip(*parts, strict=True))
    return Attribution("cam", targets.names, model.layer(name), size_of(images), scores, values, values.sum(1), base)


def _exact(model: Model, batch: Tensor, targets: Targets, part: range, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, values and bases."""
    with torch.no_grad():
        seen = {layer: maps.float() for layer, maps in capture(model, batch, [name, OUTPUT]).items()}
    logits = seen[OUTPUT][:, :, 0, 0]
    features, weight, bias = _ending(model, seen[name], logits)
    scores, weights, rest = _weights(model, targets, part, logits)
    by_channel = weights if weight is None else weights @ weight
    values = (by_channel / features[0, 0].numel())[:, :, None, None] * features
    return scores, values, rest if bias is None else rest + weights @ bias


def _ending(model: Model, maps: Tensor, logits: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The map whose mean the logits come from, and the linear map; None where the mean is the logits."""
    head = _head(model)
    for rectified in (False, True):  # some networks rectify without a module before they pool
        features = maps.relu() if rectified else maps
        pooled = features.mean((2, 3))
        if _close(pooled, logits):
            return features, None, None
        if head is not None and head[0].shape[1] == pooled.shape[1] and _close(F.linear(pooled, *head), logits):
            return features, *head
    raise UsageError(
        f"{model.name} does not end in the mean of a map and a linear map, so that CAM is not exact there; take grad_cam, "
        "which any network allows"
    )


def _head(model: Model) -> tuple[Tensor, Tensor | None] | None:
    """Weights `k c` and bias of the last linear map, which may be written as a convolution."""
    for name in reversed(list(model.layers)):
        module = model.network.get_submodule(name)
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight[0].numel() == module.weight.shape[1]:
            bias = module.bias
            return module.weight.detach().flatten(1).float(), None if bias is None else bias.detach().float()
    return None


def _weights(model: Model, targets: Targets, part: range, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scores, the weight of each logit in them, and what is left of them at logits of zero."""
    with recording(model):
        leaf = torch.cat([logits, torch.zeros_like(logits)])[:, :, None, None].requires_grad_()
        both = targets.score([*part, *part])({OUTPUT: leaf}, leaf)
        (slopes,) = torch.autograd.grad(both.sum(), leaf)
    scores, rest = both.detach().chunk(2)
    weights, at_zero = slopes[:, :, 0, 0].chunk(2)
    if not torch.equal(weights, at_zero):
        raise UsageError("target: CAM is for classes and their sums and differences, not for what bends their logits")
    return scores, weights, rest


def _last_map(model: Model) -> str:
    names = [name for name, layer in model.layers.items() if layer.height * layer.width > 1]
    if not names:
        raise UsageError(f"{model.name} has no layer with more than one position, and so no CAM; take saliency")
    return names[-1]


def _close(found: Tensor, logits: Tensor) -> bool:
    return found.shape == logits.shape and bool((found - logits).abs().max() <= CLOSE * logits.abs().max())
