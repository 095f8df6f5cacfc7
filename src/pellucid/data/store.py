"""Sampled activations on disk, with where each came from; read without any network.

store.json                          the settings, the layers and the folder of each
samples/00000.parquet               one row a sample; written last: a part is complete exactly when this file is there
layers/00/00000.safetensors         `activations` (r c) and `attributions` (r k), float16
observers/examples/00000.safetensors  what an observer kept of this part
notes/00000.json                    what was skipped and why, what did not fit into float16
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor

from pellucid.errors import NoPicturesError, NotFoundError, PellucidError, UsageError
from pellucid.files import TEMPORARY, writing
from pellucid.settings import differences

SCHEMA = 2


class Rows:
    """The parts of one matrix as one, memory-mapped: index it with a row, a slice, numbers or a mask; `np.asarray` reads it all.

    >>> rows = Rows([np.zeros((2, 3), np.float16), np.ones((4, 3), np.float16)])
    >>> rows.shape, rows[[5, 0]][:, 0].tolist(), np.asarray(rows).sum()
    ((6, 3), [1.0, 0.0], np.float16(12.0))
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, int] = (int(self._ends[-1]), parts[0].shape[1])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.concatenate(self._parts).astype(self.dtype if dtype is None else dtype, copy=False)

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._run(start, max(start, stop))
            rows = np.arange(start, stop, step)
        wanted = np.arange(len(self))[rows]
        flat = np.atleast_1d(wanted)
        found = np.empty((len(flat), self.shape[1]), self.dtype)
        owner = np.searchsorted(self._ends, flat, side="right")
        for part in np.unique(owner):
            here = owner == part
            found[here] = self._parts[part][flat[here] - (self._ends[part] - len(self._parts[part]))]
        return found if np.ndim(wanted) else found[0]

    def _run(self, start: int, stop: int) -> np.ndarray:
        """Neighbouring rows, without a number for each."""
        begins = self._ends - [len(part) for part in self._parts]
        pieces = [part[max(0, start - begin) : max(0, stop - begin)] for part, begin in zip(self._parts, begins, strict=True)]
        return np.concatenate([piece for piece in pieces if len(piece)] or [np.empty((0, self.shape[1]), self.dtype)])


