"""The verbs that make a site, and serve it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, image_options, load_model, model_options, source_options
from pellucid.cli.output import print_json, progress_bars, say_skipped
from pellucid.cli.runs import named_model, open_store
from pellucid.errors import UsageError
from pellucid.files import check_photo

if TYPE_CHECKING:
    from pellucid.site.desk import Desk


@click.command(cls=Verb)
@model_options
@image_options
@click.option("-o", "--output", type=a_path, required=True, help="The run folder.")
@click.option("--layers", multiple=True, help="One or more layers; by default three that span the network.")
@click.option("--units", type=click.IntRange(1), help="Channels a layer, evenly spread; by default what suits the machine.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps a picture.")
@click.option("--grid", type=click.IntRange(2), multiple=True, help="Cells a side of the atlas, coarse to fine; two by default.")
@click.option("--positions", type=click.IntRange(1), help="Sampled positions a picture; by default what fills the atlas.")
@click.option("--masks", type=a_path, help="Folder of indexed PNGs, one of each picture's name, and concepts.csv (number, name).")
@click.option("--explain", type=a_path, multiple=True, help="Photos that get a page on why the network says what it says of them.")
@common_options
def build(
    model: str,
    images: str,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    units: int | None,
    steps: int | None,
    grid: tuple[int, ...],
    positions: int | None,
    masks: Path | None,
    explain: tuple[Path, ...],
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Build the whole site for MODEL and IMAGES into OUTPUT/site. Interrupted, the same command goes on where it stopped.

    With --masks, units are compared with what the pictures show where; of the terrarium this is known.

    \b
    pellucid build terrarium terrarium:1600 -o run
    pellucid build nets/my.py:load photos -o run --layers features.7 features.12 --units 32
    """
    from pellucid.analysis.concepts import folder_concepts
    from pellucid.build import build_site, make_plan
    from pellucid.data.stream import open_stream
    from pellucid.site.explanation import open_photo

    for each in explain:
        check_photo(each)
    loaded = load_model(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    plan = make_plan(
        loaded, stream, layers=layers or None, units=units, steps=steps, grids=grid or None, positions=positions, seed=seed
    )
    concepts = None if masks is None else folder_concepts(images, masks, size=loaded.size, channels=loaded.channels)
    photos = [open_photo(each, loaded) for each in explain]
    with progress_bars(quiet) as progress:
        result = build_site(loaded, stream, output, plan, concepts=concepts, photos=photos, progress=progress)
    print_json(result.facts()) if as_json else click.echo(str(result.index))
    say_skipped(result.skipped)


@click.command(cls=Verb)
@click.argument("run", type=a_path)
@click.option("--host", default="127.0.0.1", show_default=True, help="Nothing else than this machine can reach the default.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--explain", is_flag=True, help="Explain pictures that readers hand in, too; they stay in memory only.")
@click.option("--model", help="The network that is asked, with --explain; by default the one that the run names.")
@source_options
@click.option("--layers", multiple=True, help="One or more that are explained; by default those of the site.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Megabytes of a picture, at most.")
def serve(
    run: Path, host: str, port: int, explain: bool, model: str | None, layers: tuple[str, ...], limit: int, **source: Any
) -> None:
    """Serve the site of a RUN on this machine until Ctrl-C.

    With --explain its front page takes pictures, and shows why the network says what it says of them. A site that
    `pellucid explain` made does not name its network: give --model.

    \b
    pellucid serve run
    pellucid serve run --explain
    pellucid serve why --explain --model terrarium
    """
    ready = lambda address: click.echo(f"{address}  (Ctrl-C ends it)")  # noqa: E731
    if not explain:
        from pellucid.site.server import serve as serve_site

        _only_live()
        serve_site(run, host=host, port=port, on_ready=ready)
        return
    from pellucid.site.live import serve_live

    desk = _open_desk(run, model, layers, source)
    serve_live(run, desk, limit=limit * 1_000_000, host=host, port=port, on_ready=ready)


def _only_live() -> None:
    """Refuse options that nothing reads where no pictures are taken.

    Raises:
        UsageError: one of them was given.
    """
    context = click.get_current_context()
    for each in context.command.params:
        given = context.get_parameter_source(str(each.name)) is click.core.ParameterSource.COMMANDLINE
        if given and each.name not in ("run", "host", "port"):
            raise UsageError(f"{each.opts[-1]}: only pictures that are handed in need it; leave it out, or add --explain")


def _open_desk(run: Path, model: str | None, layers: tuple[str, ...], source: dict[str, Any]) -> Desk:
    """The desk for a run's site and its network.

    Raises:
        UsageError: nobody named the network, or it is another one.
    """
    from pellucid.site.desk import open_desk
    from pellucid.site.server import site_folder

    site = site_folder(run)
    if model is None and (run / "store" / "store.json").exists():
        model = named_model(open_store(run))
    if model is None:
        raise UsageError(f"--model: {run} does not name the network that shall be asked; give --model")
    return open_desk(site, load_model(model, **source), layers)
