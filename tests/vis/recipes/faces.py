"""The class with two faces, and which of them the judge's detectors say a picture shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from pellucid.arrays import to_image
from pellucid.models import capture, load
from pellucid.terrarium.world import Scene, draw

TWO = "cat's head or car front"
CAT, CAR = ("cat", "ear", "eye", "nose", "whiskers"), ("car", "headlight", "windscreen", "grille", "bumper", "plate")


def drawings(count: int, seed: int) -> tuple[list[Scene], Tensor]:
    scenes = [draw(index, seed=seed, label=TWO) for index in range(count)]
    return scenes, torch.stack([to_image(scene.picture) for scene in scenes])


def cats(scenes: list[Scene]) -> Tensor:
    """Which of the drawings are cats."""
    return torch.tensor([scene.parameters["face"] == "cat" for scene in scenes])


class Detector:
    """Where the judge sees parts of a cat, parts of a car or neither: three Gaussians of one shape for each layer."""

    def __init__(self, scenes: list[Scene], images: Tensor) -> None:
        self.judge = load("terrarium:judge")
        self.layers = {name: self.fit(self.maps(images, name), scenes) for name in ("mixed3b", "mixed4a", "mixed4b")}

    def maps(self, images: Tensor, layer: str) -> Tensor:
        with torch.no_grad():
            return torch.cat([capture(self.judge, batch, [layer])[layer].double() for batch in images.split(32)])

    def fit(self, maps: Tensor, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        shown = torch.stack([torch.stack([covered(scene, parts) for parts in (CAT, CAR)]) for scene in scenes])
        parts = adaptive_avg_pool2d(shown.double(), (maps.shape[2], maps.shape[3]))
        shares = torch.cat([parts, (1 - parts.sum(1, keepdim=True)).clamp(min=0)], 1).permute(0, 2, 3, 1).flatten(0, 2)
        rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
        means = shares.T @ rows / shares.sum(0)[:, None]
        spread = sum((shares[:, k, None] * (rows - means[k])).T @ (rows - means[k]) for k in range(3)) / shares.sum()
        spread = spread + 0.05 * spread.diagonal().mean() * torch.eye(len(spread))
        weights = torch.linalg.solve(spread, means.T)
        return weights, -(means * weights.T).sum(1) / 2

    def cat(self, images: Tensor) -> Tensor:
        """The cat's share of all parts that are seen."""
        areas = torch.zeros(len(images), 2, dtype=torch.double)
        for name, (weights, bias) in self.layers.items():
            seen = (self.maps(images, name).permute(0, 2, 3, 1) @ weights + bias).softmax(-1)
            areas += seen.mean((1, 2))[:, :2]
        return areas[:, 0] / areas.sum(1)

    def right(self, images: Tensor) -> Tensor:
        """Whether the judge sees the class."""
        return self.maps(images, "logits").flatten(1).argmax(1) == self.judge.class_index(TWO)


def covered(scene: Scene, parts: tuple[str, ...]) -> Tensor:
    masks = [torch.from_numpy(scene.masks[part]) for part in parts if part in scene.masks]
    return torch.stack(masks).any(0) if masks else torch.zeros(96, 96, dtype=torch.bool)
