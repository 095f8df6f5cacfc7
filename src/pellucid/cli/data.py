"""The verbs from pictures to activations on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.options import Verb, a_path, common_options, image_options, load_model, model_options, report_options
from pellucid.cli.output import print_json, progress_bars, say_pictures
from pellucid.cli.runs import store_folder
from pellucid.errors import UsageError

if TYPE_CHECKING:
    from pellucid.data.store import Store


@click.command(cls=Verb)
@model_options
@image_options
@click.option("-o", "--output", type=a_path, required=True, help="The run folder.")
@click.option("--layers", multiple=True, required=True, help="One or more layers.")
@click.option("--positions", type=click.IntRange(1), default=1, show_default=True, help="Sampled positions a picture.")
@click.option("--examples", type=click.IntRange(1), default=9, show_default=True, help="Pictures kept of each channel's two ends.")
@click.option("--several", is_flag=True, help="A picture may come several times among a channel's examples.")
@click.option("--share", help="i/n: only the i-th of n shares, into a folder of its own; `pellucid merge` puts them together.")
@common_options
def collect(
    model: str,
    images: str,
    labels: Path | None,
    output: Path,
    layers: tuple[str, ...],
    positions: int,
    examples: int,
    several: bool,
    share: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **source: Any,
) -> None:
    """Collect what LAYERS of MODEL answer to IMAGES, into a store on disk: samples, examples, histograms, means.

    \b
    pellucid collect terrarium terrarium:1600 -o run --layers mixed4a mixed4b
    pellucid collect terrarium terrarium:1600 -o part1 --layers mixed4b --share 1/2
    """
    from pellucid.analysis.observers import observers
    from pellucid.data.collect import collect as collect_store
    from pellucid.data.stream import open_stream

    shared = _share(share)
    loaded = load_model(model, **source)
    stream = open_stream(images, size=loaded.size, channels=loaded.channels, labels=labels, classes=loaded.classes)
    with progress_bars(quiet) as progress:
        store = collect_store(
            loaded,
            stream,
            layers,
            output / "store",
            positions=positions,
            seed=seed,
            observers=observers(examples, several=several),
            share=shared,
            progress=lambda done, total: progress("collect", done, total),
        )
    _say(store, as_json)


@click.command(cls=Verb)
@click.argument("shares", type=a_path, nargs=-1, required=True, metavar="SHARE...")
@click.option("-o", "--output", type=a_path, required=True, help="The run folder.")
@report_options
def merge(shares: tuple[Path, ...], output: Path, as_json: bool, quiet: bool) -> None:
    """Put the SHAREs of a collection together, which several processes or machines made: the same store as if one had.

    \b
    pellucid merge part1 part2 -o run
    """
    from pellucid.data.merge import merge as merge_stores

    with progress_bars(quiet) as progress:
        store = merge_stores(
            [store_folder(each) for each in shares],
            output / "store",
            progress=lambda done, total: progress("merge", done, total),
        )
    _say(store, as_json)


def _share(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, of = text.partition("/")
    if not (first.isdecimal() and of.isdecimal()):
        raise UsageError(f"--share {text}: write i/n, as 2/5 for the second of five")
    return int(first), int(of)


def _say(store: Store, as_json: bool) -> None:
    facts = {"store": str(store.folder), "samples": len(store), "layers": store.layers}
    lists = {"skipped": store.skipped, "copies": store.copies, "unlabelled": store.unlabelled}
    print_json(facts | lists) if as_json else click.echo(f"{store.folder}: {len(store)} samples of {', '.join(store.layers)}")
    say_pictures(**lists)
