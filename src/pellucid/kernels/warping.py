"""Pictures under a homography."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pellucid.kernels.threads import compiled, spread

Two = tuple[int, int]
# Channels that torch resamples together, at most. Each position's weights are computed once for all of them; of more than twelve
# the same pixel no longer fits the processor's cache (16 pictures of 3 × 256 × 256 to 224 × 224, forward and backward: 16 ms; 32 ms
# with all 48 channels together, 22 ms picture by picture).
TOGETHER = 12


def resample(images: Float[Tensor, "n c h w"], matrix: Float[Tensor, "3 3"], size: Two) -> Float[Tensor, "n c p q"]:
    """Bilinear samples of images under one homography, mirrored at the borders.

    Args:
        images: what is read, at least two pixels high and wide.
        matrix: from the (row, col, 1) offset in pixels from the centre of the result to that from the centre of the image, up to
            a factor; the last column is the shift.
        size: (height, width) of the result.

    >>> image = torch.arange(12.0).reshape(1, 1, 3, 4)
    >>> resample(image, torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 1]]), (1, 2))  # the middle, read one pixel to the right
    tensor([[[[6., 7.]]]])
    """
    plain = type(images) is Tensor and images.device.type == "cpu" and images.dtype == torch.float32
    if plain and min(images.shape[2:]) > 1 and compiled():
        return _Resample.apply(images, matrix, size)
    return _grid_sampled(images, matrix, size)


def _grid_sampled(images: Tensor, matrix: Tensor, size: Two) -> Tensor:
    """By torch's own operator, which computes the positions from -1 to 1."""
    count, channels, height, width = images.shape
    rows = torch.arange(size[0], device=images.device, dtype=images.dtype) - (size[0] - 1) / 2
    cols = torch.arange(size[1], device=images.device, dtype=images.dtype) - (size[1] - 1) / 2
    by_row, by_col, shift = matrix.to(images)[:, :, None, None].unbind(1)
    row, col, depth = by_row * rows[:, None] + by_col * cols + shift
    grid = torch.stack([col * (2 / width), row * (2 / height)], -1) / depth[..., None]  # (x, y), the picture being [-1, 1]²
    together = max(each for each in range(1, TOGETHER + 1) if count * channels % each == 0)
    flat = images.reshape(-1, together, height, width)
    grids = grid.expand(len(flat), -1, -1, -1)
    sampled = F.grid_sample(flat, grids, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.reshape(count, channels, *size)


class _Resample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, matrix: Tensor, size: Two) -> Tensor:
        upper = torch.empty(size, dtype=torch.int32)
        right, down = torch.empty(size), torch.empty(size)
        arrays = matrix.double().cpu().numpy(), tuple(images.shape[2:]), upper.numpy(), right.numpy(), down.numpy()
        spread(lambda first, last: compiled().places(*arrays, first, last), size[0])
        ctx.save_for_backward(upper, right, down)
        ctx.size = images.shape
        planes, places = images.detach().flatten(0, 1).flatten(1).contiguous().numpy(), _flat(upper, right, down)
        result = images.new_empty(*images.shape[:2], *size)
        out = result.flatten(0, 1).flatten(1).numpy()
        spread(lambda first, last: compiled().sample(planes, images.shape[3], *places, out, first, last), len(planes))
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        given, places = gradients[0].flatten(0, 1).flatten(1).contiguous().numpy(), _flat(*ctx.saved_tensors)
        result = gradients[0].new_empty(ctx.size)
        out = result.flatten(0, 1).flatten(1).numpy()
        spread(lambda first, last: compiled().scatter(given, ctx.size[3], *places, out, first, last), len(given))
        return result, None, None


def _flat(*tables: Tensor) -> list[Any]:
    return [table.flatten().numpy() for table in tables]
