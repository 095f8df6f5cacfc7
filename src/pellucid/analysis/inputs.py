"""What people give to be looked at, checked once: pictures of a network, and rows of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.models.model import Model

LOWEST, HIGHEST = -1.5, 3.0  # that a picture in [0, 1] reaches with noise on it; beyond, it is in 0..255 or normalised already


def check_images(model: Model, images: Any) -> None:
    """Refuse what are no pictures for a model.

    Args:
        model: that shall see them.
        images: in [0, 1], n c h w; a little outside where there is noise on them.

    Raises:
        UsageError: not a batch of floating-point images with the model's channels; numbers that are not finite, or so far outside
            of [0, 1] as those of pictures in 0..255 or of normalised ones.
    """
    try:
        model.preprocess(images[:1])
    except (UsageError, TypeError, IndexError):
        model.preprocess(images)  # says the shape of all
    low, high = map(float, images.aminmax()) if images.numel() else (0.0, 1.0)
    if not np.isfinite([low, high]).all():
        raise UsageError("images: there are numbers that are not finite; give pictures in [0, 1]")
    if low < LOWEST or high > HIGHEST:
        came = f"images: from {low:.3g} to {high:.3g}"
        raise UsageError(
            f"{came}; {model.name} takes pictures in [0, 1] and normalises them itself: divide by 255, or undo mean and std"
        )


def finite_rows(vectors: Any, name: str = "vectors") -> Float[np.ndarray, "n c"]:
    """Rows in single precision, checked.

    Args:
        vectors: n rows; an array, a tensor, or `Store.vectors(layer)`.
        name: of the argument, for errors.

    Raises:
        UsageError: another number of axes than two, or a number that is not finite.

    >>> finite_rows([[1, 2]]).tolist()
    [[1.0, 2.0]]
    """
    rows = np.asarray(vectors.detach().cpu() if isinstance(vectors, Tensor) else vectors, np.float32)
    if rows.ndim != 2:
        raise UsageError(f"{name}: an array of shape {rows.shape}; give n rows of numbers")
    broken = ~np.isfinite(rows.sum(1, dtype=np.float64))
    if broken.any():
        raise UsageError(f"{name}: row {int(broken.argmax())} has numbers that are not finite; leave such rows out")
    return rows
