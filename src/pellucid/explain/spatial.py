"""What places of a picture give to each other's answers, layer to layer, and to the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.explain.cells import MOST, cells_of
from pellucid.explain.tape import COPIES, Tape
from pellucid.models import OUTPUT
from pellucid.vis.objectives import IMAGE


def between_layers(
    tape: Tape, *, most: int = MOST, progress: Callable[[int, int], None] | None = None
) -> dict[tuple[str, str], Float[Tensor, "_ _ _ _"]]:
    """What each cell of an earlier layer, or of the picture, gives to each cell of a later one.

    The score of a cell is the length of its activation vectors, and what a place gives to it is gradient times activation (Olah et
    al. 2018, "The Building Blocks of Interpretability", Distill, "What are the neurons looking at?"; notebook AttrSpatial). As long
    as the network adds no constants in between, the cells of an earlier layer together give a cell all its length. Read by the last
    two axes, a map is what influences a cell; by the first two, what a cell influences.

    Args:
        tape: from `record`.
        most: cells a side, from 1: of a finer map, neighbouring positions are taken together, and sums are given.
        progress: called with the cells done, and their number.

    Returns:
        From (source, target) to rows and columns of the target's cells, rows and columns of the source's.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed3b", "mixed4b"])
        >>> {pair: tuple(found.shape) for pair, found in between_layers(tape, most=6).items() if "image" not in pair}
        {('mixed3b', 'mixed4b'): (6, 6, 6, 6)}
    """
    grids = {name: cells_of(_size(tape.maps[name]), most) for name in (IMAGE, *tape.layers)}
    total, done = sum(grids[name].rows * grids[name].cols for name in tape.layers), 0
    found: dict[tuple[str, str], Tensor] = {}
    for place, target in enumerate(tape.layers):
        sources, grid, parts = (IMAGE, *tape.layers[:place]), grids[target], []
        for masks in grid.masks().to(tape.logits).split(COPIES):
            given = tape.at_positions(target, masks[:, None] * pointing(tape.maps[target]), sources)
            parts.append({name: grids[name].sums(each) for name, each in given.items()})
            done += len(masks)
            if progress is not None:
                progress(done, total)
        found |= {
            (name, target): torch.cat([part[name] for part in parts]).unflatten(0, (grid.rows, grid.cols)) for name in sources
        }
    return found


def to_classes(tape: Tape, layer: str, *, most: int = MOST) -> Float[Tensor, "k p q"]:
    """What each cell of a layer gives to every class: gradient times activation, summed over channels and positions.

    Where there are fewer cells than classes, their changes are pushed forward, and gradients are pulled back otherwise.

    Args:
        tape: from `record`.
        layer: one of the tape's.
        most: cells a side.

    Example:
        >>> import pellucid.models as models
        >>> from pellucid.explain.tape import record
        >>> tape = record(models.load("terrarium"), torch.rand(3, 96, 96), ["mixed4b"])
        >>> to_classes(tape, "mixed4b").shape
        torch.Size([18, 12, 12])
    """
    cells, classes = cells_of(_size(tape.maps[layer]), most), len(tape.logits)
    if classes <= cells.rows * cells.cols:
        return cells.sums(class_maps(tape, range(classes), [layer])[layer])
    push, masks = tape.pushing(layer), cells.masks().to(tape.logits)
    pushed = [push(part[:, None] * tape.maps[layer]) for part in masks.split(COPIES)]
    return torch.cat(pushed).T.unflatten(1, (cells.rows, cells.cols))


def class_maps(tape: Tape, classes: Sequence[int], places: Sequence[str]) -> dict[str, Float[Tensor, "m _ _"]]:
    """What each position of layers and of the picture gives to some classes, unpooled.

    Args:
        tape: from `record`.
        classes: indices.
        places: layers of the tape, or `IMAGE`.
    """
    return tape.at_positions(OUTPUT, one_hot(tape, classes), places)


def one_hot(tape: Tape, classes: Sequence[int]) -> Float[Tensor, "m k 1 1"]:
    """Seeds of single classes."""
    return torch.eye(len(tape.logits))[list(classes)].to(tape.logits)[:, :, None, None]


def pointing(map: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """The directions of the vectors of a map, which are the gradients of their lengths; zero where there is none."""
    return map / map.norm(dim=0).clamp_min(1e-12)


def _size(map: Float[Tensor, "c h w"]) -> tuple[int, int]:
    return map.shape[1], map.shape[2]