@dataclass(frozen=True)
class StoredLayer:
    """A layer as the store knows it; `folder` is where its vectors lie."""

    name: str
    folder: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Store:
    """A finished collection, or a share of one; made by `collect`, opened again by `Store.open`."""

    folder: Path
    settings: Mapping[str, Any]
    stored: Mapping[str, StoredLayer]
    classes: tuple[str, ...]
    label_names: tuple[str, ...]
    _cache: dict[tuple[str, str], Rows] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path | str) -> Store:
        """The store in a folder.

        Raises:
            UsageError: there is none, or of another version.
            PellucidError: it is not finished, or none of its pictures could be read.
        """
        folder = Path(folder)
        about = read_about(folder)
        if about is None:
            raise UsageError(f"{str(folder)!r} holds no store (no store.json)")
        stored = {each["name"]: StoredLayer(**each) for each in about["layers"]}
        store = cls(folder, about["settings"], stored, tuple(about["classes"]), tuple(about["label_names"]))
        missing = sum(not table_path(folder, number).exists() for number in store.parts)
        if missing:
            raise PellucidError(
                f"the store {str(folder)!r} is not finished: {missing} of {len(store.parts)} parts are missing; run collect again"
            )
        if not len(store):
            name, reason = store.skipped[0]
            raise NoPicturesError(f"none of the {len(store.skipped)} pictures could be read; the first, {name!r}: {reason}")
        return store

    def __len__(self) -> int:
        with self._reading():
            return sum(pq.read_metadata(table_path(self.folder, number)).num_rows for number in self.parts)

    @property
    def layers(self) -> dict[str, int]:
        """Channels by layer, in the network's order."""
        return {name: layer.channels for name, layer in self.stored.items()}

    @property
    def parts(self) -> range:
        """The numbers of its parts: all, or those of its share."""
        return parts_of(self.settings)

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of every picture left out."""
        return [(name, reason) for note in self._notes for name, reason in note["skipped"]]

    @property
    def clipped(self) -> dict[str, int]:
        """By layer: how many stored values were larger than float16 holds (65,504) and were cut to it."""
        return {name: sum(note["clipped"].get(name, 0) for note in self._notes) for name in self.stored}

    @property
    def copies(self) -> list[tuple[str, str]]:
        """(name, name of the first) of every picture that is, at the network's size, the same as an earlier one."""
        samples = self.samples(["name", "position", "digest"])
        first = samples.filter(samples["position"].to_numpy() == 0)
        _, earliest, place = np.unique(first["digest"].to_numpy(), return_index=True, return_inverse=True)
        known = earliest[place]
        names = first["name"]
        return [(names[int(at)].as_py(), names[int(known[at])].as_py()) for at in (known != np.arange(len(known))).nonzero()[0]]

    @property
    def unlabelled(self) -> list[str]:
        """The names of pictures without a label, where some have one."""
        samples = self.samples(["name", "position", "label"])
        first = samples.filter(samples["position"].to_numpy() == 0)
        without = first["label"].is_null().to_numpy()
        return [] if without.all() else first["name"].filter(without).to_pylist()

    def named(self, classes: Sequence[str]) -> Store:
        """The store with its network's names for the classes, and for labels that are their numbers, where it has none itself.

        Args:
            classes: names, as `Model.classes` has them.
        """
        numbers = tuple(map(str, range(len(classes))))
        if self.classes != numbers:
            return self
        return replace(
            self, classes=tuple(classes), label_names=tuple(classes) if self.label_names == numbers else self.label_names
        )

    def layer(self, name: str) -> StoredLayer:
        """What is known of a layer.

        Raises:
            NotFoundError: it was not collected; the nearest names.
        """
        if name not in self.stored:
            raise NotFoundError(f"in the store {str(self.folder)!r} the layer", name, self.stored)
        return self.stored[name]

    def vectors(self, layer: str) -> Rows:
        """The activation vectors of a layer, float16, one row a sample."""
        return self._rows(layer, "activations")

    def attributions(self, layer: str) -> Rows:
        """Activation times gradient of every class logit at the sampled position, float16, one row a sample.

        Raises:
            UsageError: they were not collected.
        """
        if not self.settings["attributions"]:
            raise UsageError(f"the store {str(self.folder)!r} was collected without attributions")
        return self._rows(layer, "attributions")

    def samples(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row a sample: image, name, label, position (its number within the picture), digest (of the picture), row and col by
        layer, top classes.

        Args:
            columns: that are read; None for all.
        """
        with self._reading():
            return pa.concat_tables([pq.read_table(table_path(self.folder, number), columns=columns) for number in self.parts])

    def positions(self, layer: str) -> Int[np.ndarray, "n 2"]:
        """Where in a layer's map each sample was taken: (row, col)."""
        self.layer(layer)
        samples = self.samples()
        return np.stack([samples[f"{axis} {layer}"].to_numpy() for axis in ("row", "col")], 1)

    def extras(self, observer: str) -> list[dict[str, np.ndarray]]:
        """What an observer kept, part by part.

        Raises:
            NotFoundError: no such observer watched this collection.
        """
        if observer not in self.settings["observers"]:
            raise NotFoundError(f"in the store {str(self.folder)!r} the observer", observer, self.settings["observers"])
        with self._reading():
            return [load_file(observer_path(self.folder, observer, number)) for number in self.parts]

    def observed(self, observer: str, name: str) -> Rows:
        """A float16 matrix that an observer kept, the rows of all parts, memory-mapped."""
        return self._mapped([observer_path(self.folder, observer, number) for number in self.parts], name)

    @cached_property
    def _notes(self) -> list[dict[str, Any]]:
        with self._reading():
            return [json.loads(notes_path(self.folder, number).read_text()) for number in self.parts]

    def _rows(self, layer: str, kind: str) -> Rows:
        key = (self.layer(layer).folder, kind)
        if key not in self._cache:
            self._cache[key] = self._mapped([shard_path(self.folder, key[0], number) for number in self.parts], kind)
        return self._cache[key]

    def _mapped(self, paths: Sequence[Path], name: str) -> Rows:
        with self._reading():
            return Rows([part for path in paths if (part := map_tensor(path, name)) is not None])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Say in one line that a file is missing or damaged."""
        try:
            yield
        except (OSError, ValueError, IndexError, KeyError, pa.ArrowException, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise PellucidError(f"the store {str(self.folder)!r} is damaged ({reason}): delete it and collect again") from error


def parts_of(settings: Mapping[str, Any]) -> range:
    """The numbers of the parts of a collection, or of its share, which is every n-th from the first to the n-th on.

    >>> list(parts_of({"pictures": 10, "part": 2, "share": [2, 3]}))
    [1, 4]
    """
    first, of = settings.get("share", (1, 1))
    return range(first - 1, -(-settings["pictures"] // settings["part"]), of)


def table_path(folder: Path, number: int) -> Path:
    return folder / "samples" / f"{number:05d}.parquet"


def notes_path(folder: Path, number: int) -> Path:
    return folder / "notes" / f"{number:05d}.json"


def shard_path(folder: Path, layer: str, number: int) -> Path:
    return folder / layer / f"{number:05d}.safetensors"


def observer_path(folder: Path, observer: str, number: int) -> Path:
    return folder / "observers" / observer / f"{number:05d}.safetensors"


def map_tensor(path: Path, name: str) -> np.ndarray | None:
    """One float16 matrix of a safetensors file (header length, JSON header, bytes), memory-mapped; None where it has none."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length)).get(name)
    if entry is None:
        return None
    return np.memmap(path, "<f2", "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))


def read_about(folder: Path) -> dict[str, Any] | None:
    """The contents of store.json, None where there is none."""
    try:
        about = json.loads((folder / "store.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise PellucidError(f"{str(folder / 'store.json')!r} cannot be read: {error}") from error
    if about.get("schema") != SCHEMA:
        raise UsageError(
            f"the store {str(folder)!r} has version {about.get('schema')}, this pellucid reads {SCHEMA}: collect again elsewhere"
        )
    return about


def write(path: Path, content: bytes) -> None:
    """A file that is on the disk before its name is there."""
    with writing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def table_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def prepare(folder: Path, about: dict[str, Any]) -> None:
    """A folder into which parts with these settings can be written: new, or begun with the same ones.

    Raises:
        UsageError: it was begun with other settings (each one that differs), or holds something else.
        PellucidError: it cannot be written.
    """
    known = read_about(folder)
    if known is not None:
        compare(folder, known["settings"], about["settings"])
    elif folder.is_dir() and any(not path.name.endswith(TEMPORARY) for path in folder.iterdir()):
        raise UsageError(f"{str(folder)!r} is not empty and holds no store: choose another folder")
    else:
        write(folder / "store.json", json.dumps(about, indent=1, ensure_ascii=False).encode())
    for left in list(folder.rglob(f"*{TEMPORARY}")):
        left.unlink(missing_ok=True)


def compare(folder: Path, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse settings that differ from a store's.

    Raises:
        UsageError: with each one that differs.
    """
    if differing := differences(known, json.loads(json.dumps(wanted))):
        raise UsageError(f"the store {str(folder)!r} was made with other settings: {differing}; use the same, or another folder")


def to_half(values: Tensor) -> tuple[np.ndarray, int]:
    """A float matrix as float16, and how many values had to be cut to its range."""
    limit = float(np.finfo(np.float16).max)
    return values.clamp(-limit, limit).half().cpu().numpy(), int((values.abs() > limit).sum())
