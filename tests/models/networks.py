"""Small networks, each with one habit that trips tools up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Inplace(nn.Module):
    """A plain CNN whose ReLUs overwrite what the convolutions returned; six classes."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(channels, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.head(self.drop(x.mean((2, 3))))


class Functional(nn.Module):
    """ReLUs, sums and pooling as functions, with batch normalisation and a skip that is added in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.conv3 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        y = F.relu6(self.conv2(x))
        y += x
        y = torch.relu_(self.conv3(y))
        return self.head(y.flatten(2).mean(2))


class Reused(nn.Module):
    """One ReLU module that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU()
        self.head = nn.Linear(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.conv2(self.relu(self.conv1(x)))).mean((2, 3)))


class Block(nn.Module):
    """Attention and a perceptron, each added to what came."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(x)


class Tokens(nn.Module):
    """A small vision transformer for any picture of multiples of 8: a class token before, a register behind the grid."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, stride=8)
        self.first, self.last = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.head = nn.Linear(width, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        first, last = self.first.expand(len(x), -1, -1), self.last.expand(len(x), -1, -1)
        return self.head(self.blocks(torch.cat([first, x, last], 1))[:, 0])


class ChannelsLast(nn.Module):
    """Maps with the channels as last axis, as many as there are rows, so that shapes alone say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 4, stride=4), nn.LayerNorm(4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).permute(0, 2, 3, 1)
        return self.head((x + self.linear(self.norm(x))).mean((1, 2)))


class Pair(nn.Module):
    """Returns a tuple: something without pictures in it, a map, a number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> tuple[None, Tensor, int]:
        return None, self.conv(x), 3


class Tuples(nn.Module):
    """Uses a module that returns a tuple, and returns a mapping itself."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.act, self.head = Pair(), nn.ReLU(inplace=True), nn.Linear(4, 6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"features": (maps := self.act(self.pair(x)[1])), "logits": self.head(maps.mean((2, 3)))}


class Swallowing(nn.Module):
    """Catches every exception of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.after = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        try:
            return self.after(self.conv(x)).mean((2, 3))
        except Exception as error:
            raise AssertionError("the network noticed") from error


def seeded(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network of this kind with weights drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind().eval()
