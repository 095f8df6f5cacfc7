"""Makes torchvision, which the registry has built for torch with CUDA, importable beside the CPU build of torch.

Only architectures and one operator of it are used here. Where its compiled operators do not load, importing it fails because it
registers rules for operators that do not exist: declaring them first is enough.
"""

from __future__ import annotations

import importlib
import sys

import torch
from torch import Tensor
from torch.nn import functional as F

DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: list[torch.library.Library] = []  # declarations last as long as their library


def importable() -> None:
    """Does nothing where torchvision loads, or is not installed."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        pass
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _library.append(torch.library.Library("torchvision", "DEF"))
        for declaration in DECLARATIONS:
            _library[0].define(declaration)


def compiled() -> bool:
    """Whether torchvision's compiled operators are there."""
    importable()
    return importlib.import_module("torchvision.extension")._has_ops()


def roi_align(images: Tensor, boxes: Tensor, output_size: tuple[int, int]) -> Tensor:
    """`torchvision.ops.roi_align` for one image and boxes of fewer pixels than come out, where it takes one sample per pixel.

    The same values as the compiled operator (to 1e-4) in 30 ms forward and backward where that takes 80 ms (6 boxes of 224 px to
    448 px, one thread); torchvision's own fallback would compile for half a minute.

    Args:
        images: 1 c h w.
        boxes: k 5, the image's index and then x, y of two corners, in pixels.
        output_size: height and width.
    """
    height, width = images.shape[2:]
    x, y = (_samples(boxes[:, 1 + axis], boxes[:, 3 + axis], output_size[1 - axis]) for axis in (0, 1))
    across, down = x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1
    grid = torch.stack(torch.broadcast_tensors(across[:, None, :], down[:, :, None]), -1)
    found = F.grid_sample(images.expand(len(boxes), -1, -1, -1), grid, padding_mode="border", align_corners=True)
    inside = ((y >= -1) & (y <= height))[:, None, :, None] & ((x >= -1) & (x <= width))[:, None, None, :]
    return found * inside


def _samples(first: Tensor, last: Tensor, count: int) -> Tensor:
    """The middles of `count` equal parts between the first and the last place."""
    parts = (torch.arange(count, device=first.device) + 0.5) / count
    return first[:, None] + (last - first)[:, None] * parts
