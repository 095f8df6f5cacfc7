"""The pictures that stand for channels, groups and cells; none is made twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from pellucid.arrays import to_image
from pellucid.atlas.icons import SMOOTH, gentle, icon_objective, icon_size
from pellucid.models import Model
from pellucid.vis import Method, channel, neuron, render
from pellucid.vis.methods import natural_fourier
from pellucid.vis.params import fourier

Progress = Callable[[int, int], None]

STEPS = 64  # of a picture made here


@dataclass
class Icons:
    """Pictures of a model's channels and of directions of its layers.

    Args:
        model: from `load`; left as it was.
        known: pictures of channels that there are already, from `saved_pictures`; they count for as long as this object lives.
        steps: of optimisation, of each picture that is missing.
        seed: of all pictures: what is alike gets alike pictures.
    """

    model: Model
    known: dict[tuple[str, int], Float[Tensor, "c h w"]] = field(default_factory=dict)
    steps: int = STEPS
    seed: int = 0

    def of_channels(
        self, layer: str, channels: Sequence[int], *, progress: Progress | None = None
    ) -> dict[int, Float[Tensor, "c h w"]]:
        """A picture for each channel: one that is known, or a small one that excites the layer's centre.

        Raises:
            NotFoundError: no such layer.

        Example:
            >>> import pellucid.models as models
            >>> icons = Icons(models.load("terrarium"), steps=1)
            >>> {name: tuple(each.shape) for name, each in icons.of_channels("conv1", [4, 2]).items()}
            {4: (3, 40, 40), 2: (3, 40, 40)}
        """
        missing = [each for each in channels if (layer, each) not in self.known]
        size = icon_size(self.model, self.model.layer(layer))
        made = render(
            self.model,
            [neuron(layer, each) for each in missing],
            size=size,
            steps=self.steps,
            method=_method(self.model, size),
            seeds=self.seed,
            progress=progress,
        )
        self.known |= {(layer, each): one.image for each, one in zip(missing, made, strict=True)}
        return {each: self.known[layer, each] for each in channels}

    def of_directions(
        self,
        layer: str,
        directions: Float[Tensor, "n c"],
        *,
        starts: Sequence[Float[Tensor, "c h w"]] | None = None,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> list[Float[Tensor, "c h w"]]:
        """A picture for each direction, as of the cells of an atlas.

        Args:
            layer: where.
            directions: none of them zero.
            starts: a picture to begin with for each; None for noise.
            steps: of optimisation; None for the object's own.
            progress: called with (steps of single pictures done, their total).

        Raises:
            NotFoundError: no such layer.
            UsageError: a direction is zero.
        """
        size = icon_size(self.model, self.model.layer(layer))
        made = render(
            self.model,
            [icon_objective(layer, each) for each in directions.float().cpu()],
            size=size,
            steps=self.steps if steps is None else steps,
            method=_method(self.model, size),
            seeds=self.seed,
            start=starts,
            progress=progress,
        )
        return [each.image for each in made]


def saved_pictures(model: Model, folder: Path | str) -> dict[tuple[str, int], Float[Tensor, "c h w"]]:
    """The pictures of a model's channels that lie in a folder or below, as `Rendering.save` and the build of a site write them.

    What a picture shows stands in the file, and not in its name. Other pictures, and those of other models, are passed over.

    Args:
        model: the network; pictures count that were made with just these weights.
        folder: for instance `RUN/units`.

    Example:
        >>> import pellucid.models as models
        >>> saved_pictures(models.load("terrarium"), "no such folder")
        {}
    """
    units = {
        channel(layer.name, index).name: (layer.name, index) for layer in model.layers.values() for index in range(layer.channels)
    }
    fingerprint, found = model.fingerprint(), {}
    for file in sorted(Path(folder).rglob("*.png")):
        with suppress(UnidentifiedImageError), Image.open(file) as picture:
            notes = _notes(picture)
            if notes.get("fingerprint") == fingerprint and (unit := units.get(str(notes.get("objective")))) is not None:
                found[unit] = to_image(picture, model.channels)
    return found


def _notes(picture: Image.Image) -> Mapping[str, object]:
    try:
        notes = json.loads(picture.info["pellucid"])
    except (KeyError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _method(model: Model, size: tuple[int, int]) -> Method:
    return Method(parameterization=fourier(decay=max(SMOOTH, natural_fourier(model).decay)), transforms=[gentle(size)])
