"""All checks of one method on some pictures at once."""

from __future__ import annotations

import time
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.analysis.attribution.methods import attribute
from pellucid.analysis.attribution.result import Attribution
from pellucid.analysis.attribution.targets import Target
from pellucid.analysis.attribution.trust.curves import deletion, insertion
from pellucid.analysis.attribution.trust.likeness import completeness, stability
from pellucid.analysis.attribution.trust.pointing import pointing_game
from pellucid.analysis.attribution.trust.randomised import Randomisation, randomisation
from pellucid.models.model import Model


@dataclass(frozen=True)
class Checks:
    """What a method's maps of some pictures are worth.

    Attributes:
        attribution: what was checked.
        seconds: of computing for each picture, in this process.
        deletion: area under the curve, with the blurred picture as fill; small is good.
        insertion: area under the curve; large is good.
        randomisation: how alike the maps stay while the network forgets.
        stability: how alike they stay under a little noise, from -1 to 1.
        completeness: the error of their sum; None for methods that do not claim to sum up to the score.
        hits: of the pointing game; None without masks.
    """

    attribution: Attribution
    seconds: float
    deletion: Float[Tensor, " n"]
    insertion: Float[Tensor, " n"]
    randomisation: Randomisation
    stability: Float[Tensor, " n"]
    completeness: Float[Tensor, " n"] | None
    hits: Bool[Tensor, " n"] | None


def checks(
    model: Model,
    images: Float[Tensor, "n c h w"],
    target: Target,
    *,
    method: str,
    layer: str | None = None,
    outcome: Target | None = None,
    masks: Bool[Tensor, "n h w"] | None = None,
) -> Checks:
    """A method's maps of pictures with everything that can be measured about them.

    Args:
        model: from `load`; left as it is.
        images: in [0, 1].
        target: whose score, as in `saliency`.
        method: a name out of `METHODS`.
        layer: as in `attribute`.
        outcome: whose score deletion and insertion follow, such as the class's `probability`; None for the target.
        masks: of the things that the maps should point at; None where nobody knows.

    Raises:
        as `attribute`, `deletion` and `pointing_game`.

    Example:
        >>> import torch
        >>> import pellucid.models as models
        >>> found = checks(models.load("terrarium"), torch.rand(1, 3, 96, 96), "class:lake", method="cam")
        >>> found.hits, found.completeness.shape, found.randomisation.correlations.shape
        (None, torch.Size([1]), torch.Size([4, 1]))
    """
    begun = time.process_time()
    found = attribute(model, images, target, method=method, layer=layer)
    seconds = (time.process_time() - begun) / len(images)
    maps, followed = found.upsampled(), target if outcome is None else outcome
    return Checks(
        found,
        seconds,
        deletion(model, images, followed, maps).area,
        insertion(model, images, followed, maps).area,
        randomisation(model, images, target, method=method, layer=layer),
        stability(model, images, target, method=method, layer=layer),
        None if found.base is None else completeness(found),
        None if masks is None else pointing_game(maps, masks),
    )
