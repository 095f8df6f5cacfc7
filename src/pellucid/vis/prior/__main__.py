"""Train the prior that comes with the package: `python -m pellucid.vis.prior`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from pellucid.terrarium.train import pictures, say
from pellucid.vis.prior.prior import BUNDLED
from pellucid.vis.prior.training import train_prior

WORLD = 2  # the world that its pictures come from: neither network of the terrarium learned from it


def main(arguments: list[str] | None = None) -> None:
    """Draw, train, save."""
    parser = argparse.ArgumentParser(
        prog="python -m pellucid.vis.prior", description="Train the terrarium's prior on a CPU that computes in bfloat16."
    )
    parser.add_argument("--pictures", type=int, default=14_400)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number gives other bits (default 1)")
    parser.add_argument("-o", "--output", type=Path, default=BUNDLED, help="default: the file that the package ships")
    options = parser.parse_args(arguments)

    begun = time.monotonic()
    torch.set_num_threads(options.threads)
    drawn, _ = pictures(options.pictures, seed=WORLD)
    say(f"{len(drawn)} pictures in {time.monotonic() - begun:.0f} s")

    def progress(done: int, total: int) -> None:
        if done % 500 == 0:
            say(f"step {done}/{total}  {time.monotonic() - begun:.0f} s")

    train_prior((batch.float() / 255 for batch in drawn.split(256)), steps=options.steps, progress=progress).save(options.output)
    say(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
