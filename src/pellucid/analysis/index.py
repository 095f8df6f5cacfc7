"""The nearest rows of a matrix: exact in bounded memory, or approximate with its recall measured; memory-mapped from the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pellucid.analysis.lists import TRAINED, look_up, map_lists, new_lists, write_lists
from pellucid.errors import PellucidError, UsageError
from pellucid.files import writing

SCHEMA = 1
BLOCK = 1 << 20  # entries of a block of rows, of distances or of candidates: 4 MB of float32, which stay near the processor
SLACK = 8  # candidates beyond k, as single precision may take equally near rows in another order
LARGE = 500_000  # rows above which an index is approximate by default: exact search of a million takes a third of a second
JUDGED, AT, WANTED = 256, 10, 0.95  # rows that recall is measured with, of how many neighbours, and how much is aimed at

# differences of squares need it where rows lie far from the origin and near each other
PRECISION = {"cosine": torch.float32, "euclidean": torch.float64}

Metric = Literal["cosine", "euclidean"]


@dataclass(frozen=True, repr=False)
class Index:
    """Rows to search; made by `Index.build`, opened again by `Index.open`.

    Attributes:
        vectors: the rows: an array, memory-mapped where the index was opened, or rows of a store.
        metric: "cosine" (1 - cosine; a row of zeros is 1 from all but its like) or "euclidean".
        norms: the length of each row.
        recall: of the ten nearest rows of some of its own, the share that it finds; 1 for an exact index.
    """

    vectors: Any
    metric: Metric
    norms: Float[np.ndarray, " n"]
    recall: float = 1.0
    _lists: Any = None  # faiss's inverted lists; None where every row is looked at

    @classmethod
    def build(cls, vectors: Any, *, metric: Metric = "cosine", approximate: bool | None = None, seed: int = 0) -> Index:
        """An index over rows; they are read once, and are not copied.

        Args:
            vectors: n rows of c numbers: an array, a tensor, or `Store.vectors(layer)`.
            metric: "cosine" or "euclidean".
            approximate: whether to look only into the parts of the space near a query, which needs faiss; None for only
                where there are more than 500,000 rows and faiss is installed.
            seed: of the parts, and of the rows that recall is measured with.

        Raises:
            UsageError: an unknown metric; no rows; a number that is not finite.
            MissingExtraError: faiss is not installed.

        >>> index = Index.build(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1]]))
        >>> rows, distances = index.query(np.array([[0.0, 1.0]]), 2)
        >>> rows.tolist(), distances.round(2).tolist()
        ([[1, 2]], [[0.0, 0.97]])
        """
        if metric not in PRECISION:
            raise UsageError(f"metric={metric!r}: there are 'cosine' and 'euclidean'")
        rows = _plain(vectors)
        if len(rows.shape) != 2 or not len(rows):
            raise UsageError(f"vectors: an array of shape {tuple(rows.shape)}; give n rows of c numbers, at least one")
        norms = torch.cat([block.norm(dim=1) for _, block in _blocks(rows, PRECISION[metric])])
        if not norms.isfinite().all():
            raise UsageError(f"vectors: row {int((~norms.isfinite()).int().argmax())} has numbers that are not finite")
        index = cls(rows, metric, norms.numpy())
        chosen = approximate_by_default(len(rows)) if approximate is None else approximate
        return _approximated(index, seed) if chosen else index

    def __len__(self) -> int:
        return len(self.norms)

    def __repr__(self) -> str:
        kind = "exact" if self.exact else f"recall@{AT} {self.recall:.3f}"
        return f"Index({len(self)} x {self.vectors.shape[1]}, {self.metric}, {kind})"

    @property
    def exact(self) -> bool:
        """Whether every row is looked at."""
        return self._lists is None

    def query(self, vectors: Any, k: int) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """The k nearest rows of each vector, nearest first; equal distances come in the order of their rows.

        Distances are true ones, in double precision, also where the search is approximate.

        Args:
            vectors: m rows of as many numbers as the index has.
            k: from 1 to the number of rows.

        Returns:
            (rows, distances)

        Raises:
            UsageError: k is out of range; the vectors have another length, or numbers that are not finite.
        """
        queries = torch.from_numpy(np.array(_plain(vectors), np.float64))
        if not 1 <= k <= len(self):
            raise UsageError(f"k={k}: there are {len(self)} rows to choose neighbours from")
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise UsageError(f"queries of shape {tuple(queries.shape)}: the index has rows of {self.vectors.shape[1]} numbers")
        if not queries.isfinite().all():
            raise UsageError("queries: there are numbers that are not finite")
        wanted = min(k + SLACK, len(self))
        if self.exact:
            return _ordered(self, queries, _scanned(self, queries, wanted), k)
        # lists of inner products want no query of length one: its length changes no order
        found = torch.from_numpy(look_up(self._lists, queries.numpy(), wanted))
        short = (found[:, k - 1] < 0).nonzero().flatten()  # the lists that were looked into hold fewer than k
        if len(short):
            found[short] = _scanned(self, queries[short], wanted)
        return _ordered(self, queries, found, k)

    def save(self, folder: Path | str) -> None:
        """Write the index into a folder, in half precision where its rows are, else in single.

        Raises:
            PellucidError: the folder cannot be written.
        """
        folder, (count, width) = Path(folder), self.vectors.shape
        kind = np.float16 if self.vectors.dtype == np.float16 else np.float32
        with writing(folder / "vectors.npy") as path:
            mapped = np.lib.format.open_memmap(path, "w+", kind, (count, width))
            for start, block in _blocks(self.vectors):
                mapped[start : start + len(block)] = block.numpy()
            mapped.flush()
        with writing(folder / "norms.npy") as path, path.open("wb") as file:
            np.save(file, self.norms)
        if self._lists is not None:
            with writing(folder / "lists.faiss") as path:
                write_lists(self._lists, path)
        about = {"schema": SCHEMA, "metric": self.metric, "recall": self.recall, "exact": self.exact}
        with writing(folder / "index.json") as path:  # last: an index is whole exactly when this file is there
            path.write_text(json.dumps(about), encoding="ascii")

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """The index in a folder; nothing is read before a query asks for it.

        Raises:
            UsageError: there is none, or of another version.
            PellucidError: it is damaged.
            MissingExtraError: it is approximate and faiss is not installed.
        """
        folder = Path(folder)
        if not (folder / "index.json").exists():
            raise UsageError(f"{str(folder)!r} holds no index (no index.json): save one there first")
        try:
            about = json.loads((folder / "index.json").read_text(encoding="ascii"))
            if about["schema"] != SCHEMA:
                raise UsageError(
                    f"the index {str(folder)!r} has version {about['schema']}, this pellucid reads {SCHEMA}: build it again"
                )
            # mapped privately: torch takes no array that cannot be written
            rows, norms = (np.load(folder / name, mmap_mode="c") for name in ("vectors.npy", "norms.npy"))
            index = cls(rows, about["metric"], norms, about["recall"])
            return index if about["exact"] else replace(index, _lists=map_lists(folder / "lists.faiss"))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise PellucidError(f"the index {str(folder)!r} is damaged ({error}): build it again") from error


def approximate_by_default(rows: int) -> bool:
    """Whether an index over so many rows is approximate where nobody says.

    >>> approximate_by_default(1000)
    False
    """
    return rows > LARGE and find_spec("faiss") is not None


def _plain(vectors: Any) -> Any:
    return vectors.detach().cpu().numpy() if isinstance(vectors, Tensor) else vectors


def _blocks(rows: Any, kind: torch.dtype = torch.float32) -> Iterator[tuple[int, Float[Tensor, "n c"]]]:
    step = max(1, BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        yield start, torch.from_numpy(block if block.flags.writeable else np.array(block)).to(kind)


def _scanned(index: Index, queries: Float[Tensor, "m c"], count: int) -> Int[Tensor, "m j"]:
    """The nearest rows of each query out of all of them, in no order: one product of matrices a block."""
    rows = min(len(index), max(1, BLOCK // index.vectors.shape[1]))
    return torch.cat([_scan(index, some, count) for some in queries.split(max(1, BLOCK // rows))])


def _scan(index: Index, queries: Float[Tensor, "m c"], count: int) -> Int[Tensor, "m j"]:
    queries = queries.to(PRECISION[index.metric])
    lengths = queries.norm(dim=1, keepdim=True)
    best, near = queries.new_full((len(queries), 1), torch.inf), torch.full((len(queries), 1), -1)
    for start, block in _blocks(index.vectors, queries.dtype):
        norms = torch.from_numpy(index.norms[start : start + len(block)]).to(queries)
        values = torch.cat([best, _apart(index.metric, queries @ block.T, lengths, norms)], 1)
        chosen = _smallest(values, min(count, values.shape[1]))
        known = best.shape[1]
        near = near.gather(1, chosen.clamp_max(known - 1)).where(chosen < known, start + chosen - known)
        best = values.gather(1, chosen)
    return near


def _apart(
    metric: Metric, products: Float[Tensor, "m n"], lengths: Float[Tensor, "m 1"], norms: Float[Tensor, " n"]
) -> Float[Tensor, "m n"]:
    if metric == "euclidean":
        return norms.square() + lengths.square() - 2 * products
    both = lengths * norms
    return torch.where(both > 0, 1 - products / both.clamp_min(1e-30), ((lengths > 0) != (norms > 0)).to(products))


def _smallest(values: Float[Tensor, "m n"], count: int) -> Int[Tensor, "m j"]:
    """Where the smallest values of each row are, from left to right; of equal ones the first."""
    last = values.topk(count, largest=False, sorted=False).values.amax(1, keepdim=True)
    below, tied = values < last, values == last
    kept = below | (tied & (tied.cumsum(1, dtype=torch.int32) <= count - below.sum(1, keepdim=True)))
    return kept.nonzero()[:, 1].view(len(values), count)


def _ordered(
    index: Index, queries: Float[Tensor, "m c"], rows: Int[Tensor, "m j"], k: int
) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
    """Of candidates (-1: none) the k nearest, by distances that rounding does not blur."""
    nearest, kept = torch.empty(len(rows), k, dtype=torch.int64), torch.empty(len(rows), k, dtype=torch.float64)
    step = max(1, BLOCK // (rows.shape[1] * queries.shape[1]))
    blocks = (each.split(step) for each in (queries, rows.sort(1).values, nearest, kept))
    for asked, near, *filled in zip(*blocks, strict=True):
        vectors = torch.from_numpy(index.vectors[near.clamp_min(0).flatten().numpy()]).double().view(*near.shape, -1)
        apart = _distances(index.metric, asked[:, None], vectors).masked_fill(near < 0, torch.inf)
        distances, order = apart.sort(dim=1, stable=True)
        filled[0].copy_(near.gather(1, order)[:, :k])
        filled[1].copy_(distances[:, :k])
    return nearest.numpy(), kept.numpy()


def _distances(metric: Metric, queries: Float[Tensor, "m 1 c"], vectors: Float[Tensor, "m j c"]) -> Float[Tensor, "m j"]:
    if metric == "euclidean":
        return (vectors - queries).norm(dim=2)
    # half the squared distance on the sphere is 1 - cosine, and exactly 0 between equal rows
    one, other = (each / each.norm(dim=2, keepdim=True).clamp_min(1e-300) for each in (queries, vectors))
    apart = (one - other).square().sum(2) / 2
    return torch.where(((one == 0).all(2)) != ((other == 0).all(2)), 1.0, apart)


def _approximated(index: Index, seed: int) -> Index:
    """The index with inverted lists, looked into until recall is 0.95 or a quarter of them is read."""
    count, width = index.vectors.shape
    lists = new_lists(count, width, inner=index.metric == "cosine", seed=seed)
    numbers = np.random.default_rng(seed)
    lists.train(_sent(index, np.sort(numbers.permutation(count)[: TRAINED * lists.nlist])))
    step = max(1, BLOCK // width)
    for start in range(0, count, step):
        lists.add(_sent(index, np.arange(start, min(start + step, count))))
    made = replace(index, _lists=lists)
    judged = np.sort(numbers.permutation(count)[:JUDGED])
    asked, at = index.vectors[judged], min(AT + 1, count)
    wanted, _ = index.query(asked, at)
    looked, recall = 2, 0.0
    while recall < WANTED and 4 * looked <= max(lists.nlist, 8):
        looked *= 2
        lists.nprobe = looked
        recall = _recall(made.query(asked, at)[0], wanted)
    return replace(made, recall=recall)


def _recall(found: Int[np.ndarray, "m k"], wanted: Int[np.ndarray, "m k"]) -> float:
    """The share of each row's neighbours that were found; the row itself, in both, does not count."""
    shared = (found[:, :, None] == wanted[:, None]).any(2).sum(1)
    return float(((shared - 1) / max(1, wanted.shape[1] - 1)).mean()) if wanted.shape[1] > 1 else 1.0


def _sent(index: Index, rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m c"]:
    """Rows as the lists get them: of length one where cosines count."""
    vectors = np.asarray(index.vectors[rows], np.float32)
    return vectors / np.maximum(index.norms[rows], 1e-30)[:, None].astype(np.float32) if index.metric == "cosine" else vectors
