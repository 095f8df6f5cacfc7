"""A finished picture, with how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from pellucid.arrays import to_picture
from pellucid.errors import PellucidError
from pellucid.files import writing
from pellucid.models.model import Model
from pellucid.vis.optimise import Job, Plan


@dataclass(frozen=True)
class Rendering:
    """A picture with how it was made.

    Attributes:
        image: c h w in [0, 1], on the CPU; one channel more than the model has where the picture has opacity.
        objective: what was maximised, as it is written.
        score: the objective of this very picture, without transforms and penalty, in full precision.
        history: what was maximised at every step, under that step's random transforms.
        settings: everything that made it, ready for JSON.
        snapshots: the picture as it was after some numbers of steps.
        silent: whether the unit never answered: no gradient of the network reached the picture, so it shows nothing.
    """

    image: Float[Tensor, "c h w"]
    objective: str
    score: float
    history: tuple[float, ...]
    settings: dict[str, Any]
    snapshots: Mapping[int, Float[Tensor, "c h w"]] = field(default_factory=dict, repr=False)
    silent: bool = False

    def save(self, path: Path | str) -> None:
        """Write a PNG that holds the settings as JSON in its text field "pellucid"; the same rendering gives the same bytes.

        Raises:
            PellucidError: the disk is full or the folder cannot be written.
        """
        notes = PngInfo()
        notes.add_text("pellucid", json.dumps(self.settings | {"score": self.score}, ensure_ascii=False, sort_keys=True))
        with writing(Path(path)) as temporary:
            to_picture(self.image).save(temporary, format="PNG", pnginfo=notes)


class Diverged(PellucidError):
    """A score became no number; nothing that was made is lost.

    Attributes:
        finished: the renderings that were done, in order; None for each that was not.
        index: which rendering diverged.
        picture: c h w, the last one before, None where there was none.
    """

    def __init__(self, message: str, finished: list[Rendering | None], index: int, picture: Float[Tensor, "c h w"] | None) -> None:
        super().__init__(f"{message}; check the weights, or lower the learning rate")
        self.finished, self.index, self.picture = finished, index, picture


def common_settings(model: Model) -> dict[str, Any]:
    """What all pictures of a call have in common, ready for JSON."""
    return {"model": model.name, "fingerprint": model.fingerprint(), "pellucid": version("pellucid")}


def own_settings(job: Job, plan: Plan) -> dict[str, Any]:
    """Everything else that made a picture, ready for JSON."""
    method = plan.method
    return {
        "objective": job.objective.name,
        "size": list(job.size),
        "seed": job.seed,
        "attempt": job.attempt,
        "start": None if job.start is None else "a picture",
        "steps": plan.steps,
        "learning_rate": list(plan.learning_rate),
        "parameterization": _written(plan.parameterization),
        "transforms": [_written(transform) for transform in plan.transforms],
        "penalty": None if method.penalty is None else method.penalty.name,
        "views": method.views,
        "weight_noise": method.weight_noise,
        "picture_filter": None if method.picture_filter is None else _written(method.picture_filter),
        "gradient_filter": None if method.gradient_filter is None else _written(method.gradient_filter),
        "bfloat16": plan.autocast,
    }


def _written(value: object) -> str:
    """Its `repr`, or the name of a function, whose `repr` would be an address."""
    return getattr(value, "__qualname__", repr(value))
