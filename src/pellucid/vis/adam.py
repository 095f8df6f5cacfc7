"""Adam without what torch's optimizer class loads at its first use, which takes longer than a small picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) as `torch.optim.Adam`, bit by bit.

    Next to a vanishing epsilon only the direction of a gradient counts: redirected ones can be as small as 1e-10.

    Args:
        params: leaf tensors; their `grad` is read by `step`, which sets it to None.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> (weight * torch.tensor([1.0, -9.0])).sum().backward()
    >>> Adam([weight]).step(0.1)
    >>> weight.detach()
    tensor([-0.1000,  0.1000])
    """

    def __init__(self, params: Sequence[Tensor]) -> None:
        self.params = list(params)
        self.means, self.squares = ([torch.zeros_like(each, requires_grad=False) for each in self.params] for _ in range(2))
        self.steps = [torch.zeros((), device=each.device) for each in self.params]
        self.fused = all(each.device.type in ("cpu", "cuda") and each.is_floating_point() for each in self.params)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move all parameters against their gradients."""
        moving = [each.grad is not None for each in self.params]
        adam(
            list(compress(self.params, moving)),
            [each.grad for each in self.params if each.grad is not None],
            list(compress(self.means, moving)),
            list(compress(self.squares, moving)),
            [],
            list(compress(self.steps, moving)),
            fused=self.fused,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-16,
            maximize=False,
        )
        for each in self.params:
            each.grad = None
