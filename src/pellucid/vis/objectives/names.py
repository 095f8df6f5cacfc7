"""How objectives are written: as the Python that makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from numbers import Real

from torch import Tensor


def call(function: str, *arguments: str, **options: tuple[object, object]) -> str:
    """How a call is written; of its options, (value, default), those that are not the default.

    >>> call("direction", "'conv1'", cosine_power=(2.0, 0), position=(None, None))
    "direction('conv1', cosine_power=2)"
    """
    given = {name: value for name, (value, default) in options.items() if value != default}
    written = (f"{name}={value:.12g}" if isinstance(value, Real) else f"{name}={value!r}" for name, value in given.items())
    return f"{function}({', '.join([*arguments, *written])})"


def described(numbers: Tensor) -> str:
    """Numbers too many for a name, told apart by a digest.

    >>> import torch
    >>> described(torch.zeros(2, 3))
    '<2×3 numbers 9d908ecf>'
    """
    digest = hashlib.sha256(numbers.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:8]
    return f"<{times(numbers.shape)} numbers {digest}>"


def times(sizes: Sequence[int]) -> str:
    """The sizes of axes in words.

    >>> times([2, 3])
    '2×3'
    """
    return "×".join(map(str, sizes))
