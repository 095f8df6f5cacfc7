"""From real pictures to a reference, and from a reference to the panel of an optimised picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.quality.panel import Panel, Worked
from pellucid.analysis.quality.robust import Robust, changes
from pellucid.analysis.quality.views import View, Watcher, activations, scores
from pellucid.errors import NotFoundError, UsageError
from pellucid.models.capture import prepared
from pellucid.models.model import Model
from pellucid.vis.objectives import Objective, parse_unit
from pellucid.vis.render import natural_size

BATCH = 16  # pictures at once


@dataclass(frozen=True)
class Reference:
    """What is kept of real pictures, to compare optimised ones with; made by `reference`.

    Attributes:
        model: whose units the objectives are.
        pictures: how many real ones there were.
        views: what is kept of them, by the (height, width) of the optimised pictures.
    """

    model: Model
    pictures: int
    views: Mapping[tuple[int, int], View] = field(repr=False)


def reference(
    model: Model,
    images: Float[Tensor, "n c h w"] | Iterable[Float[Tensor, "n c h w"]],
    *,
    objectives: Sequence[str | Objective],
    size: int | tuple[int, int] | None = None,
) -> Reference:
    """Go once through real pictures and keep what `quality` compares optimised ones with.

    Kept are 4 bytes for each picture and objective, 200 more for each picture, and the pooled activations of 20 pictures for
    each channel of the objectives' layers.

    Args:
        model: the network; left as it was, also after an exception.
        images: in [0, 1], all at once or batch by batch, at least as large as the optimised pictures: their middle is compared.
        objectives: of the pictures to come, as text or as objectives, each about single pictures.
        size: of the pictures to come, as in `render`: None for `natural_size` of each objective.

    Raises:
        NotFoundError: no such layer or class.
        UsageError: there is no picture, or a smaller one; an objective speaks about several pictures together.
        PellucidError: an objective of a picture is not a number.

    Example:
        >>> from pellucid.data.stream import open_stream
        >>> from pellucid.models import load
        >>> model = load("terrarium")
        >>> stream = open_stream("terrarium:36", size=model.size)
        >>> real = reference(model, (images for _, images in stream.batches(0, 36, batch=12)), objectives=["mixed3a:1"])
        >>> panel = quality(torch.rand(3, 64, 64), "mixed3a:1", reference=real)
        >>> panel.worked.worked, panel.natural.fine.value > 1
        (False, True)
    """
    sizes: dict[tuple[int, int], dict[str, Objective]] = {}
    for unit in (_unit(each, model) for each in objectives):
        wanted = natural_size(model, unit) if size is None else (size, size) if isinstance(size, int) else size
        sizes.setdefault(wanted, {})[unit.name] = unit
    watchers = {wanted: Watcher(model, wanted, units) for wanted, units in sizes.items()}
    pictures = 0
    with torch.no_grad(), prepared(model):
        for batch in [images] if isinstance(images, Tensor) else images:
            pictures += len(batch)
            for part in batch.split(BATCH) if len(batch) else ():
                for watcher in watchers.values():
                    watcher.see(part)
    if not pictures:
        raise UsageError("images: there is no picture to compare with")
    return Reference(model, pictures, {wanted: watcher.view() for wanted, watcher in watchers.items()})


def quality(picture: Float[Tensor, "c h w"], objective: str | Objective, *, reference: Reference) -> Panel:
    """Compare an optimised picture with real ones: did it work, is it natural, is it robust, is it about its own unit?

    Args:
        picture: in [0, 1], of a size that the reference was made for.
        objective: what it was optimised for, one of those that the reference was made for.
        reference: of real pictures.

    Raises:
        NotFoundError: the reference was not made for this objective.
        UsageError: the reference was made for other sizes; the picture has other channels than the model.
        PellucidError: the objective of the picture is not a number.
    """
    unit = _unit(objective, reference.model)
    view = _view(picture, unit, reference)
    picture = picture.detach().float().cpu()
    changed = changes(picture, placed=unit.placed)
    images = torch.stack([picture, *changed.values()])
    with torch.no_grad():
        seen = activations(reference.model, images, view.layers(unit))
        own, *others = scores(unit, seen, len(images)).tolist()
    worked = Worked.of(own, view.scores[unit.name])
    return Panel(
        objective=unit.name,
        pictures=reference.pictures,
        worked=worked,
        natural=view.looks.natural(picture),
        robust=Robust.of(own, worked.typical, dict(zip(changed, others, strict=True))),
        specific=view.specific(unit, seen),
    )


def _unit(objective: str | Objective, model: Model) -> Objective:
    unit = parse_unit(objective, model) if isinstance(objective, str) else objective
    if unit.pictures is not None:
        raise UsageError(f"{unit} speaks about {unit.pictures} pictures together; give the objective of each single picture")
    return unit


def _view(picture: Tensor, unit: Objective, reference: Reference) -> View:
    model = reference.model
    if picture.ndim != 3 or picture.shape[0] != model.channels or not picture.is_floating_point():
        raise UsageError(
            f"picture: {picture.dtype} of shape {tuple(picture.shape)}; {model.name} takes floating-point pictures in [0, 1] "
            f"of shape ({model.channels}, h, w)"
        )
    view = reference.views.get((picture.shape[1], picture.shape[2]))
    if view is None:
        known = ", ".join(f"{height} × {width}" for height, width in reference.views)
        raise UsageError(f"picture: {picture.shape[1]} × {picture.shape[2]} px, but the reference was made for {known} px")
    if unit.name not in view.scores:
        raise NotFoundError("objective", unit.name, view.scores, "make the reference for it too")
    return view
