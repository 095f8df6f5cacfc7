"""What a prior thinks of a picture, as an objective for `render`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import UsageError
from pellucid.vis.objectives import IMAGE, Objective
from pellucid.vis.prior.prior import Prior


def naturalness(prior: Prior, *, start: float = 0.5, stop: float = 0.05) -> Objective:
    """How little a prior would change a picture: minus half the mean squared difference to the denoised picture, held fixed.

    Its gradient leads towards the denoised picture, along the score of the prior's noisy pictures (Nguyen et al. 2017, "Plug
    & Play Generative Networks", equation 6). In each step the picture gets other noise, the same for all pictures, and less
    of it the later. It is a mean over the picture's values, as all objectives on pictures are, so weights are large:
    `logit(3) + 1000 * naturalness(prior)`; where nothing outweighs it, pictures fade to the mean of all.

    Args:
        prior: from `train_prior`; it sees the picture at its own size.
        start: the noise's standard deviation at the first step, above 0; 1 is the range from black to white.
        stop: the same at the last step, above 0.

    Raises:
        UsageError: a standard deviation that is not above 0; a picture with fewer channels (when it is evaluated).

    >>> from pellucid.vis.prior import train_prior
    >>> prior = train_prior(torch.rand(4, 3, 8, 8), size=8, steps=1)
    >>> naturalness(prior)({"image": torch.rand(2, 3, 16, 16)}).shape
    torch.Size([2])
    """
    if not (start > 0 and stop > 0):
        raise UsageError(f"naturalness needs noise above 0, not {start} and {stop}")

    def at(progress: float) -> Objective:
        sigma, seed = start ** (1 - progress) * stop**progress, round(progress * 2**31)
        return Objective(name, frozenset({IMAGE}), lambda seen: _score(prior, seen[IMAGE], sigma, seed))

    name = f"naturalness({prior!r}, start={start:g}, stop={stop:g})"
    return Objective(name, frozenset({IMAGE}), at(1.0).function, schedule=at)


def _score(prior: Prior, images: Float[Tensor, "n c h w"], sigma: float, seed: int) -> Float[Tensor, " n"]:
    if images.shape[1] < prior.channels:
        raise UsageError(f"the prior knows pictures of {prior.channels} channels, these have {images.shape[1]}")
    size = (prior.size, prior.size)
    small = F.interpolate(images[:, : prior.channels], size, mode="bilinear", antialias=True, align_corners=False)
    noise = torch.randn(1, *small.shape[1:], generator=torch.Generator().manual_seed(seed)).to(small)
    with torch.no_grad():
        denoised = prior.denoise(small + sigma * noise, sigma)
    return -(small - denoised).square().mean((1, 2, 3)) / 2
