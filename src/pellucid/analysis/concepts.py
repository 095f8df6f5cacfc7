"""Pictures of which it is known what each pixel shows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import Bool, Int
from PIL import Image
from torch import Tensor

from pellucid.data.decode import ORIENTATION, fit
from pellucid.data.listing import list_files
from pellucid.data.stream import Sample, Stream, open_stream
from pellucid.errors import PellucidError, UsageError
from pellucid.terrarium.world import CLASSES, PARTS, draw

LEARNED = {0: "the bundled network", 1: "its judge"}  # whose training pictures a world holds
COUNT, SEED = 540, 1_000_003  # of pictures, and of the world that they come from, where nothing else is asked for
TABLE = "concepts.csv"
SCENES = 128  # drawn ones that are kept, more than a stream reads ahead: picture and masks come from one drawing

Masks = tuple[Int[Tensor, " m"], Bool[Tensor, "m h w"]]


@dataclass(frozen=True)
class Concepts:
    """Labelled pictures; made by `terrarium_concepts` or `folder_concepts`.

    Attributes:
        names: of all concepts.
        stream: the pictures.
        masks: from a picture's index to the concepts that it shows, by their places in `names`, and where it shows each.
    """

    names: tuple[str, ...]
    stream: Stream
    masks: Callable[[int], Masks] = field(repr=False)


def terrarium_concepts(count: int = COUNT, *, size: tuple[int, int], channels: int = 3, seed: int = SEED) -> Concepts:
    """Pictures of the bundled world, with the parts that they show.

    Args:
        count: of pictures, the classes in turns.
        size: (height, width) of the pictures and masks, in pixels.
        channels: 3 for RGB, 1 for grey.
        seed: of a world that no bundled network learned from, 2 or more.

    Raises:
        UsageError: no picture, or a world that a bundled network learned from.

    >>> concepts = terrarium_concepts(2, size=(48, 48))
    >>> numbers, masks = concepts.masks(0)
    >>> concepts.names[numbers[0]], masks.shape[1:]
    ('sand', torch.Size([48, 48]))
    """
    if count < 1:
        raise UsageError(f"count={count}: at least 1 picture is needed")
    if seed in LEARNED:
        raise UsageError(f"seed={seed}: {LEARNED[seed]} learned from the pictures of this world; give a seed of 2 or more")
    scene = lru_cache(SCENES)(lambda index: draw(index, seed=seed))
    samples = [Sample(index, f"terrarium/{index:06d}", index % len(CLASSES)) for index in range(count)]

    def read(index: int) -> Image.Image:
        return scene(index).picture.convert("L" if channels == 1 else "RGB")

    def masks(index: int) -> Masks:
        found = {PARTS.index(name): mask for name, mask in scene(index).masks.items()}
        return _fitted(dict(sorted(found.items())), size)

    return Concepts(PARTS, Stream(size, channels, samples, CLASSES, f"terrarium:{count}", read, lambda: [seed]), masks)


def folder_concepts(images: Path | str, masks: Path | str, *, size: tuple[int, int], channels: int = 3) -> Concepts:
    """A folder of pictures, and one of masks.

    For the picture `a/b.jpg` there is the mask `a/b.png`: an indexed or grey PNG of the size of the upright picture, whose values
    are the numbers of concepts. `concepts.csv` beside the masks has the columns `number` and `name`; a number may have several
    rows, its pixels show all of them, and several numbers may have one name. The number 0 needs no row: it is what has no label.

    Args:
        images: the folder of pictures; those that cannot be read are skipped, as everywhere.
        masks: the folder of masks.
        size: (height, width) that pictures and masks are brought to: the short side fits, the centre is cut out, and a mask keeps
            the pixels of which it covers at least half.
        channels: 3 for RGB, 1 for grey.

    Raises:
        UsageError: a folder or the table is not there or says nothing; pictures without masks, masks without pictures, masks of
            another size, each with how many there are. Numbers without a name, when a mask is read.
    """
    stream, folder = open_stream(images, size=size, channels=channels), Path(masks)
    meanings, names = _table(folder / TABLE)
    known = {each.relative_to(folder).as_posix() for each in list_files(folder)} - {TABLE}
    wanted = {sample.name: PurePosixPath(sample.name).with_suffix(".png").as_posix() for sample in stream.samples}
    _refuse([name for name, mask in wanted.items() if mask not in known], len(wanted), "pictures have no mask")
    _refuse(sorted(known - set(wanted.values())), len(known), "masks belong to no picture")
    sizes = {name: (_size(Path(images) / name), _size(folder / mask)) for name, mask in wanted.items()}
    wrong = [f"{wanted[name]} ({_times(b)} for {_times(a)})" for name, (a, b) in sizes.items() if a and b and a != b]
    _refuse(wrong, len(wanted), "masks are of another size than their pictures")

    def read(index: int) -> Masks:
        return _fitted(_split(folder / wanted[stream.samples[index].name], meanings), size)

    return Concepts(names, stream, read)


def _table(path: Path) -> tuple[dict[int, list[int]], tuple[str, ...]]:
    """What each number means, by places among the names; and the names."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(int(row["number"]), str(row["name"]).strip()) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        said = f"no column {error}" if isinstance(error, KeyError) else error
        raise UsageError(
            f"the table of concepts {str(path)!r} cannot be read: {said}; it has the columns number and name"
        ) from error
    names = tuple(dict.fromkeys(name for _, name in rows))
    if not all(names) or not names:
        raise UsageError(f"the table of concepts {str(path)!r} {'has a row without a name' if names else 'names no concept'}")
    meanings: dict[int, list[int]] = {0: []}
    for number, name in rows:
        meanings.setdefault(number, []).append(names.index(name))
    return meanings, names


def _refuse(found: Sequence[str], count: int, what: str) -> None:
    if found:
        raise UsageError(f"{len(found)} of {count} {what}: {', '.join(found[:3])}{'…' * (len(found) > 3)}")


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of an upright picture, read from its head; None where it is none."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return (height, width) if picture.getexif().get(ORIENTATION, 1) >= 5 else (width, height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _split(path: Path, meanings: Mapping[int, Sequence[int]]) -> dict[int, np.ndarray]:
    """The concepts in the file of a mask, and where each is."""
    try:
        with Image.open(path) as picture:
            bands, values = picture.getbands(), np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise PellucidError(f"the mask {str(path)!r} cannot be read: {error}") from error
    if len(bands) > 1:
        raise UsageError(f"the mask {str(path)!r} has the colours {''.join(bands)}; give an indexed or grey PNG")
    numbers = [int(each) for each in np.unique(values)]
    if unknown := [each for each in numbers if each not in meanings]:
        shown = ", ".join(map(str, unknown[:3])) + "…" * (len(unknown) > 3)
        raise UsageError(f"the mask {str(path)!r} holds {len(unknown)} numbers that {TABLE} does not name: {shown}")
    found: dict[int, np.ndarray] = {}
    for number in numbers:
        for concept in meanings[number]:
            found[concept] = found.get(concept, False) | (values == number)
    return dict(sorted(found.items()))


def _fitted(masks: Mapping[int, np.ndarray], size: tuple[int, int]) -> Masks:
    """The centres of masks at exactly this size, as `fit` cuts pictures."""
    planes = [np.asarray(fit(Image.fromarray(mask.astype(np.uint8) * 255), size)) >= 128 for mask in masks.values()]
    return torch.tensor(list(masks), dtype=torch.int64), torch.from_numpy(np.stack([np.zeros(size, bool), *planes])[1:])
