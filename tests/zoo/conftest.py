"""Lets a torchvision that was built for another torch be imported beside the CPU build.

The tests of the zoo need architectures, not torchvision's compiled operators; where these do not load, importing torchvision
fails because it registers rules for operators that do not exist. Declaring them first is enough.
"""

from __future__ import annotations

import importlib
import sys

import torch

DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: list[torch.library.Library] = []  # declarations last as long as their library


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


try:
    importlib.import_module("torchvision")
except ModuleNotFoundError:
    pass
except RuntimeError:
    _forget()
    _library.append(torch.library.Library("torchvision", "DEF"))
    for declaration in DECLARATIONS:
        _library[0].define(declaration)
