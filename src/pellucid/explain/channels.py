"""What each channel of a layer gives to classes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import PellucidError, UsageError
from pellucid.explain.spatial import one_hot
from pellucid.explain.tape import COPIES, Tape
from pellucid.models import OUTPUT, prepared
from pellucid.models.capture import capture
from pellucid.models.network import listening, with_tensor

STEPS = 100
DRAWN = 1.5  # the sum of two uniform numbers over this scales a channel of the stochastic path: notebook AttrChannel

Way = Literal["linear", "path", "stochastic"]


@dataclass(frozen=True)
class Channels:
    """What each channel of a layer gives to some classes; of the difference of two classes it is the difference of two rows.

    Attributes:
        layer: where.
        way: how the gradient was taken.
        classes: indices.
        values: what each channel gives to each class, in units of its logit.
        gained: what all of the layer's activations together give: each logit less what it is where they are all zero.
    """

    layer: str
    way: Way
    classes: tuple[int, ...]
    values: Float[Tensor, "m c"]
    gained: Float[Tensor, " m"]

    @property
    def error(self) -> Float[Tensor, " m"]:
        """By how much the channels' sum misses what the layer gives: zero on a path that is followed finely enough."""
        return self.values.sum(1) - self.gained


def channel_attribution(
    tape: Tape, layer: str, classes: Sequence[int], *, way: Way = "linear", steps: int = STEPS, seed: int = 0
) -> Channels:
    """What each channel of a layer gives to some classes, over all positions.

    It is activation times gradient: the gradient at the picture ("linear"), its mean along the straight path from no activations
    to the picture's ("path": Sundararajan et al. 2017, arXiv:1703.01365), or along a path on which each channel of each point is
    scaled by a random factor of mean 2/3 besides ("stochastic", whose sum is not the whole). Where the three differ much, what a
    channel gives depends on what else is there. (Olah et al. 2018, "The Building Blocks of Interpretability", Distill; notebook
    AttrChannel.)

    Args:
        tape: from `record`.
        layer: one of the tape's.
        classes: indices.
        way: "linear", "path" or "stochastic".
        steps: points of a path, from 1.
        seed: of the random factors.

    Raises:
        UsageError: an unknown way, or no step.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
        >>> found = channel_attribution(tape, "mixed4b", [3, 5])
        >>> found.values.shape, bool(found.error.abs().max() < 1e-4)
        (torch.Size([2, 192]), True)
    """
    if way not in ("linear", "path", "stochastic") or steps < 1:
        raise UsageError(f"way={way!r}, steps={steps}: there are 'linear', 'path' and 'stochastic', of 1 step or more")
    chosen, count = list(classes), tape.model.layer(layer).channels
    with torch.no_grad():
        nothing = _scaled(tape, layer, torch.zeros(1, count))[0][0, chosen]
    if way == "linear":
        values = tape.of_channels(OUTPUT, one_hot(tape, chosen), [layer])[layer]
    else:
        points = _points(steps, count, seed if way == "stochastic" else None)
        values = torch.stack([_products(tape, layer, chosen, part) for part in points.split(COPIES)]).sum(0) / steps
    return Channels(layer, way, tuple(chosen), values, tape.logits[chosen] - nothing)


def _points(steps: int, channels: int, seed: int | None) -> Float[Tensor, "s c"]:
    """The factors of all channels at each point: the middles of equal steps, times random numbers where there is a seed."""
    middles = ((torch.arange(steps) + 0.5) / steps)[:, None].expand(steps, channels)
    if seed is None:
        return middles
    return middles * torch.rand(2, steps, channels, generator=torch.Generator().manual_seed(seed)).sum(0) / DRAWN


def _products(tape: Tape, layer: str, classes: Sequence[int], factors: Float[Tensor, "n c"]) -> Float[Tensor, "m c"]:
    """The picture's activations times the gradients at scaled ones, summed over points and positions."""
    with torch.enable_grad():
        logits, scaled = _scaled(tape, layer, factors)
        gradients = [torch.autograd.grad(logits[:, index].sum(), scaled, retain_graph=True)[0].sum(0) for index in classes]
    return tape.channel_sums(layer, torch.stack(gradients) * tape.kept(layer))


def _scaled(tape: Tape, layer: str, factors: Float[Tensor, "n c"]) -> tuple[Float[Tensor, "n k"], Tensor]:
    """The logits where a layer's channels are scaled in so many ways, and its activations then.

    Up to the layer one picture goes through the network, unless a branch that passes the layer by needs as many.
    """
    for copies in (1, len(factors)):
        with suppress(RuntimeError) if copies < len(factors) else nullcontext():
            replaced = _Scaling(tape, layer, factors)
            with prepared(tape.model), listening(tape.model.network, {layer: replaced}):
                logits = capture(tape.model, tape.image.expand(copies, -1, -1, -1), [OUTPUT])[OUTPUT].flatten(1)
            if len(logits) == len(factors):
                return logits, replaced.scaled
    raise PellucidError(f"{tape.model.name} cannot be run from {layer!r} on")


class _Scaling:
    """Puts the tape's activations, scaled, in the place of what the layer returns at its last run."""

    def __init__(self, tape: Tape, layer: str, factors: Float[Tensor, "n c"]) -> None:
        activations, axis = tape.kept(layer), tape.model.place(layer).form.axis
        self.left = tape.model.place(layer).calls
        shape = [len(factors), *(-1 if each == axis else 1 for each in range(1, activations.ndim))]
        self.scaled = (activations * factors.to(activations).view(shape)).requires_grad_(torch.is_grad_enabled())

    def __call__(self, output: Any) -> Any:
        self.left -= 1
        return None if self.left else with_tensor(output, self.scaled.clone())
