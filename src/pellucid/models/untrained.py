"""A network before it learned anything."""

from __future__ import annotations

import copy

import torch
from torch import nn

from pellucid.models.model import Model


def untrained(model: Model, *, seed: int = 0) -> Model:
    """The same network before it learned anything: a copy whose weights are drawn anew.

    Convolutions and linear maps get normal weights that keep the variance of rectified activations, and no bias (He et al. 2015,
    arXiv:1502.01852, section 2.2; what torch draws by itself leaves many deep units dead). Other modules draw as their kind does
    when it is made (`reset_parameters`), and parameters of no such module come from the normal distribution of their present
    mean and deviation.

    Args:
        model: left as it is.
        seed: of the weights.

    >>> import pellucid.models as models
    >>> model = models.load("terrarium")
    >>> untrained(model).fingerprint() == untrained(model).fingerprint() != model.fingerprint()
    True
    """
    network = copy.deepcopy(model.network).cpu()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in network.modules():
            _reset(module)
    return Model(
        network.to(model.device),
        name=f"{model.name}, untrained",
        spec=model.spec,
        channels=model.channels,
        size=model.size,
        mean=model.mean,
        std=model.std,
        classes=model.classes,
    )


def _reset(module: nn.Module) -> None:
    if callable(reset := getattr(module, "reset_parameters", None)):
        reset()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        return
    for each in module.parameters(recurse=False):
        values = each.float()
        each.copy_(torch.randn(each.shape) * values.std(correction=0) + values.mean())
