"""What the groups of a layer give to the groups of a later one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.errors import UsageError
from pellucid.explain.groups import PictureGroups, amount_seeds
from pellucid.explain.tape import Tape


@dataclass(frozen=True)
class Flow:
    """What groups give to each other; for each later group, given, rest and constant add up to its amount.

    Attributes:
        source: the earlier layer.
        target: the later one.
        amounts: how much of each later group there is: the length of the vectors, shared out among the groups.
        beyond: the length that belongs to none of the later groups, and may be negative.
        given: what each earlier group gives to each later one, to first order.
        rest: what the earlier layer gives beyond its groups.
        constant: what comes from neither: the network's constants, branches that pass the earlier layer by, and curvature.
    """

    source: str
    target: str
    amounts: Float[Tensor, " t"]
    beyond: float
    given: Float[Tensor, "s t"]
    rest: Float[Tensor, " t"]
    constant: Float[Tensor, " t"]


def group_flow(tape: Tape, source: PictureGroups, target: PictureGroups) -> Flow:
    """What the groups of a layer give to the groups of a later one: the part of a group times the gradient of the later amount.

    The amount of a group is the share that its part has in the lengths of the layer's vectors, so that flows add up to what
    `between_layers` says of all positions. (Olah et al. 2018, "The Building Blocks of Interpretability", Distill, "Making Things
    Human-Scale", figure on the flow between layers.)

    Args:
        tape: from `record`.
        source: groups of activations of an earlier layer.
        target: groups of activations of a later one.

    Raises:
        UsageError: groups of something else than activations.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.groups import neuron_groups
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed3b", "mixed4b"])
        >>> early, late = (neuron_groups(tape, layer, [3], 4) for layer in tape.layers)
        >>> group_flow(tape, early, late).given.shape
        torch.Size([4, 4])
    """
    if {source.of, target.of} != {"activations"}:
        raise UsageError(f"groups of {source.of} and of {target.of}: flows are between groups of activations")
    map, seeds = tape.maps[target.layer], amount_seeds(tape, target)
    amounts = (seeds * map).sum((1, 2, 3))
    gradients = tape.pull(target.layer, seeds, [source.layer])[source.layer]
    given = torch.einsum("schw,tchw->st", source.parts, gradients)
    whole = (gradients * tape.maps[source.layer]).sum((1, 2, 3))
    beyond = float(map.norm(dim=0).sum() - amounts.sum())
    return Flow(source.layer, target.layer, amounts, beyond, given, whole - given.sum(0), amounts - whole)
