"""The verbs that show what layers see in a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, load_model, load_photo, model_options, output_options
from pellucid.cli.output import file_name, progress_bars, report, rescued

if TYPE_CHECKING:
    from pellucid.vis.recipes.invert import Caricature, Inversion

layers_option = click.option("--layers", multiple=True, help="One or more layers; by default those that span the network.")


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_path)
@layers_option
@click.option("--steps", type=click.IntRange(2), default=192, show_default=True, help="For each layer.")
@click.option("--smoothness", type=float, default=0.5, show_default=True, help="Weight of the total variation.")
@output_options(1)
@common_options
def invert(
    model: str,
    image: Path,
    layers: tuple[str, ...],
    steps: int,
    smoothness: float,
    output: Path,
    picture_size: int | None,
    crop: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Make pictures that layers of MODEL take for the photo IMAGE: what is missing in one, its layer has not kept.

    \b
    pellucid invert terrarium photo.jpg -o inversions --layers conv1 mixed3b mixed4b
    """
    from pellucid.models.spanning import spanning_layers
    from pellucid.vis.recipes.invert import invert as make

    loaded = load_model(model, **source)
    photo = load_photo(image, loaded, picture_size, 1, crop)
    with progress_bars(quiet) as progress, rescued(output, file_name(f"{image.stem}-invert")):
        made = make(
            loaded,
            photo,
            layers or spanning_layers(loaded),
            steps=steps,
            smoothness=smoothness,
            seed=seed,
            progress=lambda done, total: progress("invert", done, total),
        )
    said = [f"recovered {each.recovered[each.layer]:.2f}, similarity {each.similarity:.2f}" for each in made]
    _report(made, said, output, f"{image.stem}-invert", as_json)


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_path)
@layers_option
@click.option("--cosine-power", type=float, default=0.0, show_default=True, help="1 or 2 keep more of what is less strong.")
@click.option("--steps", type=click.IntRange(1), default=128, show_default=True)
@output_options(1)
@common_options
def caricature(
    model: str,
    image: Path,
    layers: tuple[str, ...],
    cosine_power: float,
    steps: int,
    output: Path,
    picture_size: int | None,
    crop: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Make pictures with more of whatever layers of MODEL see in the photo IMAGE.

    \b
    pellucid caricature terrarium photo.jpg -o caricatures --layers mixed3b mixed4b --cosine-power 1
    """
    from pellucid.models.spanning import spanning_layers
    from pellucid.vis.recipes.invert import caricature as make

    loaded = load_model(model, **source)
    photo = load_photo(image, loaded, picture_size, 1, crop)
    with progress_bars(quiet) as progress, rescued(output, file_name(f"{image.stem}-caricature")):
        made = make(
            loaded,
            photo,
            layers or spanning_layers(loaded),
            cosine_power=cosine_power,
            steps=steps,
            seed=seed,
            progress=lambda done, total: progress("caricature", done, total),
        )
    said = [f"cosine {each.cosine:.2f}, gain {each.gain:.3g}" for each in made]
    _report(made, said, output, f"{image.stem}-caricature", as_json)


def _report(made: Sequence[Inversion | Caricature], said: Sequence[str], output: Path, name: str, as_json: bool) -> None:
    """Save the picture of each layer under its name, and print what is known of it."""
    paths = [output / f"{file_name(f'{name}-{each.layer}')}.png" for each in made]
    lines = [f"{each.layer} {line}" for each, line in zip(made, said, strict=True)]
    report([(path, each.rendering, each.facts(), line) for path, each, line in zip(paths, made, lines, strict=True)], as_json)
