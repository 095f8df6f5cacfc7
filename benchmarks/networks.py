"""The networks themselves, and how a tool without an idea of layers gets one that ends at a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import torchvision_cpu
from benchmarks.jobs import Job
from pellucid.models import OUTPUT, Model, load


def load_model(job: Job, device: str) -> Model:
    """The job's network; random weights are the same in every process."""
    if isinstance(job.network.needs, str):  # timm and torchvision itself; nobody else should wait for that import
        torchvision_cpu.importable()
    torch.manual_seed(0)
    return load(job.network.spec, device=device)


def cut(network: nn.Module, layer: str) -> Callable[[Tensor], Tensor]:
    """The network up to a layer: what that answers to an input, with nothing computed behind it.

    >>> answer = cut(nn.Sequential(nn.ReLU(), nn.Linear(3, 1)), "0")
    >>> answer(torch.tensor([[1.0, -1.0]]))
    tensor([[1., 0.]])
    """
    if layer == OUTPUT:
        return network
    module = network.get_submodule(layer)

    def answer(inputs: Tensor) -> Tensor:
        def stop(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            raise _Reached(output)

        with module.register_forward_hook(stop):
            try:
                network(inputs)
            except _Reached as reached:
                return reached.output
        raise RuntimeError(f"the network did not run its layer {layer!r}")

    return answer


class _Reached(Exception):
    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


def directions_of(job: Job, network: nn.Module, device: str) -> tuple[Tensor, bool]:
    """The directions of the job's icons in its layer, m c, and whether the layer gives tokens."""
    with torch.no_grad():
        shape = cut(network, job.layer)(torch.zeros(1, 3, job.size, job.size, device=device)).shape
    tokens = len(shape) == 3
    return torch.from_numpy(job.directions(shape[2 if tokens else 1])).to(device), tokens


def channel_of(maps: Tensor, index: int) -> Tensor:
    """One channel of maps n c h w, of logits n c, or of tokens n t c whose first one stands for the class."""
    return maps[:, 1:, index] if maps.ndim == 3 else maps[:, index]


def centre_of(maps: Tensor) -> Tensor:
    """What maps n c h w, or tokens n t c of a square grid behind a class token, have at their middle: n c.

    >>> centre_of(torch.arange(10.0)[None, :, None])
    tensor([[5.]])
    """
    if maps.ndim == 3:
        side = round((maps.shape[1] - 1) ** 0.5)
        return maps[:, 1 + (side // 2) * side + side // 2]
    return maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
