"""The verbs about what units answer to real pictures, and about kernels that can be looked at."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, load_model, load_photo, model_options
from pellucid.cli.output import print_json, progress_bars, say_skipped
from pellucid.errors import UsageError
from pellucid.files import writing

if TYPE_CHECKING:
    from PIL import Image

    from pellucid.analysis.concepts import Concepts
    from pellucid.analysis.dissect import Comparison, Dissection
    from pellucid.models import Model

FIELDS = ("unit", "concept", "iou", "threshold", "share")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command(cls=Verb)
@model_options
@click.argument("images")
@click.option("--layer", required=True, help="Whose units.")
@click.option("--masks", type=a_path, help="Folder of indexed PNGs, one of each picture's name, and concepts.csv (number, name).")
@click.option("--compare", is_flag=True, help="Also random rotations of the layer, and the network with random weights.")
@click.option("-o", "--output", type=a_path, help="CSV file for all units.")
@common_options
def dissect(
    model: str,
    images: str,
    layer: str,
    masks: Path | None,
    compare: bool,
    output: Path | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Name the units of a layer of MODEL by what they select in labelled IMAGES.

    Network Dissection: a unit is a detector of what its highest activations agree with. IMAGES is a folder, with --masks, or
    terrarium[:COUNT], whose parts are known.

    \b
    pellucid dissect terrarium terrarium:540 --layer mixed4b
    pellucid dissect nets/my.py:load photos --masks masks --layer features.7 -o units.csv
    """
    from pellucid.analysis.dissect import dissect as one
    from pellucid.analysis.dissect import dissection

    loaded = load_model(model, **source)
    concepts = _concepts(loaded, images, masks)
    with progress_bars(quiet) as progress:

        def said(done: int, total: int) -> None:
            progress("dissect", done, total)

        every = dissection(loaded, layer, concepts, seed=seed, progress=said) if compare else None
        found = one(loaded, layer, concepts, progress=said) if every is None else every.channels
    if output is not None:
        with writing(output) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, FIELDS)
            table.writeheader()
            table.writerows(found.facts()["units"])
    if as_json:
        print_json(found.facts() if every is None else every.facts())
    else:
        _print(found, every)
    say_skipped(concepts.stream.skipped)


def _concepts(model: Model, images: str, masks: Path | None) -> Concepts:
    from pellucid.analysis.concepts import COUNT, folder_concepts, terrarium_concepts

    name, _, count = images.partition(":")
    if name != "terrarium":
        if masks is None:
            raise UsageError(f"--masks: nothing says what the pictures of {images} show; give a folder of masks")
        return folder_concepts(images, masks, size=model.size, channels=model.channels)
    if masks is not None:
        raise UsageError("--masks: the terrarium knows its parts; leave it out")
    if count and not (count.isascii() and count.isdigit() and int(count)):
        raise UsageError(f"{images!r}: the terrarium's count is a whole number above 0, as in 'terrarium:540'")
    return terrarium_concepts(int(count) if count else COUNT, size=model.size, channels=model.channels)


def _print(found: Dissection, every: Comparison | None) -> None:
    from rich.console import Console
    from rich.table import Table

    units = found.facts()["units"]
    table = Table("unit", "concept", "IoU", "threshold", box=None)
    for unit in sorted(found.detectors, key=lambda each: -units[each]["iou"]):
        row = units[unit]
        table.add_row(f"{found.layer}:{unit}", row["concept"], f"{row['iou']:.3f}", f"{row['threshold']:.4g}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    click.echo(_said("channels", found))
    if found.constant:
        click.echo(f"give the same everywhere: {len(found.constant)} units, {', '.join(map(str, found.constant[:8]))}")
    if every is not None:
        for number, each in enumerate(every.rotated):
            click.echo(_said(f"rotation {number}", each))
        click.echo(_said("random weights", every.untrained))


def _said(name: str, found: Dissection) -> str:
    return (
        f"{name}: {len(found.detectors)} of {len(found.thresholds)} units are detectors (IoU > {found.limit:g}) "
        f"of {len(found.unique)} concepts, in {found.pictures} pictures"
    )


@click.command(cls=Verb)
@model_options
@click.option("-o", "--output", type=a_path, required=True, help="PNG file to write.")
@json_option
def filters(model: str, output: Path, as_json: bool, **source: Any) -> None:
    """Show the kernels of MODEL's first layer on one sheet.

    Grey is 0; the farthest weight of each has full contrast.

    \b
    pellucid filters terrarium -o filters.png
    """
    from pellucid.analysis.maps import filters as found
    from pellucid.arrays import contact_sheet

    kernels = found(load_model(model, **source))
    _save(contact_sheet(kernels.pictures()), output)
    count, _, height, width = kernels.images.shape
    facts = {
        "file": str(output),
        "layer": kernels.layer,
        "kernels": count,
        "size": [height, width],
        "scales": kernels.scales.tolist(),
    }
    print_json(facts) if as_json else click.echo(f"{output}  {kernels.layer}: {count} kernels of {height} × {width}")


@click.command(cls=Verb)
@model_options
@click.argument("picture", type=a_path)
@click.argument("layer")
@click.option("-o", "--output", type=a_path, required=True, help="PNG file to write.")
@click.option("--channel", type=click.IntRange(0), help="Instead of all maps, where this channel answers most, over the picture.")
@click.option("--share", type=click.FloatRange(0, 1, min_open=True), help="Of the picture that stays bright; by default 0.05.")
@click.option("--crop", is_flag=True, help="Cut out the centre in the model's size, for networks that take no other.")
@json_option
def maps(
    model: str,
    picture: Path,
    layer: str,
    output: Path,
    channel: int | None,
    share: float | None,
    crop: bool,
    as_json: bool,
    **source: Any,
) -> None:
    """Show what each channel of LAYER answers to PICTURE, on one sheet.

    Of each map the lowest value is black, the highest white.

    \b
    pellucid maps terrarium photo.jpg mixed3a -o maps.png
    pellucid maps terrarium photo.jpg mixed4b -o mask.png --channel 12 --share 0.1
    """
    from pellucid.analysis.maps import activation_maps, map_pictures, mask, overlay
    from pellucid.arrays import contact_sheet, to_picture

    if share is not None and channel is None:
        raise UsageError("--share: the maps of all channels are shown whole; give --channel too, or leave it out")
    loaded = load_model(model, **source)
    image = load_photo(picture, loaded, None, 1, crop)
    if channel is None:
        found = activation_maps(loaded, image, layer)
        same = (found.amax((1, 2)) == found.amin((1, 2))).nonzero().flatten().tolist()
        facts = {"file": str(output), "layer": layer, "maps": len(found), "size": list(found.shape[1:]), "constant": same}
        said = f"{layer}: {len(found)} maps of {found.shape[1]} × {found.shape[2]}, {len(same)} of them the same everywhere"
        sheet = contact_sheet(map_pictures(found))
    else:
        unit = f"{layer}:{channel}"
        chosen = mask(loaded, image, unit, 0.05 if share is None else share)
        area, least = float(chosen.pixels.float().mean()), chosen.threshold
        facts = {"file": str(output), "unit": unit, "area": area, "threshold": least if area else None}
        said = f"{unit}: {area:.1%} of the picture, " + (f"from {least:.4g} upwards" if area else "it is the same everywhere")
        sheet = to_picture(overlay(image, chosen.pixels))
    _save(sheet, output)
    print_json(facts) if as_json else click.echo(f"{output}  {said}")


def _save(picture: Image.Image, path: Path) -> None:
    with writing(path) as temporary:
        picture.save(temporary, format="PNG")
