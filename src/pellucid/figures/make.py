"""All figures of one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pellucid.data.stream import Stream
from pellucid.errors import UsageError
from pellucid.figures import combine, examples, growth, naive, regularisation, sampling, sliders
from pellucid.figures.page import Figure, write_page
from pellucid.figures.studio import Studio, open_studio
from pellucid.models.model import Model
from pellucid.models.spanning import spanning_layers
from pellucid.vis.prior import Prior

LEAST = 16  # steps: fewer have no history to speak of

FIGURES: Sequence[Callable[[Studio], Figure]] = (
    growth.progress,
    growth.objectives,
    growth.squashing,
    examples.spectrum,
    combine.diversity,
    combine.sums,
    combine.between,
    naive.failure,
    sampling.checkerboards,
    regularisation.spectrum,
    sliders.penalties,
    sliders.robustness,
    sliders.filters,
    sliders.weights,
    sampling.remedies,
    naive.descent,
    naive.preconditioning,
)


def default_layers(model: Model) -> list[str]:
    """A low, a middle and a high layer: three that span the network, or lie evenly in one whose maps are all of one size.

    >>> from pellucid.models import load
    >>> default_layers(load("terrarium"))
    ['conv1', 'mixed3b', 'mixed4b']
    """
    spanning = spanning_layers(model)
    if len(spanning) >= 3:
        return spanning[-3:]
    alike = [name for name, layer in model.layers.items() if layer.channels == model.layer(spanning[-1]).channels]
    return [alike[max(0, (len(alike) * third) // 3 - 1)] for third in (1, 2, 3)]


def make_figures(
    model: Model,
    stream: Stream,
    folder: Path | str,
    *,
    layers: Sequence[str],
    steps: int = 64,
    seed: int = 0,
    prior: Prior | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Figure]:
    """Make every figure of Feature Visualization for a network and write them as one page, `folder/index.html`.

    Olah et al. 2017. Each figure comes with its claim and with what was measured on this very network, which may contradict it.

    Args:
        model: from `pellucid.load`.
        stream: real pictures of the model's size, at least 8.
        folder: where the page and its pictures go.
        layers: a low, a middle and a high layer.
        steps: of optimisation for each picture, at least 16.
        seed: of everything that is drawn.
        prior: of such pictures, from `train_prior`; None for the terrarium's where these are its pictures, or for none.
        progress: called with (figures done, figures).

    Returns:
        The figures, in the order of the page.

    Raises:
        NotFoundError: no such layer.
        UsageError: not three layers, too few steps, or a prior that does not fit the model.
        PellucidError: too few pictures can be read, or no unit tells them apart.
    """
    if steps < LEAST:
        raise UsageError(f"steps: {steps} came; figures need at least {LEAST}")
    studio = open_studio(model, stream, layers, steps=steps, seed=seed, tick=lambda pictures: None, prior=prior)
    figures = []
    for index, make in enumerate(FIGURES):
        if progress is not None:
            progress(index, len(FIGURES))
        figures.append(make(studio))
    write_page(
        Path(folder),
        f"What {model.name} looks for",
        f"The figures of Feature Visualization on {model.name} with {len(studio.photos)} pictures of {stream.source}; "
        f"{steps} steps a picture; layers {', '.join(studio.layers)}.",
        figures,
    )
    if progress is not None:
        progress(len(FIGURES), len(FIGURES))
    return figures
