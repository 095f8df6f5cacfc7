"""The verbs that change photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.options import Verb, a_path, load_model, load_photo, model_options, output_options, report_options
from pellucid.cli.output import file_name, progress_bars, report, rescued


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_path)
@click.option("--layer", help="Of which all answers grow, or a unit like layer:channel; by default a deep layer.")
@click.option("--octaves", type=click.IntRange(1), default=4, show_default=True, help="Sizes, from small to full.")
@click.option("--octave-scale", type=float, default=1.4, show_default=True, help="From one size to the next.")
@click.option("--steps", type=click.IntRange(1), default=10, show_default=True, help="In each octave.")
@click.option("--strength", type=float, default=0.2, show_default=True, help="0.1 is subtle, from 0.4 the photo is gone.")
@output_options(2)
@report_options
def dream(
    model: str,
    image: Path,
    layer: str | None,
    octaves: int,
    octave_scale: float,
    steps: int,
    strength: float,
    output: Path,
    picture_size: int | None,
    crop: bool,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """DeepDream: strengthen in the photo IMAGE what a layer of MODEL sees in it.

    \b
    pellucid dream terrarium photo.jpg -o dreams
    pellucid dream terrarium photo.jpg -o dreams --layer mixed4a --octaves 3
    """
    from pellucid.models.spanning import fine_layers
    from pellucid.vis.recipes.dream import dream as make

    loaded = load_model(model, **source)
    photo, what = load_photo(image, loaded, picture_size, 2, crop), fine_layers(loaded)[-1] if layer is None else layer
    name = file_name(f"{image.stem}-dream-{what}")
    with progress_bars(quiet) as progress, rescued(output, name):
        made = make(
            loaded,
            photo,
            what,
            octaves=octaves,
            octave_scale=octave_scale,
            steps=steps,
            strength=strength,
            progress=lambda done, total: progress("dream", done, total),
        )
    last = made.octaves[-1]
    said = f"{made.rendering.objective} {last.photo_score:.4g} -> {last.score:.4g}, similarity {last.similarity:.2f}"
    report([(output / f"{name}.png", made.rendering, made.facts(), said)], as_json)


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_path)
@click.argument("unit")
@click.option(
    "--strengths",
    type=float,
    multiple=True,
    default=(0.1, 0.3, 1.0),
    show_default=True,
    help="How far to go: 0.1 is subtle, at 1 the photo begins to go.",
)
@click.option("--layer", help="In which the photo is kept, or `image` for its pixels; by default an early one.")
@click.option("--steps", type=click.IntRange(1), default=64, show_default=True)
@output_options(1)
@report_options
def accentuate(
    model: str,
    image: Path,
    unit: str,
    strengths: tuple[float, ...],
    layer: str | None,
    steps: int,
    output: Path,
    picture_size: int | None,
    crop: bool,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Change the photo IMAGE so that UNIT of MODEL answers more, while an early layer still sees the same photo.

    \b
    pellucid accentuate terrarium photo.jpg class:lighthouse -o accentuated
    pellucid accentuate terrarium photo.jpg mixed4a:7 -o accentuated --strengths 0.1 0.2 0.4
    """
    from pellucid.vis.recipes.accentuate import accentuate as make

    loaded = load_model(model, **source)
    photo, name = load_photo(image, loaded, picture_size, 1, crop), file_name(f"{image.stem}-accentuate-{unit}")
    with progress_bars(quiet) as progress, rescued(output, name):
        made = make(
            loaded,
            photo,
            unit,
            layer=layer,
            strengths=strengths,
            steps=steps,
            progress=lambda done, total: progress("accentuate", done, total),
        )
    rows = []
    for each in made:
        said = f"{unit} {each.photo_score:.4g} -> {each.rendering.score:.4g}, similarity {each.similarity:.2f}"
        rows.append((output / f"{name}-{each.strength:g}.png", each.rendering, {"unit": unit, **each.facts()}, said))
    report(rows, as_json)


@click.command(cls=Verb)
@model_options
@click.argument("content", type=a_path)
@click.argument("style", type=a_path)
@click.option("--content-weight", type=float, default=0.1, show_default=True, help="0.03 melts the content, 1 only tints it.")
@click.option("--content-layers", multiple=True, help="By default the deepest of the style layers' default.")
@click.option("--style-layers", multiple=True, help="By default those that see at most half of a picture.")
@click.option("--steps", type=click.IntRange(1), default=256, show_default=True)
@output_options(2)
@report_options
def style(
    model: str,
    content: Path,
    style: Path,
    content_weight: float,
    content_layers: tuple[str, ...],
    style_layers: tuple[str, ...],
    steps: int,
    output: Path,
    picture_size: int | None,
    crop: bool,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Paint the photo CONTENT as the picture STYLE looks, for MODEL.

    \b
    pellucid style terrarium photo.jpg painting.jpg -o styled
    """
    from pellucid.vis.recipes.style import style as make

    loaded = load_model(model, **source)
    photos = [load_photo(path, loaded, picture_size, 2, crop) for path in (content, style)]
    name = file_name(f"{content.stem}-style-{style.stem}")
    with progress_bars(quiet) as progress, rescued(output, name):
        made = make(
            loaded,
            *photos,
            content_weight=content_weight,
            content_layers=content_layers or None,
            style_layers=style_layers or None,
            steps=steps,
            progress=lambda done, total: progress("style", done, total),
        )
    said = ", ".join(f"{layer} {share:.2f}" for layer, share in made.style.items())
    report([(output / f"{name}.png", made.rendering, made.facts(), f"style taken: {said}")], as_json)
