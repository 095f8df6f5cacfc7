"""Robustness stacks: what pictures are seen through."""

from __future__ import annotations

from pellucid.vis.transforms.cuts import crop, flip, jitter, pad
from pellucid.vis.transforms.looks import blur, colour, noise
from pellucid.vis.transforms.transform import chain
from pellucid.vis.transforms.warps import warp


def robust(size: tuple[int, int]) -> warp:
    """The standard transform for pictures of a size: 24 px of jitter at 224 px, 20 degrees, 0.7 to 1.3 times.

    >>> robust((224, 224))
    warp(jitter=24, rotate=20.0, scale=(0.7, 1.3), perspective=0.0, crop=(224, 224))
    """
    return warp(jitter=round(min(size) * 24 / 224), crop=size)


def strong(size: tuple[int, int]) -> chain:
    """All that there is: `robust` tilted and mirrored as well, in changing light, blurred and with noise.

    >>> import torch
    >>> strong((24, 32))(torch.rand(1, 3, 28, 36), torch.Generator()).shape
    torch.Size([1, 3, 24, 32])
    """
    return chain(
        warp(jitter=round(min(size) * 24 / 224), perspective=0.2, crop=size), flip(), colour(), blur(sigma=(0.0, 1.0)), noise(0.05)
    )


def boxes(size: tuple[int, int]) -> chain:
    """What MaCo looks through: boxes of a fifth to a quarter of a canvas that should be several times as large, with noise.

    Fel et al. 2023, section 3; the boxes anywhere, the noise of their published code.

    >>> boxes((224, 224))
    chain(crop(size=(224, 224), scale=(0.2, 0.25)), noise(sd=0.08))
    """
    return chain(crop(size=size), noise(0.08))


def lucid(size: tuple[int, int]) -> chain:
    """Lucid's standard stack, for comparison: a grey border, small shifts, 0.9 to 1.1 times, 10 degrees.

    Scale and angle are drawn evenly, where lucid draws from 11 and 26 numbers, and come in one resampling instead of two.

    >>> import torch
    >>> lucid((128, 128))(torch.rand(1, 3, 128, 128), torch.Generator()).shape
    torch.Size([1, 3, 128, 128])
    """
    return _bordered(size, border=12, first=8, rotate=10.0, scale=(0.9, 1.1), last=4)


def article(size: tuple[int, int]) -> chain:
    """The stack of Olah et al. 2017 (Feature Visualization, footnote on the default recipe), drawn as in `lucid`.

    >>> import torch
    >>> article((224, 224))(torch.rand(1, 3, 224, 224), torch.Generator()).shape
    torch.Size([1, 3, 224, 224])
    """
    return _bordered(size, border=16, first=16, rotate=5.0, scale=(0.95, 1.05), last=8)


def _bordered(size: tuple[int, int], *, border: int, first: int, rotate: float, scale: tuple[float, float], last: int) -> chain:
    larger = (size[0] + last, size[1] + last)
    return chain(pad(border), jitter(first), warp(jitter=0, rotate=rotate, scale=scale, crop=larger), jitter(last))
