"""What every figure draws on: the network, a sample of pictures, what it answers to them, and units worth looking at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.quality.robust import changes
from pellucid.data.stream import Stream
from pellucid.errors import PellucidError, UsageError
from pellucid.figures.measures import Crowd
from pellucid.models import load
from pellucid.models.capture import capture, prepared
from pellucid.models.model import OUTPUT, Model
from pellucid.models.spanning import spanning_layers
from pellucid.vis.methods import Method
from pellucid.vis.objectives import Objective, channel
from pellucid.vis.presets import PRESETS
from pellucid.vis.prior import Prior, load_prior
from pellucid.vis.prior.guide import check_prior
from pellucid.vis.recipes.measures import answers
from pellucid.vis.render import render
from pellucid.vis.rendering import Rendering

PHOTOS = 360  # real pictures that are looked at
BLOCK = 8  # of them that lie side by side in the stream
BATCH = 32
NAIVE = PRESETS["none"]  # neither preconditioning nor robustness


@dataclass(frozen=True)
class Studio:
    """A network with real pictures, and how to make pictures of it.

    Attributes:
        model: the network.
        photos: real pictures, n c h w at the model's size.
        layers: a low, a middle and a high layer.
        steps: of optimisation for each picture.
        seed: of everything that is drawn.
        tick: called after each call of `render` with the number of pictures that it made.
        prior: of pictures like these.
        judge: a second network that knows pictures like these.
        found: what `real` gave, by objective.
    """

    model: Model
    photos: Float[Tensor, "n c h w"]
    layers: tuple[str, str, str]
    steps: int
    seed: int
    tick: Callable[[int], None]
    prior: Prior | None = None
    judge: Model | None = None
    found: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def answers(self) -> Mapping[str, Float[Tensor, "n c"]]:
        """The mean of each channel of the three layers and of the logits in each real picture."""
        names, found = [*self.layers, OUTPUT], []
        with torch.no_grad(), prepared(self.model):
            for batch in self.photos.split(BATCH):
                maps = capture(self.model, batch, names)
                found.append({name: maps[name].float().mean((2, 3)).cpu() for name in names})
        return {name: torch.cat([each[name] for each in found]) for name in names}

    @cached_property
    def crowds(self) -> Sequence[Crowd]:
        """The real pictures as the network sees them, and as the judge does."""
        own = Crowd(self.model, self.layers, self.photos)
        return [own] if self.judge is None else [own, Crowd(self.judge, spanning_layers(self.judge)[-3:], self.photos)]

    def channels(self, layer: str, count: int) -> list[int]:
        """Channels that tell pictures apart: the best of each of `count` equal parts of the layer, by peak over spread.

        Raises:
            PellucidError: no channel answers to the pictures.
        """
        answers = self.answers[layer]
        spread = answers.std(0)
        peak = torch.where(spread > 0, (answers.amax(0) - answers.mean(0)) / spread.clamp(min=1e-12), -1.0)
        best = [int(part[peak[part].argmax()]) for part in torch.arange(len(peak)).tensor_split(count) if len(part)]
        if not any(peak[index] > 0 for index in best):
            raise PellucidError(f"no channel of layer {layer!r} tells the pictures apart")
        return [index for index in best if peak[index] > 0]

    def units(self, layer: str, count: int) -> list[Objective]:
        """The objectives of these channels."""
        return [channel(layer, index) for index in self.channels(layer, count)]

    def classes(self, count: int) -> list[int]:
        """Evenly spread classes."""
        total = len(self.model.classes)
        return [index * total // min(count, total) for index in range(min(count, total))]

    def render(
        self,
        objectives: Sequence[Objective],
        *,
        method: Method | None = None,
        steps: int | None = None,
        seeds: int | Sequence[int] | None = None,
        snapshots: Sequence[int] = (),
        start: Float[Tensor, "c h w"] | None = None,
    ) -> list[Rendering]:
        """Pictures of the objectives, all of the model's size, so that their numbers compare."""
        made = render(
            self.model,
            objectives,
            size=self.model.size,
            steps=self.steps if steps is None else steps,
            method=method,
            seeds=self.seed if seeds is None else seeds,
            snapshots=snapshots,
            start=start,
        )
        self.tick(len(made))
        return made

    def scores(self, objective: Objective, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """An objective of any pictures, untransformed and in full precision."""
        return answers(self.model, objective, images)

    def real(self, objective: Objective) -> Float[Tensor, " n"]:
        """An objective of the real pictures."""
        if objective.name not in self.found:
            self.found[objective.name] = self.scores(objective, self.photos)
        return self.found[objective.name]

    def typical(self, objective: Objective) -> float:
        """An objective of the median real picture."""
        return float(self.real(objective).median())

    def kept(self, objective: Objective, image: Float[Tensor, "c h w"]) -> float:
        """The mean share of an objective, above that of the median real picture, that held-out changes leave."""
        changed = torch.stack([image, *changes(image).values()])
        own, *others = (self.scores(objective, changed) - self.typical(objective)).tolist()
        return 0.0 if own <= 0 else sum(min(max(other / own, 0.0), 1.0) for other in others) / len(others)


def open_studio(
    model: Model,
    stream: Stream,
    layers: Sequence[str],
    *,
    steps: int,
    seed: int,
    tick: Callable[[int], None],
    prior: Prior | None = None,
) -> Studio:
    """A studio with about 360 pictures of a stream, in evenly spread blocks.

    The terrarium's pictures come with their own prior, unless another one is given, and with a judge.

    Raises:
        UsageError: not three layers, or a prior that does not fit the model.
        NotFoundError: no such layer.
        PellucidError: fewer than 8 pictures can be read.
    """
    if len(layers) != 3:
        raise UsageError(f"layers: {len(layers)} came; a low, a middle and a high one are wanted")
    low, middle, high = (model.layer(name).name for name in layers)
    known = stream.source.partition(":")[0] == "terrarium" and stream.channels == 3
    judge = load("terrarium:judge", device=str(model.device)) if known else None
    prior = load_prior("terrarium", device=model.device) if known and prior is None else prior
    if prior is not None:
        check_prior(prior, model)
    blocks = max(1, min(len(stream), PHOTOS) // BLOCK)
    starts = [block * len(stream) // blocks for block in range(blocks)]
    photos = [images for start in starts for _, images in stream.batches(start, min(start + BLOCK, len(stream)), batch=BLOCK)]
    found = torch.cat(photos) if photos else torch.empty(0)
    if len(found) < 8:
        raise PellucidError(f"{stream.source} gives {len(found)} pictures that can be read; figures need at least 8")
    return Studio(model, found, (low, middle, high), steps, seed, tick, prior, judge)
