"""Rows to search and to lay out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WIDTH = 512
BLOCK = 20_000  # rows that are made at once


def blocks(data: str, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and the centre of each: "random", or "clustered" around 1,000, with the spread mostly in 32 directions."""
    numbers = np.random.default_rng(0)
    centres = numbers.standard_normal((1_000, WIDTH), np.float32)
    directions = numbers.standard_normal((32, WIDTH), np.float32) / 16
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        noise = numbers.standard_normal((size, WIDTH), np.float32)
        own = np.zeros(size, np.int64)
        if data == "clustered":
            spread = numbers.standard_normal((size, 32), np.float32) @ directions
            own = numbers.integers(0, len(centres), size)
            noise = centres[own] + spread + 0.2 * noise
        yield noise.astype(np.float16), own
