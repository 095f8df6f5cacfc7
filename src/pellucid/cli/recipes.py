"""The verbs from photographs to pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, common_options, load_model, load_photo, model_options, options, report_options
from pellucid.cli.output import file_name, print_json, progress_bars

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from pellucid.models import Model
    from pellucid.vis import Rendering

a_photo = click.Path(path_type=Path)
layers_option = click.option("--layers", multiple=True, help="One or more layers; by default those that span the network.")


def output_options(sides: int) -> Any:
    """Where pictures go and how large they are: by default so many times the model's own side."""
    default = "twice the model's" if sides == 2 else "the model's"
    return options(
        click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the pictures."),
        click.option("--picture-size", type=click.IntRange(16), help=f"Longer side in pixels, at most; by default {default}."),
        click.option("--crop", is_flag=True, help="Cut out the centre in the model's size, for networks that take no other."),
    )


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_photo)
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
    photo, what = _photo(image, loaded, picture_size, 2, crop), fine_layers(loaded)[-1] if layer is None else layer
    with progress_bars(quiet) as progress:
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
    path = output / f"{file_name(f'{image.stem}-dream-{what}')}.png"
    _report([(path, made.rendering, made.facts(), said)], as_json)


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_photo)
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
    photo = _photo(image, loaded, picture_size, 1, crop)
    with progress_bars(quiet) as progress:
        made = make(
            loaded,
            photo,
            layers or spanning_layers(loaded),
            steps=steps,
            smoothness=smoothness,
            seed=seed,
            progress=lambda done, total: progress("invert", done, total),
        )
    rows = []
    for each in made:
        said = f"{each.layer} recovered {each.recovered[each.layer]:.2f}, similarity {each.similarity:.2f}"
        rows.append((output / f"{file_name(f'{image.stem}-invert-{each.layer}')}.png", each.rendering, each.facts(), said))
    _report(rows, as_json)


@click.command(cls=Verb)
@model_options
@click.argument("image", type=a_photo)
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
    photo = _photo(image, loaded, picture_size, 1, crop)
    with progress_bars(quiet) as progress:
        made = make(
            loaded,
            photo,
            layers or spanning_layers(loaded),
            cosine_power=cosine_power,
            steps=steps,
            seed=seed,
            progress=lambda done, total: progress("caricature", done, total),
        )
    rows = []
    for each in made:
        said = f"{each.layer} cosine {each.cosine:.2f}, gain {each.gain:.3g}"
        rows.append((output / f"{file_name(f'{image.stem}-caricature-{each.layer}')}.png", each.rendering, each.facts(), said))
    _report(rows, as_json)


@click.command(cls=Verb)
@model_options
@click.argument("content", type=a_photo)
@click.argument("style", type=a_photo)
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
    photos = [_photo(path, loaded, picture_size, 2, crop) for path in (content, style)]
    with progress_bars(quiet) as progress:
        made = make(
            loaded,
            *photos,
            content_weight=content_weight,
            content_layers=content_layers or None,
            style_layers=style_layers or None,
            steps=steps,
            progress=lambda done, total: progress("style", done, total),
        )
    path = output / f"{file_name(f'{content.stem}-style-{style.stem}')}.png"
    said = ", ".join(f"{layer} {share:.2f}" for layer, share in made.style.items())
    _report([(path, made.rendering, made.facts(), f"style taken: {said}")], as_json)


def _photo(path: Path, model: Model, side: int | None, sides: int, crop: bool) -> Float[Tensor, "c h w"]:
    return load_photo(path, model, sides * max(model.size) if side is None else side, crop=crop)


def _report(made: list[tuple[Path, Rendering, Mapping[str, Any], str]], as_json: bool) -> None:
    """Save pictures, and print where each is with its facts, or with a line for people."""
    for path, rendering, _, _ in made:
        rendering.save(path)
    if as_json:
        print_json([{"file": str(path), **facts} for path, _, facts, _ in made])
    else:
        for path, _, _, said in made:
            click.echo(f"{path}  {said}")
