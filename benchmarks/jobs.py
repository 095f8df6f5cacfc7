"""What is measured: units of networks, with the pixels and the batch that everybody gets."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

REAL = Path(os.environ.get("PELLUCID_REAL", "../shared/real")) / "models"  # real networks, where a developer has them
PHOTOS = REAL.parent / "photos"


@dataclass(frozen=True)
class Network:
    """A network to look into, as `pellucid.load` takes it; `needs` is the file or the package without which it is left out."""

    title: str
    spec: str
    needs: Path | str | None = None

    @property
    def available(self) -> bool:
        if isinstance(self.needs, Path):
            return self.needs.exists()
        return self.needs is None or importlib.util.find_spec(self.needs) is not None


@dataclass(frozen=True)
class Job:
    """Units of one layer, each as a picture of `size` pixels, in batches of `batch`.

    A class is a unit of the layer "logits"; an icon aims at the centre of its layer along a direction instead of at a channel.
    A tool that shows the network small parts of a picture may have a larger one, `canvas`.
    """

    network: Network
    layer: str
    units: tuple[int, ...]
    size: int
    icons: bool = False
    batch: int = 8
    canvas: int | None = None

    @property
    def what(self) -> str:
        if self.icons:
            return f"{len(self.units)} icons at {self.layer}"
        return f"{len(self.units)} class logits" if self.layer == "logits" else f"{len(self.units)} channels of {self.layer}"

    @property
    def batches(self) -> list[tuple[int, ...]]:
        return [self.units[start : start + self.batch] for start in range(0, len(self.units), self.batch)]

    def first(self, units: int) -> Job:
        return replace(self, units=self.units[:units])

    def directions(self, channels: int) -> Float[np.ndarray, "m c"]:
        """A direction for each icon, none of whose numbers is negative, like a mean of activations behind a ReLU."""
        return np.random.default_rng(0).random((max(self.units) + 1, channels), dtype=np.float32)[list(self.units)]


SQUEEZENET = Network("SqueezeNet", f"{REAL / 'squeezenet.py'}:load", REAL / "squeezenet.py")
TERRARIUM = Network("terrarium", "terrarium")
VIT = Network("ViT-S/16, random weights", "timm:vit_small_patch16_224@none", "timm")
RESNET = Network("ResNet-50, random weights", "torchvision:resnet50", "torchvision")
ICONS = tuple(range(64))


def jobs(device: str) -> list[Job]:
    """The rows of the table; a GPU gets larger batches, and one network more."""
    rows = [
        Job(SQUEEZENET, "features.7", tuple(range(0, 256, 16)), 224),
        Job(SQUEEZENET, "logits", tuple(range(0, 800, 100)), 224),
        Job(SQUEEZENET, "features.12", ICONS, 96, icons=True),
        Job(TERRARIUM, "mixed4a", tuple(range(0, 160, 10)), 96),
        Job(TERRARIUM, "logits", tuple(range(8)), 96),
        Job(TERRARIUM, "mixed4b", ICONS, 72, icons=True),
        Job(VIT, "blocks.5", tuple(range(0, 384, 24)), 224),
        Job(VIT, "logits", tuple(range(0, 800, 100)), 224),
        Job(VIT, "blocks.5", ICONS[:16], 224, icons=True),
    ]
    if device != "cpu":
        rows.append(Job(RESNET, "layer3", tuple(range(512)), 224))
    return [replace(job, batch=_batch(job.size, device)) for job in rows]


def _batch(size: int, device: str) -> int:
    """As many as pellucid takes by itself where memory is no matter: on a CPU, as many as its caches hold."""
    return (8 if size > 128 else 32) if device == "cpu" else 64


def one_class() -> Job:
    """One picture of one class, for what a person waits for."""
    return Job(SQUEEZENET, "logits", (130,), 224) if SQUEEZENET.available else Job(TERRARIUM, "logits", (3,), 96)
