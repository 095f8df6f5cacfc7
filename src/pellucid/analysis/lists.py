"""Inverted lists, faiss's: which rows lie in which part of the space, each as 8-bit codes (IVF-SQ8; Jégou et al. 2011)."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from pellucid.errors import MissingExtraError

MOST, TRAINED = 2048, 64  # parts, and rows a part that they are made from


def new_lists(count: int, width: int, *, inner: bool, seed: int) -> Any:
    """Lists for so many rows, not trained yet: two parts for each unit of the square root of the rows.

    Args:
        count: rows that will be added.
        width: numbers in each.
        inner: whether the largest inner products are wanted, else the smallest Euclidean distances.
        seed: of the parts.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    faiss = import_faiss()
    parts = max(1, min(MOST, round(2 * math.sqrt(count))))
    lists = faiss.index_factory(width, f"IVF{parts},SQ8", faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2)
    lists.cp.seed, lists.cp.min_points_per_centroid = seed, 1
    return lists


def look_up(lists: Any, queries: Float[np.ndarray, "m c"], count: int) -> Int[np.ndarray, "m j"]:
    """Candidates for each query, the nearest by their codes first; -1 where the parts that are looked into hold no more."""
    return lists.search(np.ascontiguousarray(queries, np.float32), count)[1]


def write_lists(lists: Any, path: Path) -> None:
    import_faiss().write_index(lists, str(path))


def map_lists(path: Path) -> Any:
    """Lists from the disk, memory-mapped.

    Raises:
        MissingExtraError: faiss is not installed.
        RuntimeError: the file is damaged.
    """
    faiss = import_faiss()
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP)


def import_faiss() -> Any:
    """Faiss, with as many threads as torch has.

    Raises:
        MissingExtraError: it is not installed.
    """
    with warnings.catch_warnings():  # of its wrapper, of no use to whoever searches
        warnings.simplefilter("ignore")
        try:
            import faiss
        except ImportError as error:
            raise MissingExtraError("faiss-cpu", "search", "approximate search") from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    return faiss
