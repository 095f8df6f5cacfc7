"""The verb that explains what a network said of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, load_model, model_options
from pellucid.cli.output import print_json, progress_bars, say
from pellucid.errors import UsageError
from pellucid.files import check_photo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pellucid.explain.icons import Icons
    from pellucid.models import Model
    from pellucid.schema import ExplainCard
    from pellucid.site.explanation import Photo


@click.command(cls=Verb)
@model_options
@click.argument("images", type=a_path, nargs=-1, required=True, metavar="IMAGE...")
@click.option("-o", "--output", type=a_path, required=True, help="Folder for the site; what lies there is written over.")
@click.option(
    "--layers",
    multiple=True,
    help="One or more layers; by default the three deepest of the run, or of those that span the network.",
)
@click.option(
    "--targets", multiple=True, help="Classes that are explained, by name or number; by default the five it finds likeliest."
)
@click.option("--methods", multiple=True, help="Attributions shown over the photo; by default those that suit the network.")
@click.option("--groups", type=click.IntRange(1), default=6, show_default=True, help="Of neurons, in each layer.")
@click.option("--run", type=a_path, help="A run of the same network, whose pictures of units are taken.")
@click.option("--check", is_flag=True, help="Measure what each attribution is worth; takes several times as long.")
@common_options
def explain(
    model: str,
    images: tuple[Path, ...],
    output: Path,
    layers: tuple[str, ...],
    targets: tuple[str, ...],
    methods: tuple[str, ...],
    groups: int,
    run: Path | None,
    check: bool,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Why MODEL said what it said of each IMAGE: OUTPUT/index.html shows it, from the photo through its layers to the classes.

    \b
    pellucid explain terrarium photo.jpg -o why
    pellucid explain nets/my.py:load cat.jpg dog.jpg -o why --layers features.7 features.12 --targets tabby --check
    """
    from pellucid.explain.methods import known_methods
    from pellucid.site.explaining import Settings, explain_photos
    from pellucid.site.explanation import open_photo

    for each in images:
        check_photo(each)
    loaded = load_model(model, **source)
    icons = _icons(loaded, run, seed)
    wanted = Settings(
        layers=tuple(loaded.layer(each).name for each in layers) or _painted(loaded, icons),
        classes=tuple(loaded.class_index(each) for each in targets) or None,
        methods=methods or None,
        groups=groups,
        check=check,
        seed=seed,
    )
    known_methods(wanted.methods)
    photos = [open_photo(each, loaded) for each in images]
    _say_fewer(loaded, wanted.layers, groups)
    with progress_bars(quiet) as progress:
        cards = explain_photos(output, loaded, photos, wanted, icons=icons, progress=progress)
    _say(loaded, cards, output / "index.html", as_json)
    _say_empty(loaded, photos, cards)


def _say_fewer(model: Model, layers: Sequence[str] | None, groups: int) -> None:
    """Where somebody asked for more groups than a layer has room for: it gets fewer."""
    from pellucid.explain.explain import LAYERS
    from pellucid.models.spanning import spanning_layers

    if click.get_current_context().get_parameter_source("groups") is not click.core.ParameterSource.COMMANDLINE:
        return
    chosen = [model.layer(each) for each in (spanning_layers(model, LAYERS) if layers is None else layers)]
    room = {each.name: min(each.channels, each.height * each.width) for each in chosen}
    if fewer := [f"{most} in {name}" for name, most in room.items() if most < groups]:
        say(f"--groups {groups}: as many as a layer has channels or positions are made, {', '.join(fewer)}")


def _icons(model: Model, run: Path | None, seed: int) -> Icons:
    from pellucid.explain.icons import Icons, saved_pictures

    known = {} if run is None else saved_pictures(model, run)
    if run is not None and not known:
        raise UsageError(f"--run {run}: no pictures of units of {model.name} with these weights are there; leave out --run")
    return Icons(model, known, seed=seed)


def _painted(model: Model, icons: Icons) -> tuple[str, ...] | None:
    """The deepest layers of which there are pictures already; None where there are none."""
    from pellucid.explain.explain import LAYERS

    return tuple(sorted({layer for layer, _ in icons.known}, key=model.depth)[-LAYERS:]) or None


def _say(model: Model, cards: Sequence[ExplainCard], index: Path, as_json: bool) -> None:
    if as_json:
        print_json({"site": str(index), "pictures": [_facts(model, each) for each in cards]})
        return
    for card in cards:
        said = ", ".join(f"{model.classes[each.index]} {100 * each.probability:.1f} %" for each in card.classes)
        click.echo(f"{card.name}  {said}")
    click.echo(str(index))


def _say_empty(model: Model, photos: Sequence[Photo], cards: Sequence[ExplainCard]) -> None:
    """Which classes have maps of zeros, because no pixel moves their score, as behind a ReLU that is off."""
    from pellucid.analysis.attribution import saliency
    from pellucid.vis.objectives import logit

    for photo, card in zip(photos, cards, strict=True):
        zero = [each.index for each in card.classes if each.logit == 0]
        if empty := [model.classes[each] for each in zero if not saliency(model, photo.image[None], logit(each)).map.any()]:
            said = f"no pixel moves {', '.join(empty)}, of score 0, as behind a ReLU that is off"
            say(f"{card.name}: {said}; there is nothing on the maps")


def _facts(model: Model, card: ExplainCard) -> dict[str, Any]:
    classes = [
        {"class": model.classes[each.index], "index": each.index, "logit": each.logit, "probability": each.probability}
        for each in card.classes
    ]
    return {"name": card.name, "page": f"#/explain/{card.id}", "classes": classes}
