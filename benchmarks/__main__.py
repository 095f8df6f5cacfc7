"""`python -m benchmarks`: measures everything, prints one table for each device, and writes it where it is told to."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import click
from rich.console import Console

from benchmarks.jobs import Job, jobs, one_class
from benchmarks.measure import per_picture, per_step
from benchmarks.table import NOTES, insert, left_out, machine, markdown, reasons, rich_table


@click.command()
@click.option("--device", "devices", type=click.Choice(["cpu", "cuda"]), multiple=True, help="Where to measure; by default both.")
@click.option("--network", "networks", multiple=True, metavar="WORD", help="Only networks with this word in their names.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a block of markdown instead of a table.")
@click.option("--readme", type=click.Path(exists=True, path_type=Path), help="Write the block between this file's two markers.")
def main(devices: tuple[str, ...], networks: tuple[str, ...], as_markdown: bool, readme: Path | None) -> None:
    """Speed and memory beside the limit and beside Lucent and Horama."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before a worker loads torch
    out, log = Console(width=220, highlight=False, markup=False), Console(stderr=True)
    began, blocks = time.monotonic(), []
    if readme is not None:
        insert(readme.read_text("utf-8"), "")  # refuses now and not after a quarter of an hour
    for device in devices or _devices():
        chosen = [job for job in jobs(device) if _named(job, networks)]
        rows = per_step([job for job in chosen if job.network.available], device, log.print)
        if _named(one_class(), networks):
            rows += per_picture(one_class(), device, log.print)
        notes = [*NOTES, *left_out(chosen), *reasons(rows), machine(device)]
        blocks.append(markdown(rows, notes))
        if as_markdown:
            out.print(blocks[-1], soft_wrap=True)
        else:
            out.print(rich_table(rows), *notes, sep="\n")
    if readme is not None:
        readme.write_text(insert(readme.read_text("utf-8"), "\n\n".join(blocks)), "utf-8")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime / 60
    log.print(f"{(time.monotonic() - began) / 60:.0f} minutes, {spent:.0f} of them on a processor")


def _named(job: Job, words: tuple[str, ...]) -> bool:
    return not words or any(word.lower() in job.network.title.lower() for word in words)


def _devices() -> list[str]:
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


if __name__ == "__main__":
    main()
