"""The verbs from units to pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from pellucid.cli.album import Album
from pellucid.cli.making import Order, judge, named_method
from pellucid.cli.options import Verb, a_path, common_options, load_model, model_options, options, refuse
from pellucid.cli.output import file_name, print_json, progress_bars, rescued, say_skipped
from pellucid.errors import UsageError

PRESETS = ("none", "frequency", "robust", "strong", "article", "lucid")  # of pellucid.vis.presets, which is slow to import
PARAMS = ("fourier", "pixel", "laplacian", "maco", "cppn", "transparent")

how_options = options(
    click.option(
        "--method",
        type=click.Choice(PRESETS),
        default="robust",
        show_default=True,
        help="Against noise: nothing, smoothness alone, random views, all that there is; and the views of others.",
    ),
    click.option("--param", type=click.Choice(PARAMS), help="What is optimised; by default what suits the method and MODEL."),
    click.option("--steps", type=click.IntRange(1), help="By default 128, and 64 with a prior."),
    click.option("--picture-size", type=click.IntRange(16), help="Pixels a side; by default what suits the layer."),
    click.option("--negative", is_flag=True, help="After each unit also what it answers least to."),
    click.option("--diverse", type=click.IntRange(2), metavar="N", help="N pictures of each unit, as different as can be."),
    click.option("--tries", type=click.IntRange(1), default=1, show_default=True, help="Keep the best of so many."),
    click.option("--prior", help="A file of `pellucid prior`, or `terrarium`: stay near to what it learned."),
    click.option("--strength", type=click.FloatRange(0, 1), help="Of the prior, 0 is none; by default 0.8."),
    click.option("--quality", is_flag=True, help="Compare each picture with --images: did it work, is it natural, robust?"),
    click.option("--images", help="Real pictures, for --quality and --param maco: a folder, or terrarium[:COUNT]."),
)


@click.command(cls=Verb)
@model_options
@click.argument("units", nargs=-1, required=True)
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the pictures.")
@how_options
@common_options
def render(
    model: str,
    units: tuple[str, ...],
    output: Path,
    method: str,
    param: str | None,
    steps: int | None,
    picture_size: int | None,
    negative: bool,
    diverse: int | None,
    tries: int,
    prior: str | None,
    strength: float | None,
    quality: bool,
    images: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Make a picture of what each UNIT looks for: layer:channel, layer:channel@row,col or class:NAME.

    \b
    pellucid render terrarium mixed4a:7 mixed4b:12 "class:fireboat" -o pictures
    pellucid render terrarium mixed3b:5 -o pictures --diverse 4 --negative
    pellucid render terrarium mixed3b:5 -o pictures --quality --images terrarium:360
    pellucid render terrarium -o pictures -- -mixed3b:5
    """
    from pellucid.data.stream import open_stream

    _check(param, diverse, prior, strength, quality, images)
    loaded = load_model(model, **source)
    wanted = [each for unit in units for each in ((unit, f"-{unit}") if negative else (unit,))]
    height, width = (side if picture_size is None else max(side, picture_size) for side in loaded.size)
    real = None if images is None else open_stream(images, size=(height, width), channels=loaded.channels)
    album = Album(output, [unit for unit in wanted for _ in range(1 if diverse is None else diverse)])
    try:
        with progress_bars(quiet) as progress:
            if quality and real is not None:
                album.judge = judge(loaded, wanted, picture_size if prior is None else loaded.size, real, progress)
            usual = 128 if prior is None else 64
            heard = partial(progress, "render")
            order = Order(model=loaded, units=wanted, steps=usual if steps is None else steps, seed=seed, progress=heard)
            if prior is not None:
                order.guided(album, prior=prior, strength=0.8 if strength is None else strength)
                return
            how = named_method(method, param, loaded, real, progress)
            if diverse is None:
                order.one_each(album, size=picture_size, method=how, tries=tries)
            else:
                order.several_each(album, size=picture_size, method=how, count=diverse)
    finally:
        if album.rows:
            album.report(as_json)
        if real is not None:
            say_skipped(real.skipped)


def _check(
    param: str | None, diverse: int | None, prior: str | None, strength: float | None, quality: bool, images: str | None
) -> None:
    """Refuse options that would do nothing together, before any work."""
    if prior is not None:
        others = ["--method", "--param", "--picture-size", "--diverse", "--tries"]
        refuse("--prior", others, "a prior makes its pictures in its own way")
    elif strength is not None:
        raise UsageError(f"--strength: {strength:g} of no prior; give --prior too, or leave it out")
    if diverse is not None:
        refuse("--diverse", ["--tries"], "pictures that differ are made together, once")
    if param == "transparent" and (quality or diverse is not None):
        raise UsageError("--param: transparent pictures cannot be compared; leave out --quality and --diverse, or take another")
    if quality and images is None:
        raise UsageError("--quality: there are no pictures to compare with; give --images, a folder or terrarium:360")
    if images is not None and not quality and param != "maco":
        raise UsageError(f"--images: nothing looks at {images}; add --quality or --param maco, or leave it out")


@click.command(cls=Verb)
@model_options
@click.argument("first")
@click.argument("last")
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the pictures.")
@click.option("--frames", type=click.IntRange(2), default=6, show_default=True)
@click.option("--layer", help="Where neighbours are aligned; by default the last one with larger maps than the units' own.")
@click.option("--steps", type=click.IntRange(1), default=128, show_default=True)
@click.option("--picture-size", type=click.IntRange(16), help="Pixels a side; by default what suits the layers.")
@common_options
def interpolate(
    model: str,
    first: str,
    last: str,
    output: Path,
    frames: int,
    layer: str | None,
    steps: int,
    picture_size: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Lead from the unit FIRST to the unit LAST of MODEL in a row of pictures that keep in place what they share.

    \b
    pellucid interpolate terrarium mixed4a:7 mixed4a:12 -o between
    """
    from pellucid.vis.recipes.interpolate import interpolation

    loaded, name = load_model(model, **source), file_name(f"{first}-to-{last}")
    with progress_bars(quiet) as progress, rescued(output, name):
        made = interpolation(
            loaded,
            first,
            last,
            frames=frames,
            layer=layer,
            size=picture_size,
            steps=steps,
            seed=seed,
            progress=lambda done, total: progress("interpolate", done, total),
        )
    paths = [output / f"{name}-{index}.png" for index in range(frames)]
    for path, each in zip(paths, made.renderings, strict=True):
        each.save(path)
    if as_json:
        print_json({"files": [str(path) for path in paths], **made.facts()})
        return
    for path, begin, end in zip(paths, made.first, made.last, strict=True):
        click.echo(f"{path}  {first} {begin:.2f}, {last} {end:.2f}")
