"""A small network that predicts pictures from noisy ones."""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (32, 64, 96)  # channels at a half, a quarter and an eighth of the picture's side: 0.7 million weights in all
BLOCKS = (1, 2, 2)  # residual blocks on the way down, and again on the way up (at the bottom: in all)
WAVES, LEVEL = 16, 32  # what tells the network the strength of the noise
MULTIPLE = 2 ** len(WIDTHS)


class Denoiser(nn.Module):
    """A U-Net of residual blocks whose two halves are added, not concatenated; made for the preconditioning in `Prior.denoise`.

    Args:
        channels: of the pictures.

    >>> Denoiser(3)(torch.zeros(2, 3, 16, 24), torch.zeros(2)).shape
    torch.Size([2, 3, 16, 24])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        scales = list(itertools.pairwise(WIDTHS))
        self.level = nn.Sequential(nn.Linear(2 * WAVES, LEVEL), nn.SiLU(), nn.Linear(LEVEL, LEVEL), nn.SiLU())
        self.enter = nn.Conv2d(4 * channels, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, count) for width, count in zip(WIDTHS, BLOCKS, strict=True))
        self.widen = nn.ModuleList(nn.Conv2d(fine, coarse, 1) for fine, coarse in scales)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in scales)
        self.up = nn.ModuleList(_blocks(width, count) for width, count in zip(WIDTHS[:-1], BLOCKS[:-1], strict=True))
        self.norm, self.leave = Norm(WIDTHS[0]), _silent(nn.Conv2d(WIDTHS[0], 4 * channels, 3, padding=1))

    def forward(self, x: Float[Tensor, "n c h w"], level: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        phases = level[:, None] * torch.linspace(0, math.log(60), WAVES, device=x.device).exp()
        told = self.level(torch.cat([phases.cos(), phases.sin()], 1))
        x = self.enter(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        kept: list[Tensor] = []
        for place, blocks in enumerate(self.down):
            if place:
                kept.append(x)
                x = self.widen[place - 1](F.avg_pool2d(x, 2))
            x = _through(blocks, x, told)
        for narrow, blocks in reversed(list(zip(self.narrow, self.up, strict=True))):
            x = _through(blocks, kept.pop() + F.interpolate(narrow(x), scale_factor=2, mode="nearest"), told)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2)


class Block(nn.Module):
    """Two convolutions beside a shortcut; the strength of the noise scales and shifts what is between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.first, self.tell = Norm(width), nn.Conv2d(width, width, 3, padding=1), nn.Linear(LEVEL, 2 * width)
        self.second = _silent(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.tell(told)[:, :, None, None].chunk(2, 1)
        return x + self.second(F.silu(self.first(F.silu(self.norm(x))) * (1 + scale) + shift))


class Norm(nn.LayerNorm):
    """Layer normalisation over the channels at each position."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _blocks(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(Block(width) for _ in range(count))


def _through(blocks: nn.Module, x: Tensor, told: Tensor) -> Tensor:
    for block in blocks.children():
        x = block(x, told)
    return x


def _silent(convolution: nn.Conv2d) -> nn.Conv2d:
    """Zero at first, so that training begins with the shortcut alone."""
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution
