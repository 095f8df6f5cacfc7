"""Whether a picture is about its own unit: nearer to that unit's top pictures than to those of other units."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.models.model import Model

TOPS = 20  # pictures a unit
SHARE = 8  # of fewer pictures, one in so many counts as a top


@dataclass(frozen=True)
class Specific:
    """How near a picture is to its unit's top pictures, beside how near it is to those of the other units of the layer.

    Nearness alone says little: any picture, white noise too, is nearer to the tops of some units than to those of others. With
    the other units as control, a picture about nothing has a gap of 0 and a share of 0.5, on average over units.

    Attributes:
        layer: whose activations are compared, about three quarters of the way to the unit.
        tops: pictures that count as tops of a unit.
        own: mean percentile in nearness of the unit's tops among the tops of all units, from 0 to 1.
        control: the same for the tops of another unit, mean over them.
        gap: own - control.
        share: of the other units, whose tops are further from the picture.
    """

    layer: str
    tops: int
    own: float
    control: float
    gap: float
    share: float

    def __str__(self) -> str:
        return (
            f"nearer to its unit's top pictures than to those of {self.share:.0%} of the other units "
            f"({self.own:.2f} against {self.control:.2f} on average)"
        )


def earlier_layer(model: Model, layer: str) -> str | None:
    """Where pictures are compared for units of a layer: a block about three quarters of the way there; None where there is none.

    Not right before the layer, to whose units the picture was fitted: of the maps between half and nine tenths of the way (of all
    before it where those are its own parts) the ones named with the fewest dots, and of these the nearest to three quarters.

    >>> from pellucid.models import load
    >>> model = load("terrarium")
    >>> earlier_layer(model, "logits"), earlier_layer(model, "mixed3b"), earlier_layer(model, "conv1")
    ('mixed4a', 'mixed3a', None)
    """
    count = model.depth(layer) - 1
    earlier = enumerate(islice(model.layers, count))
    before = [(place / count, name) for place, name in earlier if _is_map(model, name, apart_from=layer)]
    amid = [(way, name) for way, name in before if 0.5 <= way <= 0.9]
    found = [(name.count("."), abs(way - 0.75), name) for way, name in (amid if amid else before)]
    return min(found)[2] if found else None


def pooled(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c"]:
    """What is compared: how much each channel varies over the positions.

    The deviation, and not the mean: on photographs it tells a unit's tops from those of others better, and a brightness that
    is everywhere drops out.
    """
    return maps.float().flatten(2).std(2, correction=0).cpu()


class Tops:
    """Keeps the pictures that excite each unit most, with their pooled activations; memory does not grow with the pictures.

    Args:
        layer: whose activations are pooled.
        channels: of that layer.
        objectives: units that pictures are made for, the first ones.
        others: units of the same layer that they are compared with.
    """

    def __init__(self, layer: str, *, channels: int, objectives: int, others: int) -> None:
        self.layer, self.count, self.objectives = layer, 0, objectives
        self.scores = torch.empty(0, objectives + others)
        self.ids = torch.empty(0, objectives + others, dtype=torch.int64)
        self.known, self.features = torch.empty(0, dtype=torch.int64), torch.empty(0, channels)
        self.lowest = torch.full((objectives + others,), torch.inf)

    def see(self, scores: Float[Tensor, "n u"], features: Float[Tensor, "n c"]) -> None:
        """The scores of some pictures for each unit, and their pooled activations."""
        ids = torch.arange(self.count, self.count + len(scores))
        self.count += len(scores)
        self.lowest = torch.minimum(self.lowest, scores.amin(0))
        scores, places = torch.cat([self.scores, scores]), torch.cat([self.ids, ids[:, None].expand_as(scores)])
        order = scores.sort(dim=0, descending=True, stable=True).indices[:TOPS]  # of equal pictures the first
        self.scores, self.ids = scores.gather(0, order), places.gather(0, order)
        known, features = torch.cat([self.known, ids]), torch.cat([self.features, features])
        kept = torch.isin(known, self.ids)
        self.known, self.features = known[kept], features[kept]

    def specific(self, features: Float[Tensor, " c"], objective: int) -> Specific | None:
        """How a picture with these pooled activations compares; None where no picture stands out for its unit, or for others."""
        count = max(1, min(TOPS, self.count // SHARE))
        columns = [objective, *range(self.objectives, self.ids.shape[1])]
        tops = self.ids[:count, columns].sort(0).values
        alive = (self.scores[count - 1] > self.lowest)[columns]
        others = alive & (tops != tops[:, :1]).any(0)  # the unit itself is among them
        if not alive[0] or not others.any():
            return None
        pool, places = tops[:, alive].unique(return_inverse=True)
        near = torch.full((len(columns),), torch.nan, dtype=torch.float64)
        near[alive] = nearness(features, self.features[torch.searchsorted(self.known, pool)])[places].mean(0)
        own, control = near[0].item(), near[others].mean().item()
        return Specific(self.layer, count, own, control, own - control, (near[others] < own).double().mean().item())


def nearness(features: Float[Tensor, " c"], pool: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
    """The percentile of each picture of a pool in nearness: cosine, every channel in units of its deviation over the pool.

    >>> nearness(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 2.0]]))
    tensor([0.1250, 0.6250, 0.8750, 0.3750], dtype=torch.float64)
    """
    scale = pool.std(0, correction=0)
    varied = scale > 0
    cosines = F.cosine_similarity(pool[:, varied] / scale[varied], (features[varied] / scale[varied])[None])
    return (cosines.argsort(stable=True).argsort() + 0.5).double() / len(pool)


def _is_map(model: Model, name: str, *, apart_from: str) -> bool:
    layer = model.layers[name]
    return min(layer.height, layer.width) >= 3 and not name.startswith(f"{apart_from}.")
