"""One pass of pictures through a network: sampled activations, attributions and what observers keep, part by part."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, Int
from safetensors import numpy as arrays
from safetensors import torch as tensors
from torch import Tensor

from pellucid.data import store
from pellucid.data.store import Store, StoredLayer
from pellucid.data.stream import Sample, Stream
from pellucid.errors import NoPicturesError, PellucidError, UsageError
from pellucid.models.fast import Fast, fast
from pellucid.models.logits import logit_attribution
from pellucid.models.model import OUTPUT, Layer, Model

TOP = 5  # classes kept for each picture
PLASTIC = 1.32471795724474602596  # x³ = x + 1; its powers space points of the plane evenly (Roberts 2018, R2 sequence)


class Observer(Protocol):
    """Watches the whole maps of a collection and keeps something small of each part; its repr names its settings."""

    @property
    def name(self) -> str:
        """What its files are called."""
        ...

    def start(self, layers: Mapping[str, int]) -> None:
        """A part begins: forget the one before. `layers` gives the channels of each layer."""
        ...

    def see(self, ids: Int[Tensor, " n"], maps: Mapping[str, Float[Tensor, "n c h w"]]) -> None:
        """The maps of some pictures, ids ascending over the calls of a part."""
        ...

    def part(self) -> dict[str, Tensor]:
        """What to write for this part."""
        ...


def collect(
    model: Model,
    stream: Stream,
    layers: Sequence[str],
    folder: Path | str,
    *,
    positions: int = 1,
    seed: int = 0,
    part: int = 256,
    batch: int = 16,
    attributions: bool = True,
    observers: Sequence[Observer] = (),
    share: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Store:
    """Sample the activations of a stream of pictures into a folder; a second run with the same settings does only what is missing.

    Each picture gives the vectors at `positions` places inside the map, both borders left out where a map is larger than 2; the
    places are drawn from the seed and the picture's id and are the same, relatively, in all layers. Beside each vector lies its
    attribution, activation times gradient of every class logit at that place (Carter et al. 2019, Activation Atlas).

    Args:
        model: the network.
        stream: the pictures, of the size that the network takes.
        layers: names of layers; their order does not matter.
        folder: where the store is, or will be.
        positions: vectors a picture, at least 1.
        seed: of the places.
        part: pictures a part: what is lost at most when the run is killed.
        batch: pictures that go through the network together.
        attributions: whether to measure them; without, the network runs only as far as the last layer.
        observers: see all maps of all pictures, such as `pellucid.analysis.examples.TopExamples`.
        share: (i, n): only every n-th part from the i-th on, so that n processes or machines divide the work, each into a folder of
            its own; `merge` makes one store of their shares, the same as one process makes. None for everything.
        progress: called with (pictures done, pictures).

    Returns:
        The finished store, or the share's.

    Raises:
        NotFoundError: a layer is not there.
        UsageError: a number out of range; no layer; pictures of another size than the model's; the folder was begun with other
            settings; the share has no part.
        PellucidError: an activation is not finite; no picture can be read, and nothing is left then; the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> from pellucid.data.stream import open_stream
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=32)
        >>> stream = open_stream("terrarium:4", size=model.size)
        >>> found = collect(model, stream, ["1"], tempfile.mkdtemp(), attributions=False)
        >>> found.vectors("1").shape
        (4, 4)
    """
    for name, value in {"positions": positions, "part": part, "batch": batch}.items():
        if value < 1:
            raise UsageError(f"{name}={value}: at least 1 is needed")
    if not layers:
        raise UsageError("no layers were named: give at least one")
    if (stream.channels, *stream.size) != (model.channels, *model.size):
        raise UsageError(
            f"the stream gives {stream.channels} x {stream.size} pictures, the model takes {model.channels} x {model.size}: "
            "open the stream with size=model.size, channels=model.channels"
        )
    wanted = {model.layer(name).name for name in layers}
    chosen = {name: layer for name, layer in model.layers.items() if name in wanted}
    most = max(layer.height * layer.width for layer in chosen.values())
    if positions > most:
        raise UsageError(f"positions={positions}: the largest map of {', '.join(chosen)} has {most}; take at most as many")
    settings = {
        "model": model.fingerprint(),
        "stream": stream.fingerprint(),
        "layers": list(chosen),
        "pictures": len(stream),
        "positions": positions,
        "seed": seed,
        "part": part,
        "batch": batch,
        "attributions": attributions,
        "observers": {each.name: repr(each) for each in observers},
    }
    if share is not None:
        _check_share(share, len(stream), part)
        settings["share"] = list(share)
    report = (lambda done, total: None) if progress is None else progress
    _Collector(model, stream, chosen, Path(folder), settings, observers, report).run()
    try:
        return Store.open(folder)
    except NoPicturesError:
        if share is None:  # else others may have found some
            shutil.rmtree(folder)
        raise


def _check_share(share: tuple[int, int], pictures: int, part: int) -> None:
    first, of = share
    if not 1 <= first <= of:
        raise UsageError(f"share={first}/{of}: give i/n, with i from 1 to n")
    if not store.parts_of({"pictures": pictures, "part": part, "share": share}):
        raise UsageError(
            f"share={first}/{of}: {pictures} pictures have only {-(-pictures // part)} parts of {part}; take fewer shares"
        )


@dataclass
class _Collector:
    model: Model
    stream: Stream
    layers: Mapping[str, Layer]
    folder: Path
    settings: Mapping[str, Any]
    observers: Sequence[Observer]
    progress: Callable[[int, int], None]

    def run(self) -> None:
        places = {name: f"layers/{index:02d}" for index, name in enumerate(self.layers)}
        about = {
            "schema": store.SCHEMA,
            "settings": self.settings,
            "layers": [asdict(StoredLayer(n, places[n], e.channels, e.height, e.width)) for n, e in self.layers.items()],
            "classes": list(self.model.classes),
            "label_names": list(self.stream.label_names),
            "source": self.stream.source,
            "model": self.model.spec,
        }
        store.prepare(self.folder, about)
        with fast(self.model, bfloat16=False) as network:
            for number in store.parts_of(self.settings):
                self.do(number, places, network)

    def do(self, number: int, places: Mapping[str, str], network: Fast) -> None:
        size = self.settings["part"]
        start, stop = number * size, min((number + 1) * size, len(self.stream))
        if not store.table_path(self.folder, number).exists():
            found = self.collect_part(start, stop, network)
            for name in self.layers:
                store.write(store.shard_path(self.folder, places[name], number), arrays.save(found.shard(name)))
            for each in self.observers:
                store.write(store.observer_path(self.folder, each.name, number), tensors.save(_plain(each.part())))
            broken = [index for index in range(start, stop) if index in self.stream.broken]
            skipped = [(self.stream.samples[index].name, self.stream.broken[index]) for index in broken]
            notes = {"skipped": skipped, "clipped": found.clipped}
            store.write(store.notes_path(self.folder, number), json.dumps(notes, ensure_ascii=False).encode())
            store.write(store.table_path(self.folder, number), store.table_bytes(found.table(self.layers)))
        self.progress(stop, len(self.stream))

    def collect_part(self, start: int, stop: int, network: Fast) -> _Part:
        found = _Part(self.settings["positions"])
        channels = {name: layer.channels for name, layer in self.layers.items()}
        for each in self.observers:
            each.start(channels)
        for samples, images in self.stream.batches(start, stop, batch=self.settings["batch"]):
            self.see(samples, images.to(self.model.device), found, network)
            self.progress(samples[-1].index + 1, len(self.stream))
        return found

    def see(self, samples: list[Sample], images: Float[Tensor, "n c h w"], found: _Part, network: Fast) -> None:
        attributing = self.settings["attributions"]
        with torch.no_grad():
            maps = network(images, [*self.layers, OUTPUT] if attributing else list(self.layers))
        logits = maps.pop(OUTPUT, None)
        _check_finite(maps, samples)
        found.add_samples(samples, images, None if logits is None else logits.flatten(1))
        for each in self.observers:
            each.see(torch.tensor([sample.index for sample in samples], device=images.device), maps)
        shares = places(self.settings["seed"], [sample.index for sample in samples], self.settings["positions"])
        for name, map in maps.items():
            where = interior(shares, map.shape[2], map.shape[3]).to(images.device)  # n p 2
            vectors = torch.stack([map[range(len(map)), :, at[:, 0], at[:, 1]] for at in where.unbind(1)], 1)
            responses = None
            if attributing:
                _, responses = logit_attribution(self.model, images, name, where)
                if not responses.isfinite().all():
                    raise PellucidError(f"the gradients of layer {name!r} are not finite for {samples[0].name!r} or one after it")
            found.add(name, where, vectors, responses)


@dataclass
class _Part:
    """The rows of one part, picture by picture, the positions of each picture together."""

    positions: int
    samples: list[Sample] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    tops: list[list[int] | None] = field(default_factory=list)
    where: dict[str, list[np.ndarray]] = field(default_factory=dict)
    halves: dict[str, dict[str, list[np.ndarray]]] = field(default_factory=dict)
    clipped: dict[str, int] = field(default_factory=dict)

    def add_samples(self, samples: Sequence[Sample], images: Float[Tensor, "n c h w"], logits: Float[Tensor, "n k"] | None) -> None:
        self.samples += samples
        self.digests += digests(images)
        if logits is None:
            self.tops += [None] * len(samples)
        else:
            # a stable sort: classes of equal score come in their own order
            self.tops += logits.sort(dim=1, descending=True, stable=True).indices[:, :TOP].tolist()

    def add(
        self, name: str, where: Int[Tensor, "n p 2"], vectors: Float[Tensor, "n p c"], attributions: Float[Tensor, "n p k"] | None
    ) -> None:
        self.where.setdefault(name, []).append(where.flatten(0, 1).cpu().numpy())
        for kind, values in {"activations": vectors, "attributions": attributions}.items():
            if values is not None:
                half, cut = store.to_half(values.flatten(0, 1))
                self.halves.setdefault(name, {}).setdefault(kind, []).append(half)
                self.clipped[name] = self.clipped.get(name, 0) + cut

    def shard(self, name: str) -> dict[str, np.ndarray]:
        """What is written of a layer; nothing where no picture of the part could be read."""
        # safetensors would write what is not contiguous in another order, without a word
        return {kind: np.ascontiguousarray(np.concatenate(values)) for kind, values in self.halves.get(name, {}).items()}

    def table(self, layers: Mapping[str, Layer]) -> pa.Table:
        each = [sample for sample in self.samples for _ in range(self.positions)]
        columns = {
            "image": pa.array([sample.index for sample in each], pa.int64()),
            "name": pa.array([sample.name for sample in each], pa.string()),
            "label": pa.array([sample.label for sample in each], pa.int64()),
            "position": pa.array([number for _ in self.samples for number in range(self.positions)], pa.int32()),
            "digest": pa.array([digest for digest in self.digests for _ in range(self.positions)], pa.int64()),
            "classes": pa.array([top for top in self.tops for _ in range(self.positions)], pa.list_(pa.int32())),
        }
        for name in layers:
            where = np.concatenate([np.empty((0, 2), np.int64), *self.where.get(name, [])])
            columns |= {f"{axis} {name}": pa.array(where[:, index], pa.int32()) for index, axis in enumerate(("row", "col"))}
        return pa.table(columns)


def digests(images: Float[Tensor, "n c h w"]) -> list[int]:
    """A number of 64 bits for each picture: the same for the same pixels, and another one, but for chance, for others.

    >>> first, second, third = digests(torch.tensor([0.2, 0.2, 0.8])[:, None, None, None].expand(-1, 3, 4, 4))
    >>> first == second, first == third
    (True, False)
    """
    pixels = (images * 255).round_().byte().flatten(1).cpu().numpy()
    return [int.from_bytes(hashlib.blake2b(each, digest_size=8).digest(), "little", signed=True) for each in pixels]


def places(seed: int, images: Sequence[int], count: int) -> Float[np.ndarray, "n p 2"]:
    """Where to look in each picture, as shares of height and width in [0, 1): evenly spread over it, started at a random place.

    >>> places(0, [7], 3).shape, bool((places(0, [7], 3) == places(0, [6, 7], 3)[1:]).all())
    ((1, 3, 2), True)
    """
    starts = np.stack([np.random.default_rng([seed, image]).random(2) for image in images])
    steps = np.arange(count)[:, None] / np.array([PLASTIC, PLASTIC**2])
    return (starts[:, None] + steps) % 1


def interior(shares: Float[np.ndarray, "n p 2"], height: int, width: int) -> Int[Tensor, "n p 2"]:
    """Shares as (row, col) of a map, never on its border where it is larger than 2.

    >>> interior(np.array([[[0.0, 0.99]]]), 14, 2).tolist()
    [[[1, 1]]]
    """
    size = np.array([height, width])
    border = (size > 2).astype(int)
    return torch.from_numpy(border + np.floor(shares * (size - 2 * border)).astype(np.int64))


def _check_finite(maps: Mapping[str, Float[Tensor, "n c h w"]], samples: Sequence[Sample]) -> None:
    for name, map in maps.items():
        if map.sum().isfinite():  # one cheap pass; a sum can overflow where no value does, so look again
            continue
        bad = (~map.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
        if bad:
            raise PellucidError(f"layer {name!r} gives NaN or infinite values, first for the picture {samples[bad[0]].name!r}")


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
