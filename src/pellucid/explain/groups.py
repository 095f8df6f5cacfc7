"""Groups of neurons that answer together in one picture, and what each of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.groups import groups
from pellucid.errors import UsageError
from pellucid.explain.spatial import one_hot
from pellucid.explain.tape import Tape
from pellucid.models import OUTPUT

Of = Literal["activations", "gradients", "attributions"]


@dataclass(frozen=True)
class PictureGroups:
    """Groups of a layer's neurons in one picture, from left to right.

    Attributes:
        layer: where.
        of: what was taken apart.
        classes: indices of the classes that the effects are on.
        directions: of length one.
        maps: how much of each group is where.
        effects: what each group does to each class, to first order.
        rest: what the layer does to each class beyond its groups: with the effects, it is all that the layer gives to first order.
        explained: the share of the squares that the groups give back, at most 1.
    """

    layer: str
    of: Of
    classes: tuple[int, ...]
    directions: Float[Tensor, "g c"]
    maps: Float[Tensor, "g h w"]
    effects: Float[Tensor, "g m"]
    rest: Float[Tensor, " m"]
    explained: float

    @property
    def parts(self) -> Float[Tensor, "g c h w"]:
        """Of groups of activations, each one's part of the layer's map."""
        return torch.einsum("gc,ghw->gchw", self.directions, self.maps)


def neuron_groups(
    tape: Tape,
    layer: str,
    classes: Sequence[int],
    count: int = 6,
    *,
    of: Of = "activations",
    towards: PictureGroups | None = None,
    seed: int = 0,
) -> PictureGroups:
    """Take a layer's answer to a picture apart into a few groups of neurons, and say what each does to some classes.

    Non-negative matrix factorization of the vectors at all positions; of layers that answer below zero, k-means. Gradients and
    attributions are those of the given classes, where what speaks for a class and what speaks against it are different vectors. The
    effect of a group is its part times the gradient; or the activations times its part of the gradient; or its part of the
    attribution. (Olah et al. 2018, "The Building Blocks of Interpretability", Distill, "Making Things Human-Scale"; notebook
    NeuronGroups.)

    Args:
        tape: from `record`.
        layer: one of the tape's.
        classes: indices.
        count: of groups; at most as many as the layer has channels or positions.
        of: "activations", "gradients" or "attributions".
        towards: later groups of activations, by which the neurons are then grouped too: each position has a vector for each of
            them, the activations shared out by how much they speak for or against it.
        seed: of the first guess.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        UsageError: an unknown `of`, `towards` with or of something else than activations, a count below 1, or nothing to take apart
            because all is zero.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
        >>> found = neuron_groups(tape, "mixed4b", [3, 5], 4)
        >>> found.maps.shape, found.effects.shape
        (torch.Size([4, 12, 12]), torch.Size([4, 2]))
    """
    _check(of, towards)
    map, chosen = tape.maps[layer], list(classes)
    gradients = tape.pull(OUTPUT, one_hot(tape, chosen), [layer])[layer]
    attributions = gradients * map
    wholes = {"activations": map[None], "gradients": gradients, "attributions": attributions}[of]
    others = {"activations": gradients, "gradients": map[None], "attributions": torch.ones_like(map)[None]}[of]
    if not wholes.any():
        raise UsageError(f"layer {layer!r}: all {of} of this picture are zero; leave the layer out")
    wholes = wholes if towards is None else _shared_out(tape, layer, towards)
    directions, strengths, explained = _apart(wholes, count, seed, signed=of != "activations")
    strengths = strengths if towards is None else strengths.sum(1, keepdim=True)
    effects = (torch.einsum("gc,mchw->gmhw", directions, others) * strengths).sum((2, 3))
    maps = strengths.abs().sum(1)
    order = _across(maps).argsort(stable=True)
    rest = attributions.sum((1, 2, 3)) - effects.sum(0)
    return PictureGroups(layer, of, tuple(chosen), directions[order], maps[order], effects[order], rest, explained)


def _check(of: Of, towards: PictureGroups | None) -> None:
    if of not in ("activations", "gradients", "attributions"):
        raise UsageError(f"of={of!r}: there are 'activations', 'gradients' and 'attributions'")
    if towards is not None and {of, towards.of} != {"activations"}:
        raise UsageError(f"groups of {of} towards groups of {towards.of}: only those of activations can be towards such")


def amount_seeds(tape: Tape, groups: PictureGroups) -> Float[Tensor, "g c h w"]:
    """For each group, the gradient of its amount: of the length of its layer's vectors, as far as the group has part in it."""
    return groups.parts / tape.maps[groups.layer].norm(dim=0).clamp_min(1e-12)


def _shared_out(tape: Tape, layer: str, later: PictureGroups) -> Float[Tensor, "t c h w"]:
    """A layer's activations, each shared out among later groups by how much it gives to each, for or against."""
    given = tape.pull(later.layer, amount_seeds(tape, later), [layer])[layer].abs()
    whole = given.sum(0)
    return tape.maps[layer] * torch.where(whole > 0, given / whole.clamp_min(1e-30), 1 / len(given))


def _apart(
    wholes: Float[Tensor, "j c h w"], count: int, seed: int, *, signed: bool
) -> tuple[Float[Tensor, "g c"], Float[Tensor, "g j h w"], float]:
    """Directions, how much of each is in every vector, and the share that this explains; what is negative counts as vectors too."""
    rows = wholes.permute(0, 2, 3, 1).flatten(0, 2).float().cpu()
    halves = torch.cat([rows.clamp(min=0), (-rows).clamp(min=0)]) if signed else rows
    count = min(count, wholes.shape[1], len(rows))
    found = groups(halves.numpy(), count, method="nmf" if halves.min() >= 0 else "kmeans", seed=seed)
    directions, strengths = (torch.from_numpy(each).to(wholes) for each in (found.directions, found.strengths))
    if signed:
        strengths = strengths[: len(rows)] - strengths[len(rows) :]
    return directions, strengths.T.unflatten(1, (len(wholes), *wholes.shape[2:])), found.explained


def _across(maps: Float[Tensor, "g h w"]) -> Float[Tensor, " g"]:
    """Where from left to right each map has its centre."""
    columns = maps.sum(1)
    return (columns * torch.arange(maps.shape[2]).to(maps)).sum(1) / columns.sum(1).clamp_min(1e-12)
