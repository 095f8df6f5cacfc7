"""All classes on one map: a few factors of what places give to classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.groups import groups
from pellucid.errors import UsageError


@dataclass(frozen=True)
class Factors:
    """Ways of speaking for classes, and where each is.

    Attributes:
        classes: how much each factor speaks for every class, of length one.
        maps: for each layer, how much of each factor is where.
        explained: the share of the squares of what speaks for classes that the factors give back, at most 1.
    """

    classes: Float[Tensor, "f k"]
    maps: Mapping[str, Float[Tensor, "f _ _"]]
    explained: float

    def top(self, count: int = 5) -> list[list[int]]:
        """The classes that each factor speaks most for, best first."""
        return self.classes.topk(min(count, self.classes.shape[1])).indices.tolist()


def class_factors(attributions: Mapping[str, Float[Tensor, "k _ _"]], count: int = 2, *, seed: int = 0) -> Factors:
    """A few factors of what the places of several layers give to all classes, the same for all layers.

    Non-negative matrix factorization of what speaks for classes, position by class, in which every layer counts alike. (Olah et al.
    2018, "The Building Blocks of Interpretability", Distill, "What Does the Network See?", the two-colour maps.)

    Args:
        attributions: for each layer, from `to_classes`.
        count: of factors; at most as many as there are classes or places.
        seed: of the first guess.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        UsageError: nothing speaks for any class.

    Example:
        >>> found = class_factors({"a": torch.rand(5, 3, 4), "b": torch.rand(5, 2, 2)})
        >>> found.classes.shape, found.maps["a"].shape
        (torch.Size([2, 5]), torch.Size([2, 3, 4]))
    """
    positive = {name: each.clamp(min=0).flatten(1).T.float().cpu() for name, each in attributions.items()}
    if not any(rows.any() for rows in positive.values()):
        raise UsageError("attributions: nothing speaks for any class")
    scales = {name: float(rows.norm().clamp_min(1e-12)) for name, rows in positive.items()}
    rows = torch.cat([part / scales[name] for name, part in positive.items()])
    found = groups(rows.numpy(), min(count, *rows.shape), seed=seed)
    parts = torch.from_numpy(found.strengths).split([len(part) for part in positive.values()])
    maps = {
        name: (part * scales[name]).T.unflatten(1, tuple(attributions[name].shape[1:]))
        for (name, part) in zip(positive, parts, strict=True)
    }
    return Factors(torch.from_numpy(found.directions), maps, found.explained)
