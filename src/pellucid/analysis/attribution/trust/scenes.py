"""Pictures of the terrarium of which it is known where the thing is that a class is named for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as naturals

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.analysis.attribution.trust.pointing import THINGS, main_mask
from pellucid.analysis.concepts import SEED
from pellucid.arrays import to_image
from pellucid.errors import UsageError
from pellucid.terrarium.world import CLASSES, Scene, draw


@dataclass(frozen=True)
class Posed:
    """Pictures, and in each of them a thing to point at.

    Attributes:
        images: in [0, 1].
        masks: where the things are.
        labels: the classes that are named for them.
    """

    images: Float[Tensor, "n c h w"]
    masks: Bool[Tensor, "n h w"]
    labels: tuple[str, ...]

    @property
    def targets(self) -> list[str]:
        """The classes as targets."""
        return [f"class:{label}" for label in self.labels]


def one_thing(count: int, *, seed: int = SEED) -> Posed:
    """Scenes of the classes with a thing, in turns; it mostly is in the middle of the picture.

    Args:
        count: 1 or more.
        seed: of the world; no bundled network learned from this one.

    >>> posed = one_thing(3)
    >>> posed.labels, posed.images.shape
    (('fireboat', 'streetcar', 'house'), torch.Size([3, 3, 96, 96]))
    """
    if count < 1:
        raise UsageError(f"count={count}: at least 1 is wanted")
    found = _with_things(seed)
    return _posed([next(found) for _ in range(count)])


def four_things(count: int, *, seed: int = SEED) -> Posed:
    """Four scenes of different classes on one picture, of which one is asked for: any thing is the right one in a quarter of them.

    The grid pointing game of Böhle, Fritz & Schiele 2021, arXiv:2104.00032, section 4, with masks. For networks that take pictures
    of any size.

    Args:
        count: 1 or more.
        seed: of the world and of which scenes meet.

    >>> four_things(2).images.shape
    torch.Size([2, 3, 192, 192])
    """
    rng, found = random.Random(seed), _with_things(seed)
    scenes, images, masks, labels = [next(found) for _ in range(2 * max(15, count))], [], [], []
    for place in range(count):
        asked = scenes[place]
        others = rng.sample([each for each in scenes if each.label != asked.label], len(scenes) // 2)
        four = list({each.label: each for each in others}.values())[:3]
        four.insert(place % 4, asked)
        posed = _posed(four)
        wanted = (torch.arange(4) == place % 4)[:, None, None]
        images.append(_together(posed.images))
        masks.append(_together((posed.masks & wanted)[:, None])[0])
        labels.append(asked.label)
    return Posed(torch.stack(images), torch.stack(masks), tuple(labels))


def _together(four: Tensor) -> Tensor:
    """Four pictures `c h w` in reading order on one."""
    return torch.cat([torch.cat([four[0], four[1]], 2), torch.cat([four[2], four[3]], 2)], 1)


def _posed(scenes: list[Scene]) -> Posed:
    masks = torch.stack([torch.as_tensor(main_mask(each)) for each in scenes])
    return Posed(torch.stack([to_image(each.picture) for each in scenes]), masks, tuple(each.label for each in scenes))


def _with_things(seed: int) -> Iterator[Scene]:
    for index in naturals():
        if CLASSES[index % len(CLASSES)] in THINGS:
            yield draw(index, seed=seed)
