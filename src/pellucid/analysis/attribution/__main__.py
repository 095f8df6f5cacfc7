"""Make the table of docs/attribution.md: `python -m pellucid.analysis.attribution`."""

from __future__ import annotations

import argparse
import sys

import torch

from pellucid.analysis.attribution.table import table
from pellucid.models import load
from pellucid.terrarium.train import say


def main(arguments: list[str] | None = None) -> None:
    """Measure every method on the terrarium and write the table to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m pellucid.analysis.attribution", description="What each method of attribution is worth on the terrarium."
    )
    parser.add_argument("--count", type=int, default=30, help="pictures of one thing (default 30)")
    parser.add_argument("--fours", type=int, default=20, help="pictures of four things (default 20)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # so that times can be compared
    sys.stdout.write(table(load("terrarium"), count=options.count, fours=options.fours, progress=say))


if __name__ == "__main__":
    main()
