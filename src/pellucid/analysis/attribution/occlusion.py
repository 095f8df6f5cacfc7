"""What the score loses when a part of the picture is covered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.parts import in_parts, scores_at_once, scores_of, size_of
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target, targets_of
from pellucid.errors import UsageError
from pellucid.models.model import Model


def occlusion(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
) -> Attribution:
    """What the score loses, on the mean over the squares that cover a pixel, when a square of the picture is covered.

    Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. No gradient takes part: it holds for any network, at the price of one
    forward pass for each square.

    Args:
        model: from `load`.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        window: the square's side in pixels; None for a sixth of the picture's shorter side.
        stride: from one square to the next in pixels, no more than `window`; None for half of it.
        fill: the brightness that covers; None for the colour that is the network's mean.

    Raises:
        UsageError: a window or stride out of range; else as in `saliency`, but for the gradient.

    Example:
        >>> import pellucid.models as models
        >>> occlusion(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", window=48, stride=48).map.unique().numel()
        4
    """
    targets = targets_of(target, model, images)
    size = size_of(images)
    side = max(1, min(size) // 6) if window is None else window
    step = max(1, side // 2) if stride is None else stride
    if not 1 <= step <= side <= min(size):
        raise UsageError(f"window={side}, stride={step}: 1 <= stride <= window <= {min(size)} is wanted")
    corners = list(product(*(_starts(length, side, step) for length in size)))
    scores = scores_of(model, images, targets)
    colour = images.new_tensor(model.mean if fill is None else [fill] * images.shape[1])[:, None, None]
    total, covered = torch.zeros(len(images), *size), torch.zeros(size)
    for row, col in corners:
        covered[row : row + side, col : col + side] += 1

    def run(part: range) -> Tensor:
        pairs = [divmod(number, len(corners)) for number in part]
        batch = images.detach()[[which for which, _ in pairs]]
        for image, (_, corner) in zip(batch, pairs, strict=True):
            _square(image, corners[corner], side)[:] = colour
        return scores_at_once(model, batch, targets, [which for which, _ in pairs]).float().cpu()

    for part, found in in_parts(model, len(images) * len(corners), size, targets, run):
        for number, score in zip(part, found, strict=True):
            which, corner = divmod(number, len(corners))
            _square(total[which], corners[corner], side).add_(scores[which] - score)
    values = (total / covered)[:, None]
    return Attribution("occlusion", targets.names, None, size, scores, values, values[:, 0])


def _square(array: Tensor, corner: tuple[int, ...], side: int) -> Tensor:
    """The part of an array's last two axes that a window covers, as a view."""
    row, col = corner
    return array[..., row : row + side, col : col + side]


def _starts(length: int, window: int, stride: int) -> Sequence[int]:
    """Where windows begin so that they cover everything.

    >>> _starts(10, 4, 4)
    [0, 4, 6]
    """
    return sorted({*range(0, length - window + 1, stride), length - window})
