"""Means of many gradients: integrated gradients along a path, SmoothGrad over noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.attribution.parts import in_parts, scores_of, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, Targets, targets_of
from pellucid.errors import UsageError
from pellucid.models.layer_gradients import derivatives
from pellucid.models.model import Model

SEEDS = 2**20  # for samples of one seed

Variant = Callable[[Int[Tensor, " m"], Int[Tensor, " m"]], Float[Tensor, "m c h w"]]


def integrated_gradients(
    model: Model, images: Float[Tensor, "n c h w"], target: Target, *, baseline: float | Tensor = 0.0, steps: int = 64
) -> Attribution:
    """The gradient summed up on the straight way from a baseline to the picture: what each pixel gives to the score's rise.

    Sundararajan, Taly & Yan 2017, arXiv:1703.01365, section 3, by the midpoint rule. The map sums up to the score less that of
    the baseline, which is `base`, but for the error of the sum: see `trust.completeness`. However many steps and images, only as
    many pictures as memory holds are in the network at once.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        baseline: the picture that stands for nothing: a brightness (0 is black), or a tensor that broadcasts to the images.
        steps: on the way, 1 or more.

    Raises:
        UsageError: steps below 1, or a baseline of another shape; else as in `saliency`.

    Example:
        >>> import pellucid.models as models
        >>> found = integrated_gradients(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", steps=4)
        >>> found.map.shape, found.base.shape
        (torch.Size([1, 96, 96]), torch.Size([1]))
    """
    targets = targets_of(target, model, images)
    ends, start = images.detach(), _baseline(baseline, images)
    if steps < 1:
        raise UsageError(f"steps={steps}: at least 1 is wanted")

    def on_the_way(which: Tensor, step: Tensor) -> Tensor:
        share = ((step + 0.5) / steps)[:, None, None, None].to(ends)
        return start[which] + share * (ends - start)[which]

    mean = _mean_gradient(model, images, targets, steps, on_the_way)
    values = (ends - start).float().cpu() * mean
    totals = scores_of(model, ends, targets), scores_of(model, start, targets)
    return Attribution("integrated-gradients", targets.names, None, size_of(images), totals[0], values, values.sum(1), totals[1])


def smoothgrad(
    model: Model, images: Float[Tensor, "n c h w"], target: Target, *, noise: float = 0.15, samples: int = 32, seed: int = 0
) -> Attribution:
    """Saliency of the mean gradient over noisy copies of the picture: what stays of the gradient in its neighbourhood.

    Smilkov et al. 2017, arXiv:1706.03825, section 3. All images get the same noise, so that one's map does not depend on others.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        noise: standard deviation, in units of the range from black to white, above 0.
        samples: 1 or more.
        seed: of the noise.

    Raises:
        UsageError: noise or samples out of range; else as in `saliency`.

    Example:
        >>> import pellucid.models as models
        >>> smoothgrad(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", samples=2).map.shape
        torch.Size([1, 96, 96])
    """
    targets = targets_of(target, model, images)
    if not (noise > 0 and samples >= 1):
        raise UsageError(f"noise={noise}, samples={samples}: noise above 0 and at least 1 sample are wanted")
    clean = images.detach()

    def noisy(which: Tensor, sample: Tensor) -> Tensor:
        drawn = [
            torch.randn(clean.shape[1:], generator=torch.Generator().manual_seed(seed * SEEDS + one)) for one in sample.tolist()
        ]
        return clean[which] + noise * torch.stack(drawn).to(clean)

    values = _mean_gradient(model, images, targets, samples, noisy)
    return Attribution(
        "smoothgrad", targets.names, None, size_of(images), scores_of(model, clean, targets), values, values.abs().amax(1)
    )


def _mean_gradient(model: Model, images: Tensor, targets: Targets, count: int, variant: Variant) -> Float[Tensor, "n c h w"]:
    """The mean over `count` variants of each picture of the gradient there."""
    total = torch.zeros(images.shape)

    def run(part: range) -> tuple[Tensor, Tensor]:
        numbers = torch.tensor(part, device=images.device)
        which = numbers // count
        found = derivatives(model, variant(which, numbers % count), targets.score(which.tolist()), reads=targets.layers)
        assert found.pixels is not None
        return which, found.pixels

    for _, (which, pixels) in in_parts(model, len(images) * count, size_of(images), targets, run):
        total.index_add_(0, which.cpu(), pixels.float().cpu())
    return total / count


def _baseline(baseline: float | Tensor, images: Tensor) -> Tensor:
    start = torch.as_tensor(baseline).to(images)
    try:
        return start.expand_as(images)
    except RuntimeError as error:
        came, wanted = (" × ".join(map(str, each.shape)) for each in (start, images))
        raise UsageError(f"baseline: {came}, which does not broadcast to images of {wanted}") from error
