"""The verbs about a network itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from pellucid.cli.options import Verb, load_model, model_options
from pellucid.cli.output import print_json


@click.command(cls=Verb)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def layers(model: str, as_json: bool, **source: Any) -> None:
    """List the layers of MODEL: name, kind, shape, receptive field.

    \b
    pellucid layers terrarium
    """
    loaded = load_model(model, **source)
    if as_json:
        print_json([_layer_facts(each) for each in loaded.layers.values()])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "kind", "channels", "height × width", "receptive field", "stride", "offset", box=None)
    for each in loaded.layers.values():
        field = each.receptive_field
        cells = (_pair(field.size), _pair(field.stride), _pair(field.offset)) if field else ("whole picture", "", "")
        table.add_row(each.name, each.kind, str(each.channels), f"{each.height} × {each.width}", *cells)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _layer_facts(layer: Any) -> dict[str, Any]:
    field = layer.receptive_field
    shape = {"name": layer.name, "kind": layer.kind, "channels": layer.channels, "height": layer.height, "width": layer.width}
    return {
        **shape,
        "receptive_field": None if field is None else {"size": field.size, "stride": field.stride, "offset": field.offset},
    }


def _pair(values: Sequence[float]) -> str:
    return " × ".join(f"{each:g}" for each in values)
