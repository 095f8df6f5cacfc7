"""Pictures and networks that the tests of attribution share."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from pellucid.arrays import to_image
from pellucid.models import Model, load
from pellucid.terrarium.world import draw


@cache
def network() -> Model:
    return load("terrarium")


@cache
def scenes(*labels: str) -> Tensor:
    return torch.stack([to_image(draw(0, seed=5, label=label, masks=False).picture) for label in labels])


class Small(nn.Module):
    """Two convolutions, a max pool, an in-place ReLU and a functional one, six classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.act, self.pool = nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.conv2, self.head = nn.Conv2d(6, 8, 3), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.conv1(x)))
        return self.head(torch.relu(self.conv2(x)).square().mean((2, 3)))


def small(dtype: torch.dtype = torch.float32) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return load(Small().to(dtype).eval(), size=16)


def noise(count: int = 2, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(3))
