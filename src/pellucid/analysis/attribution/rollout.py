"""Where transformers look: attention weights multiplied through the layers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.analysis.attribution.parts import in_parts, scores_at_once, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, targets_of
from pellucid.errors import PellucidError, UsageError
from pellucid.models.model import Model


def attention_rollout(model: Model, images: Float[Tensor, "n c h w"], target: Target) -> Attribution:
    """From which tokens the class token's content comes, if attention mixed it and nothing else did.

    Abnar & Zuidema 2020, arXiv:2005.00928, section 3: the mean over the heads, half of it the token itself, multiplied from the
    first layer to the last that the target is computed from. Without a class token the mean over all tokens. It says nothing of
    what the values are used for: the target decides how far the network runs, and not what the map is.

    Weights are heard where they are computed (`F.scaled_dot_product_attention`, `F.multi_head_attention_forward`, a softmax that
    gives four axes, the last two alike), so that networks are run as they are.

    Args:
        model: from `load`, a transformer with the same tokens in all layers.
        images: in [0, 1].
        target: whose score, as in `saliency`.

    Raises:
        UsageError: there is no attention, or it is among tokens that change, as in windows; else as in `saliency`.

    Example:
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> class Tiny(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.patch, self.mix = nn.Conv2d(3, 4, 8, 8), nn.MultiheadAttention(4, 2, batch_first=True)
        ...     def forward(self, x):
        ...         x = self.patch(x).flatten(2).mT
        ...         return self.mix(x, x, x)[0].mean(1)
        >>> attention_rollout(models.load(Tiny(), size=32), torch.rand(2, 3, 32, 32), "class:1").map.shape
        torch.Size([2, 4, 4])
    """
    targets = targets_of(target, model, images)
    size = size_of(images)

    def run(part: range) -> tuple[Tensor, Tensor]:
        with _Attention() as heard:
            scores = scores_at_once(model, images[part.start : part.stop], targets, part)
        return scores.float().cpu(), _rolled(heard.weights, len(part), model).cpu()

    parts = [found for _, found in in_parts(model, len(images), size, targets, run)]
    scores, flow = (torch.cat(each) for each in zip(*parts, strict=True))
    name, found = _on_the_grid(model, flow, size)
    layer = replace(model.layer(name), receptive_field=None)  # the grid lies evenly, however far its tokens see
    return Attribution("rollout", targets.names, layer, size, scores, found, found[:, 0])


class _Attention(TorchFunctionMode):
    """Keeps the weights, `n heads t t`, of every attention that runs inside."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            self.weights.append(_weights(*args, **kwargs))
        elif func is F.multi_head_attention_forward:  # which keeps its weights to itself where nobody asks for them
            self.weights.append(func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})[1])
        elif getattr(func, "__name__", "") == "softmax" and _square(output):
            self.weights.append(output.clone())
        return output


def _weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What scaled dot-product attention weighs with, by looking at a value that says of each token which one it is."""
    tokens = key.shape[-2]
    which = torch.eye(tokens, dtype=value.dtype, device=value.device).expand(*value.shape[:-2], tokens, tokens)
    return F.scaled_dot_product_attention(query, key, which, attn_mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa)


def _square(output: Any) -> bool:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == output.shape[3]


def _rolled(weights: list[Tensor], count: int, model: Model) -> Float[Tensor, "n t t"]:
    """What the last tokens have of the first ones."""
    if not weights:
        raise UsageError(f"{model.name} runs no attention before the target; take grad_cam")
    if len({(each.shape[0], each.shape[-2], each.shape[-1]) for each in weights}) > 1 or weights[0].shape[0] != count:
        raise UsageError(f"{model.name} attends among tokens that change from layer to layer, as windows do; take grad_cam")
    flow = torch.eye(weights[0].shape[-1], device=weights[0].device).expand(count, -1, -1)
    for each in weights:
        flow = 0.5 * (each.float().mean(1) @ flow + flow)
    return flow


def _on_the_grid(model: Model, flow: Float[Tensor, "n t t"], size: tuple[int, int]) -> tuple[str, Float[Tensor, "n 1 h w"]]:
    """The last layer of so many tokens, and what its class token, or the mean of all, has of those of the grid."""
    for name in reversed(list(model.layers)):
        form = model.place(name).form
        if form.axis != 2:
            continue
        rows = flow[:, 0] if form.prefix else flow.mean(1)
        with suppress(PellucidError):  # other layers may have other tokens
            return name, form.to_map(rows[:, :, None], size)
    raise UsageError(f"{model.name} has no layer of {flow.shape[1]} tokens that make a grid; take grad_cam")
