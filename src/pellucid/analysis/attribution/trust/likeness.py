"""How alike maps are, to themselves under noise and to what they have to sum up to."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.methods import attribute
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target
from pellucid.analysis.ranks import ranks
from pellucid.errors import UsageError
from pellucid.models.model import Model


def rank_correlation(first: Float[Tensor, "n h w"], second: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """Spearman's correlation of each map with its partner: 1 for the same order of positions; 0 where a map has no order.

    >>> rank_correlation(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[0.0, 10.0, 1000.0]]]))
    tensor([1.])
    """
    ordered = [torch.stack([torch.from_numpy(ranks(each.flatten().cpu().numpy())) for each in maps]) for maps in (first, second)]
    centred = [each - each.mean(1, keepdim=True) for each in ordered]
    lengths = centred[0].norm(dim=1) * centred[1].norm(dim=1)
    return ((centred[0] * centred[1]).sum(1) / lengths.where(lengths > 0, 1.0)).float()


def completeness(attribution: Attribution) -> Float[Tensor, " n"]:
    """How far a map is from summing up to its score: the error in units of the score less its base.

    Raises:
        UsageError: the method does not claim to sum up to anything.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.analysis.attribution import cam
        >>> bool(completeness(cam(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake")) < 1e-3)
        True
    """
    if attribution.base is None:
        raise UsageError(f"{attribution.method} does not sum up to the score; integrated-gradients and cam do")
    wanted = attribution.scores - attribution.base
    return (attribution.map.sum((1, 2)) - wanted).abs() / wanted.abs().clamp(min=1e-12)


def stability(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    method: str,
    layer: str | None = None,
    noise: float = 0.02,
    samples: int = 2,
    seed: int = 0,
) -> Float[Tensor, " n"]:
    """How alike a map stays when the picture gets a little noise: the mean rank correlation with the map without.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        method: a name out of `METHODS`.
        layer: as in `attribute`.
        noise: standard deviation, in units of the range from black to white.
        samples: 1 or more.
        seed: of the noise, which is the same for all images.

    Raises:
        UsageError: noise or samples out of range; else as in `attribute`.

    Example:
        >>> import pellucid.models as models
        >>> found = stability(models.load("terrarium"), torch.rand(2, 3, 96, 96), "class:lake", method="cam")
        >>> bool((found > 0.5).all())
        True
    """
    if not (noise > 0 and samples >= 1):
        raise UsageError(f"noise={noise}, samples={samples}: noise above 0 and at least 1 sample are wanted")
    clean = attribute(model, images, target, method=method, layer=layer).map
    generator = torch.Generator().manual_seed(seed)
    found = torch.zeros(len(images))
    for _ in range(samples):
        drawn = torch.randn(images.shape[1:], generator=generator).to(images)
        found += rank_correlation(clean, attribute(model, images + noise * drawn, target, method=method, layer=layer).map)
    return found / samples
