"""What verbs that read a run need of it: its store, its network and its pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import load_model, options, source_options
from pellucid.errors import PellucidError, UsageError

if TYPE_CHECKING:
    from PIL import Image

    from pellucid.data.store import Store
    from pellucid.data.stream import Stream
    from pellucid.models import Model


collection_options = options(
    click.option("--model", help="The network of the collection; by default the one that it names."),
    source_options,
    click.option("--images", help="Where the collection's pictures are now, if they were moved."),
)


@dataclass(frozen=True)
class Collection:
    """A store with its network and its pictures."""

    store: Store
    model: Model
    stream: Stream
    names: dict[int, tuple[str, str | None]]  # and labels, as the collection had them

    def crop(self, layer: str, image: int, row: int, col: int) -> Image.Image:
        """What a position of a layer sees of a picture."""
        from pellucid.analysis.examples import crop_box

        top, left, bottom, right = crop_box(self.model.layer(layer), row, col, self.model.size)
        return picture(self.stream, image, self.names[image][0]).crop((left, top, right, bottom))

    def named(self, image: int) -> dict[str, str | None]:
        name, label = self.names[image]
        return {"name": name, "label": label}


def unit_named(text: str) -> tuple[str, int] | None:
    """A layer's name and a channel, where the text is written like a unit.

    >>> unit_named("features.7:12"), unit_named("features.7")
    (('features.7', 12), None)
    """
    unit = re.fullmatch("(.+):([0-9]+)", text)
    return None if unit is None else (unit[1], int(unit[2]))


def open_collection(run: Path, model: str | None, images: str | None, source: dict[str, Any]) -> Collection:
    """A run's store with its network and its pictures, from what `collection_options` gave."""
    store = open_store(run)
    spec = named_model(store) if model is None else model
    network = load_network(spec, store, "which says what a unit sees", **source)
    store = store.named(network.classes)
    stream = open_pictures(store, images, size=network.size, channels=network.channels)
    wanted, labels = ["image", "name", "label"], store.label_names
    samples = store.samples(wanted)
    columns = (samples[name].to_pylist() for name in wanted)
    names = {image: (name, None if label is None else labels[label]) for image, name, label in zip(*columns, strict=True)}
    return Collection(store, network, stream, names)


def open_store(run: Path) -> Store:
    """The store of a run folder, or the store that the folder is."""
    from pellucid.data.store import Store

    return Store.open(store_folder(run))


def store_folder(run: Path) -> Path:
    """The folder of a run's store, or the folder itself, which may be one."""
    return run / "store" if (run / "store" / "store.json").exists() else run


def named_model(store: Store) -> str | None:
    """The network that a store names; None where it was made in Python, or nobody noted it."""
    spec = _about(store).get("model")
    return None if spec is None or spec.startswith("python:") else spec


def load_network(spec: str | None, store: Store, why: str, **source: Any) -> Model:
    """The network of a collection.

    Args:
        spec: of the network; None where nobody named it.
        store: the collection.
        why: what it is needed for, as "which a picture has to go through".
        source: the options of `source_options`.

    Raises:
        UsageError: nobody named the network, or it is another one.
    """
    from pellucid.analysis.queries import check_network

    if spec is None:
        raise UsageError(f"--model: this collection does not name its network, {why}; give --model")
    loaded = load_model(spec, **source)
    check_network(store, loaded)
    return loaded


def open_pictures(store: Store, images: str | None, *, size: tuple[int, int], channels: int = 3) -> Stream:
    """The pictures of a collection, where they were or where `images` says that they are now."""
    from pellucid.data.stream import open_stream

    return open_stream(_about(store)["source"] if images is None else images, size=size, channels=channels)


def picture(stream: Stream, index: int, name: str) -> Image.Image:
    """One of a collection's pictures, in colour.

    Raises:
        UsageError: the stream has another picture there.
        PellucidError: it can no longer be read.
    """
    if index >= len(stream) or stream.samples[index].name != name:
        raise UsageError(f"--images: {stream.source} has no {name} where the collection had it; give its pictures")
    try:
        return stream.picture(index).convert("RGB")
    except PellucidError as error:
        raise PellucidError(f"{name}: {error}; put the picture back, or collect again") from error


def _about(store: Store) -> dict[str, Any]:
    from pellucid.data.store import read_about

    about = read_about(store.folder)
    assert about is not None
    return about
