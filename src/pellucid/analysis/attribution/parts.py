"""Many pictures as often as a method needs them, no more at once than memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.attribution.targets import Targets
from pellucid.errors import PellucidError
from pellucid.models.capture import capture, prepared
from pellucid.models.layer_gradients import Derivatives, derivatives
from pellucid.models.model import Model
from pellucid.models.rectified import Rule
from pellucid.vis.packing import natural_batch, out_of_memory

Found = TypeVar("Found")


def in_parts(
    model: Model, count: int, size: tuple[int, int], targets: Targets, run: Callable[[range], Found]
) -> Iterator[tuple[range, Found]]:
    """Do something with the numbers below `count`, as many at once as help; half as many as often as memory runs out.

    Args:
        model: held still meanwhile.
        count: of the numbers, each of which stands for one picture in the network.
        size: of the pictures in pixels.
        targets: how far the network has to run.
        run: from numbers to what is found of them.

    Raises:
        PellucidError: a single picture does not fit into memory.
    """
    depth = max((model.depth(name) for name in targets.layers), default=1)
    limit, start = natural_batch(model, size, depth), 0
    with prepared(model):
        while start < count:
            part = range(start, min(count, start + limit))
            try:
                found = run(part)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if len(part) == 1:
                    raise PellucidError(f"images: one of {size[0]} × {size[1]} px does not fit into memory") from error
                limit = len(part) // 2
                continue
            yield part, found
            start = part.stop


def gradients(
    model: Model,
    images: Float[Tensor, "n c h w"],
    targets: Targets,
    *,
    layers: Sequence[str] = (),
    pixels: bool = True,
    rule: Rule | None = None,
) -> Derivatives:
    """The derivatives of all pictures' scores, see `models.layer_gradients.derivatives`; float32 on the CPU."""

    def run(part: range) -> Derivatives:
        batch = images[part.start : part.stop]
        return derivatives(model, batch, targets.score(part), reads=targets.layers, layers=layers, pixels=pixels, rule=rule)

    found = [each for _, each in in_parts(model, len(images), size_of(images), targets, run)]
    return Derivatives(
        joined([each.scores for each in found]),
        joined([each.pixels for each in found if each.pixels is not None]) if pixels else None,
        {name: joined([each.maps[name] for each in found]) for name in layers},
        {name: joined([each.gradients[name] for each in found]) for name in layers},
    )


def scores_of(model: Model, images: Float[Tensor, "n c h w"], targets: Targets) -> Float[Tensor, " n"]:
    """The scores of all pictures, without gradients; float32 on the CPU."""

    def run(part: range) -> Tensor:
        batch = images[part.start : part.stop]
        return scores_at_once(model, batch, targets, part)

    return joined([found for _, found in in_parts(model, len(images), size_of(images), targets, run)])


def scores_at_once(model: Model, batch: Float[Tensor, "m c h w"], targets: Targets, which: Sequence[int]) -> Float[Tensor, " m"]:
    """The scores of pictures that fit into memory, under the targets of these numbers."""
    with torch.no_grad():
        maps = capture(model, batch, targets.layers) if targets.layers else {}
        return targets.score(which)(maps, batch)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Parts as one, without history; float32 on the CPU."""
    plain = [each.detach().float().cpu() for each in parts]
    return plain[0] if len(plain) == 1 else torch.cat(plain)


def size_of(images: Float[Tensor, "n c h w"]) -> tuple[int, int]:
    """Height and width of pictures in pixels."""
    return images.shape[2], images.shape[3]
