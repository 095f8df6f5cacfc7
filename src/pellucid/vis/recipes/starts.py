"""Pictures from photographs in place of noise, and how much of them is the photographs'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.arrays import resized
from pellucid.errors import UsageError
from pellucid.models.model import Model
from pellucid.vis.methods import Method
from pellucid.vis.objectives import Objective
from pellucid.vis.recipes.measures import answers, one
from pellucid.vis.recipes.photos import Progress, checked, part, ssim
from pellucid.vis.render import natural_size, render
from pellucid.vis.rendering import Rendering


@dataclass(frozen=True)
class Shares:
    """Where the variance of some pictures comes from; the three parts are 1 together.

    Attributes:
        common: what all pictures have in the same place, whatever they started from: the network's part.
        start: what follows the picture that each one started from, linearly: the input's part.
        rest: what is each picture's own and not its start: the network's part too, but led on by the start.
    """

    common: float
    start: float
    rest: float


@dataclass(frozen=True)
class Started:
    """Pictures of one unit from several photos, and from noise.

    Attributes:
        renderings: one for each photo.
        from_noise: as many from noise.
        photo_scores: the objective of each photo.
        own: the structural similarity of each picture to its own photo.
        others: its mean similarity to the other photos: what `own` would be if the photo did not matter.
        shares: where the variance of `renderings` comes from.
    """

    renderings: tuple[Rendering, ...]
    from_noise: tuple[Rendering, ...]
    photo_scores: tuple[float, ...]
    own: tuple[float, ...]
    others: tuple[float, ...]
    shares: Shares

    def facts(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "scores": [each.score for each in self.renderings],
            "noise_scores": [each.score for each in self.from_noise],
            "photo_scores": list(self.photo_scores),
            "own": list(self.own),
            "others": list(self.others),
            "common": self.shares.common,
            "start": self.shares.start,
            "rest": self.shares.rest,
        }


def from_photos(
    model: Model,
    objective: str | Objective,
    photos: Sequence[Float[Tensor, "c h w"]],
    *,
    size: int | tuple[int, int] | None = None,
    steps: int = 128,
    method: Method | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Started:
    """Render one unit from several photos and as often from noise, and tell what in the pictures comes from the photos.

    Starting from a photo is a prior that is not written down ("finetuning" in Audun Øygard's and Mike Tyka's pictures): the result
    looks natural because it still is the photo. Only what several starts have in common speaks about the unit.

    Args:
        model: the network.
        objective: a unit as text, or an objective about single pictures.
        photos: two or more, c h w in [0, 1], of any sizes.
        size: height and width of the pictures; None for `natural_size` of the objective. The photos are resized to it.
        steps: from 1.
        method: how to optimise; None for what suits the model, the size and the steps.
        seed: of the noise, from 0.
        progress: called with the steps of single pictures that are done, and their total.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: fewer than two photos, or a setting out of range.

    Example:
        >>> import pellucid.models as models
        >>> made = from_photos(models.load("terrarium"), "mixed3a:5", torch.rand(2, 3, 96, 96), steps=1)
        >>> len(made.renderings), len(made.from_noise), len(made.own)
        (2, 2, 2)
    """
    if len(photos) < 2:
        raise UsageError(f"photos: {len(photos)}; what they share can be told from two or more")
    unit, count = one(objective, model), len(photos)
    if size is None:
        size = natural_size(model, unit)
    shape = (size, size) if isinstance(size, int) else size
    starts = [resized(checked(photo, model, f"photo {index}"), shape) for index, photo in enumerate(photos)]
    seeds = [*[seed] * count, *range(seed, seed + count)]
    made = render(
        model,
        [unit] * (2 * count),
        size=shape,
        steps=steps,
        method=method,
        seeds=seeds,
        start=[*starts, *[None] * count],
        progress=part(progress, 0, 2 * count * steps),
    )
    images, given = torch.stack([each.image for each in made[:count]]), torch.stack(starts).cpu()
    alike = torch.tensor([[ssim(image, start) for start in given] for image in images])
    own = alike.diagonal()
    others = (alike.sum(1) - own) / (count - 1)
    scores = answers(model, unit, torch.stack(starts))
    before, mine, theirs = (tuple(numbers.tolist()) for numbers in (scores, own, others))
    return Started(tuple(made[:count]), tuple(made[count:]), before, mine, theirs, shares(images, given))


def shares(images: Float[Tensor, "n c h w"], starts: Float[Tensor, "n c h w"]) -> Shares:
    """Where the variance of pictures comes from: an analysis of variance over the pictures, then one regression on the starts.

    The variance is that around each channel's mean. What is common is estimated without bias: pictures of which none has
    anything to do with another have nothing in common, however few they are.

    Args:
        images: two or more.
        starts: what each of them started from.

    >>> one, other = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    >>> shares(torch.cat([one, other]), torch.cat([one, other])).start > 0.9
    True
    >>> shares(torch.cat([one, one]), torch.cat([one, other]))
    Shares(common=1.0, start=0.0, rest=0.0)
    """
    images, starts, count = images.double(), starts.double(), len(images)
    common = images.mean(0)
    apart, given = images - common, starts - starts.mean(0)
    single = apart.square().sum() / (count - 1)
    shared = ((common - common.mean((1, 2), keepdim=True)).square().sum() - single / count).clamp(min=0)
    followed = (apart * given).sum() ** 2 / (apart.square().sum() * given.square().sum()).clamp(min=1e-12)
    total = (shared + single).clamp(min=1e-12)
    start = single * followed / total
    return Shares(float(shared / total), float(start), float(single / total - start))
