"""Whether a user's network comes back as it was given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

HOOKS = [name for name in vars(nn.Module()) if "hooks" in name]


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Assert that the block leaves a network bit-identical, hook-free, in its modes and gradients, also if it raises."""
    before = picture_of(network)
    try:
        yield
    finally:
        after = picture_of(network)
        changed = [key for key in before | after if before.get(key) != after.get(key)]
        assert not changed, f"changed: {', '.join(changed)}"


def picture_of(network: nn.Module) -> dict[str, Any]:
    """Everything about a network that a tool might change, by name."""
    state = {f"{name} (value)": _digest(value) for name, value in network.state_dict(keep_vars=True).items()}
    wanted = {f"{name} (requires_grad)": value.requires_grad for name, value in network.named_parameters()}
    grads = {f"{name} (grad)": value.grad is None for name, value in network.named_parameters()}
    modes = {f"{name} (training)": module.training for name, module in network.named_modules()}
    hooks = {f"{name} ({kind})": tuple(getattr(module, kind)) for name, module in network.named_modules() for kind in HOOKS}
    places = {f"{name} (attributes)": tuple(sorted(vars(module))) for name, module in network.named_modules()}
    switches = {
        "torch (grad mode)": torch.is_grad_enabled(),
        "torch (attention)": (torch.backends.mha.get_fastpath_enabled(), torch.backends.cuda.flash_sdp_enabled()),
    }
    return state | wanted | grads | modes | hooks | places | switches


def _digest(value: torch.Tensor) -> tuple[int, torch.dtype, str, str]:
    data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return id(value), value.dtype, str(value.device), hashlib.sha256(data).hexdigest()
