"""Pictures with ids and labels, decoded ahead of whoever reads them."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pellucid.arrays import to_image
from pellucid.data.decode import decode, fit
from pellucid.data.listing import folder_labels, list_files, table_labels
from pellucid.errors import PellucidError, UsageError

TERRARIUM_COUNT, TERRARIUM_SEED = 2000, 1  # not the seed that the network was trained with


@dataclass(frozen=True)
class Sample:
    """One picture of a stream: its id (place in the sorted listing, broken files counted), its name, its label."""

    index: int
    name: str
    label: int | None


@dataclass
class Stream:
    """Pictures of one size in a fixed order; made by `open_stream`.

    `label_names` are what the samples' labels index; `broken` holds why files were left out so far, by their index.
    """

    size: tuple[int, int]
    channels: int
    samples: Sequence[Sample]
    label_names: tuple[str, ...]
    source: str
    read: Callable[[int], Image.Image] = field(repr=False)
    identity: Callable[[], Sequence[int]] = field(repr=False)
    broken: dict[int, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of every picture that could not be read so far, in the stream's order."""
        return [(self.samples[index].name, self.broken[index]) for index in sorted(self.broken)]

    def picture(self, index: int) -> Image.Image:
        """One picture, upright, its centre at exactly the stream's size.

        Raises:
            PellucidError: the file is broken or no picture; the message is the reason.
        """
        return fit(self.read(index), self.size)

    def fingerprint(self) -> str:
        """A hash of what the stream would read: names, file sizes, labels and the size of the pictures (no file is opened)."""
        about = [self.size, self.channels, self.label_names, [(each.name, each.label) for each in self.samples], self.identity()]
        return hashlib.sha256(json.dumps(about, separators=(",", ":")).encode()).hexdigest()

    def batches(
        self, start: int, stop: int, *, batch: int, threads: int | None = None
    ) -> Iterator[tuple[list[Sample], Float[Tensor, "n c h w"]]]:
        """The pictures from `start` up to `stop`, in order; threads decode up to two batches ahead.

        Broken pictures are left out and noted in `broken`; every batch covers the same indices whatever is broken.

        Args:
            start: first index.
            stop: index after the last.
            batch: pictures a batch, at least 1.
            threads: how many decode at once; None for one a core, at most 8.

        Returns:
            An iterator of (samples, images in [0, 1]); batches of which nothing can be read are left out.
        """
        indices = range(start, min(stop, len(self)))
        pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 8) if threads is None else threads, "pellucid-decode")
        try:
            images = _ahead(pool, self._image, indices, 2 * batch)
            for first in range(indices.start, indices.stop, batch):
                known = self.samples[first : min(first + batch, indices.stop)]
                found = [
                    (sample, image) for sample, image in zip(known, islice(images, len(known)), strict=True) if image is not None
                ]
                if found:
                    yield [sample for sample, _ in found], torch.stack([image for _, image in found])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _image(self, index: int) -> Float[Tensor, "c h w"] | None:
        try:
            return to_image(self.picture(index), self.channels)
        except PellucidError as error:
            self.broken[index] = str(error)
            return None


def open_stream(
    source: str | Path, *, size: tuple[int, int], channels: int = 3, labels: Path | str | None = None, classes: Sequence[str] = ()
) -> Stream:
    """The pictures of a folder, or of the bundled world.

    Args:
        source: a folder, read with its sub-folders (the first one of a path is the picture's label), or `terrarium[:COUNT]`.
        size: (height, width) of the pictures, in pixels: the short side fits, the centre is cut out.
        channels: 3 for RGB, 1 for grey.
        labels: a CSV table with the columns `file` (relative to the folder) and `class_index` or `label`.
        classes: the network's class names; labels that are all among them become class indices.

    Raises:
        UsageError: no such folder, an empty one, a table that does not fit it, other channels.

    >>> stream = open_stream("terrarium:3", size=(48, 64))
    >>> [sample.name for sample in stream.samples], stream.picture(2).size
    (['terrarium/000000', 'terrarium/000001', 'terrarium/000002'], (64, 48))
    """
    if channels not in (1, 3):
        raise UsageError(f"pictures have 1 or 3 channels, not {channels}")
    if str(source).partition(":")[0] == "terrarium":
        if labels is not None:
            raise UsageError("the terrarium knows its labels: leave out 'labels'")
        return _terrarium(str(source), size, channels)
    return _folder(Path(source), size, channels, None if labels is None else Path(labels), classes)


def _folder(folder: Path, size: tuple[int, int], channels: int, labels: Path | None, classes: Sequence[str]) -> Stream:
    files = list_files(folder)
    # a name that is not UTF-8 could be written to no table; the path keeps it
    names = [str(file.relative_to(folder).as_posix()).encode(errors="surrogateescape").decode(errors="replace") for file in files]
    numbers, label_names = folder_labels(names, classes) if labels is None else table_labels(names, labels, classes)
    samples = [Sample(index, name, label) for index, (name, label) in enumerate(zip(names, numbers, strict=True))]

    def sizes() -> list[int]:
        return [file.stat().st_size if file.is_file() else -1 for file in files]

    return Stream(size, channels, samples, label_names, str(folder), lambda index: decode(files[index], size, channels), sizes)


def _terrarium(source: str, size: tuple[int, int], channels: int) -> Stream:
    from pellucid.terrarium.world import CLASSES, draw

    count = source.partition(":")[2] or str(TERRARIUM_COUNT)
    if not (count.isascii() and count.isdigit() and int(count) > 0):
        raise UsageError(f"{source!r}: the terrarium's count is a whole number above 0, as in 'terrarium:2000'")
    samples = [Sample(index, f"terrarium/{index:06d}", index % len(CLASSES)) for index in range(int(count))]

    def read(index: int) -> Image.Image:
        scene = draw(index, seed=TERRARIUM_SEED, label=CLASSES[index % len(CLASSES)], masks=False)
        return scene.picture.convert("L" if channels == 1 else "RGB")

    return Stream(size, channels, samples, tuple(CLASSES), source, read, lambda: [TERRARIUM_SEED])


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[int], Tensor | None], items: Sequence[int], window: int
) -> Iterator[Tensor | None]:
    """Results in order, with at most `window` items submitted and not yet taken."""
    waiting: deque[Future[Tensor | None]] = deque(pool.submit(work, item) for item in items[:window])
    for item in items[window:]:
        result = waiting.popleft()
        value = result.result()
        waiting.append(pool.submit(work, item))
        yield value
    while waiting:
        yield waiting.popleft().result()
