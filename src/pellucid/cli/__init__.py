"""The command line: parse, call one function, print. Nothing heavy is imported before a verb needs it."""

from __future__ import annotations

import os
import sys

import click

from pellucid.cli.data import collect, merge
from pellucid.cli.embed import embed
from pellucid.cli.evidence import dissect, filters, maps
from pellucid.cli.examples import examples, spectrum
from pellucid.cli.explain import explain
from pellucid.cli.figures import figures
from pellucid.cli.groups import groups
from pellucid.cli.inversion import caricature, invert
from pellucid.cli.models import layers
from pellucid.cli.photos import accentuate, dream, style
from pellucid.cli.prior import prior
from pellucid.cli.search import search
from pellucid.cli.site import build, serve
from pellucid.cli.sparse import sparse
from pellucid.cli.vis import interpolate, render
from pellucid.errors import PellucidError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="pellucid")
def cli() -> None:
    """See what a vision network has learned.

    A MODEL is `terrarium` (the bundled network), path/to/file.py:factory, torchvision:NAME, timm:NAME or hf:ORG/NAME.
    IMAGES is a folder of pictures (sub-folders are labels) or `terrarium[:COUNT]`.

    \b
    pellucid build terrarium terrarium:1600 -o run      a whole site: run/site/index.html
    pellucid layers terrarium                           what there is to look at
    """


VERBS = (
    layers,
    render,
    interpolate,
    dream,
    accentuate,
    style,
    invert,
    caricature,
    explain,
    prior,
    figures,
    filters,
    maps,
    dissect,
    collect,
    merge,
    examples,
    spectrum,
    groups,
    sparse,
    search,
    embed,
    build,
    serve,
)
for verb in VERBS:
    cli.add_command(verb)


def main() -> None:
    """The command line: exit status 0 done, 2 wrong use, 1 failed."""
    try:
        cli.main(prog_name="pellucid", standalone_mode=False)
    except click.exceptions.Abort:
        _leave("interrupted; build and collect go on where they stopped", 1)
    except click.UsageError as error:
        if error.ctx is None or "\n" in error.format_message():  # the help, where there are no arguments at all
            error.show()
            sys.exit(error.exit_code)
        _leave(f"{error.format_message().rstrip('.')}; see {error.ctx.command_path} --help", error.exit_code)
    except click.ClickException as error:
        _leave(error.format_message(), error.exit_code)
    except PellucidError as error:
        _leave(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _leave(message: str, status: int) -> None:
    click.echo(f"pellucid: {' '.join(message.split())}", err=True)
    sys.exit(status)
