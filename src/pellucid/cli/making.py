"""How `render` makes pictures: one of each unit, several that differ, or near to what a prior learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pellucid.cli.album import Album, Judge
from pellucid.cli.output import Progress

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pellucid.data.stream import Stream
    from pellucid.models import Model
    from pellucid.vis import Method


@dataclass(frozen=True, kw_only=True)
class Order:
    """Pictures to make of units."""

    model: Model
    units: Sequence[str]
    steps: int
    seed: int
    progress: Callable[[int, int], None]

    def one_each(self, album: Album, *, size: int | None, method: Method, tries: int) -> None:
        """The best of some tries of each unit."""
        from pellucid.vis import Diverged, render

        settings = {"size": size, "steps": self.steps, "method": method, "tries": tries, "seeds": self.seed}
        try:
            made = render(self.model, self.units, progress=self.progress, **settings)
        except Diverged as failure:
            for place in range(len(self.units)):
                tried = failure.finished[place * tries : (place + 1) * tries]
                if place == failure.index // tries:
                    album.add_last(place, failure)
                elif None not in tried:
                    best = max((each for each in tried if each is not None), key=lambda each: each.score)
                    album.add(place, best, best.score)
            raise album.error(failure) from failure
        for place, each in enumerate(made):
            album.add(place, each, each.score)

    def several_each(self, album: Album, *, size: int | None, method: Method, count: int) -> None:
        """Pictures of each unit that want to differ."""
        from pellucid.vis import Diverged
        from pellucid.vis.recipes.facets import diverse
        from pellucid.vis.recipes.measures import SilentUnitError

        settings = {"size": size, "steps": self.steps, "method": method, "seed": self.seed}
        for index, unit in enumerate(self.units):

            def heard(done: int, total: int, before: int = index) -> None:
                self.progress(before * total + done, len(self.units) * total)

            try:
                made = diverse(self.model, unit, count, progress=heard, **settings)
            except SilentUnitError as failure:
                for place in range(index * count, (index + 1) * count):
                    album.add(place, failure.single, failure.single.score)
                continue
            except Diverged as failure:
                album.add_last(index * count + failure.index, failure)
                raise album.error(failure) from failure
            for place, (each, score) in enumerate(zip(made.renderings, made.scores, strict=True), index * count):
                album.add(place, each, score)

    def guided(self, album: Album, *, prior: str, strength: float) -> None:
        """One picture of each unit, near to what a prior learned."""
        from pellucid.vis import Diverged
        from pellucid.vis.prior import load_prior, sample

        known = load_prior(prior, device=self.model.device)
        settings = {"strength": strength, "steps": self.steps, "seeds": self.seed}
        try:
            made = sample(self.model, self.units, known, progress=self.progress, **settings)
        except Diverged as failure:
            for place, each in enumerate(failure.finished):
                if each is not None:
                    album.add(place, each, each.score)
            album.add_last(failure.index, failure)
            raise album.error(failure) from failure
        for place, each in enumerate(made):
            album.add(place, each, each.score)


def named_method(name: str, param: str | None, model: Model, real: Stream | None, progress: Progress) -> Method:
    """The method of a preset, with another parameterization where one is named; `maco` takes its amplitudes from real pictures."""
    from pellucid.vis.params import maco, mean_magnitude
    from pellucid.vis.presets import PARAMETERIZATIONS, PRESETS

    if param is None:
        return PRESETS[name]
    if param == "maco" and real is not None:
        images = (image for batch in seen(real, "amplitudes", progress) for image in batch)
        return replace(PRESETS[name], parameterization=maco(magnitude=mean_magnitude(images)))
    return replace(PRESETS[name], parameterization=PARAMETERIZATIONS[param](model))


def judge(model: Model, units: Sequence[str], size: int | tuple[int, int] | None, real: Stream, progress: Progress) -> Judge:
    """What compares pictures of units with real ones."""
    from pellucid.analysis.quality import quality, reference

    known = reference(model, seen(real, "real pictures", progress), objectives=units, size=size)
    return lambda rendering, unit: quality(rendering.image, unit, reference=known)


def seen(stream: Stream, stage: str, progress: Progress) -> Iterator[Float[Tensor, "_ c h w"]]:
    """All pictures of a stream in batches, with a bar."""
    for samples, images in stream.batches(0, len(stream), batch=32):
        yield images
        progress(stage, samples[-1].index + 1, len(stream))
    progress(stage, len(stream), len(stream))  # also where the last ones are broken
