"""What a random change to pictures is, and several in a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError

Transform = Callable[[Float[Tensor, "n c h w"], torch.Generator], Float[Tensor, "n c p q"]]


@dataclass(frozen=True, init=False)
class chain:
    """Transforms one after the other, as one.

    >>> chain(lambda images, generator: images + 1, lambda images, generator: images * 2)(torch.zeros(1), torch.Generator())
    tensor([2.])
    """

    transforms: tuple[Transform, ...]

    def __init__(self, *transforms: Transform) -> None:
        object.__setattr__(self, "transforms", transforms)

    def __call__(self, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c p q"]:
        for transform in self.transforms:
            images = transform(images, generator)
        return images

    def __repr__(self) -> str:
        return f"chain({', '.join(getattr(each, '__qualname__', repr(each)) for each in self.transforms)})"


def check_range(name: str, limits: tuple[float, float], least: float) -> None:
    """Whether limits are in order.

    Raises:
        UsageError: they are not.

    >>> check_range("scale", (0.5, 2), 0.1)
    """
    low, high = limits
    if not least <= low <= high:
        raise UsageError(f"{name} must be (lowest, highest) from {least:g} up, not {limits}")


def check_least(least: float, **numbers: float) -> None:
    """Whether numbers are at least so large.

    Raises:
        UsageError: one is not.

    >>> check_least(0, sd=0.5)
    """
    for name, value in numbers.items():
        if not value >= least:
            raise UsageError(f"{name} must be {least:g} or more, not {value}")
