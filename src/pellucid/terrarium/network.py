"""A small InceptionV1 for the terrarium, and the two trained copies that come with the package."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pellucid.terrarium.world import CLASSES
from pellucid.terrarium.world import SIZE as SIZE

MEAN: tuple[float, float, float] = (0.51, 0.59, 0.59)
STD: tuple[float, float, float] = (0.22, 0.19, 0.22)

WIDTH = 1.0
JUDGE_WIDTH = 0.75

_HERE = Path(__file__).parent

# channels of the branches 1×1, 3×3, 5×5 and pool of each inception block, at width 1
_BRANCHES = ((24, 40, 16, 16), (32, 56, 24, 16), (40, 64, 32, 24), (48, 80, 40, 24))


class Conv(nn.Module):
    """A convolution that keeps the size (divided by its stride), and a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv(x))


class Mixed(nn.Module):
    """An inception block: four branches of different reach, side by side in the channels.

    The channels come in the order 1×1, 3×3, 5×5, pool; `outputs` gives how many of each. Pools take the mean and not the
    maximum, whose gradient goes to single positions.
    """

    def __init__(self, inputs: int, outputs: tuple[int, ...], *, halve: bool = False) -> None:
        super().__init__()
        one, three, five, pool = outputs
        self.halve = nn.AvgPool2d(3, 2, padding=1, count_include_pad=False) if halve else nn.Identity()
        self.one = Conv(inputs, one, 1)
        self.three = nn.Sequential(Conv(inputs, three * 3 // 4, 1), Conv(three * 3 // 4, three, 3))
        self.five = nn.Sequential(Conv(inputs, five * 3 // 4, 1), Conv(five * 3 // 4, five, 5))
        self.pool = nn.Sequential(nn.AvgPool2d(3, 1, padding=1, count_include_pad=False), Conv(inputs, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.halve(x)
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


class Head(nn.Module):
    """The mean over all positions, and one linear unit for each class."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean((2, 3)))


class Terrarium(nn.Module):
    """Two convolutions, four inception blocks and a head: normalised pictures `n c h w` in, logits `n k` out.

    Args:
        width: factor on the number of channels, above 0.2.
        classes: number of logits.

    >>> Terrarium(width=0.5)(torch.zeros(2, 3, 64, 96)).shape
    torch.Size([2, 18])
    """

    def __init__(self, width: float = WIDTH, classes: int = len(CLASSES)) -> None:
        super().__init__()

        def of(*channels: int) -> tuple[int, ...]:
            return tuple(max(4, round(c * width / 4) * 4) for c in channels)

        (first, second), plans = of(32, 64), [of(*plan) for plan in _BRANCHES]
        self.conv1 = Conv(3, first, 5, 2)
        self.conv2 = Conv(first, second, 3, 2)
        self.mixed3a = Mixed(second, plans[0])
        self.mixed3b = Mixed(sum(plans[0]), plans[1])
        self.mixed4a = Mixed(sum(plans[1]), plans[2], halve=True)
        self.mixed4b = Mixed(sum(plans[2]), plans[3])
        self.head = Head(sum(plans[3]), classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x))
        x = self.mixed3b(self.mixed3a(x))
        x = self.mixed4b(self.mixed4a(x))
        return self.head(x)


def _bundled(name: str, width: float) -> nn.Module:
    network = Terrarium(width)
    # stored in half precision; the values are what the network was tested with
    network.load_state_dict({key: value.float() for key, value in load_file(_HERE / name).items()})
    return network.eval().requires_grad_(True)


def load() -> nn.Module:
    """The bundled network, in eval mode, with weights that never change within a version.

    Returns:
        A `Terrarium` of width 1 that takes pictures normalised with `MEAN` and `STD`.

    >>> [name for name, _ in load().named_children()]
    ['conv1', 'conv2', 'mixed3a', 'mixed3b', 'mixed4a', 'mixed4b', 'head']
    """
    return _bundled("weights.safetensors", WIDTH)


def load_judge() -> nn.Module:
    """The second bundled network: another seed, another width, to check what the first one's pictures show.

    >>> load_judge()(torch.zeros(1, 3, SIZE, SIZE)).shape
    torch.Size([1, 18])
    """
    return _bundled("judge.safetensors", JUDGE_WIDTH)
