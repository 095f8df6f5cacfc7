"""Train the prior that comes with the package: `python -m pellucid.vis.prior`.

On one core that computes in bfloat16 it takes a quarter of an hour and writes the file that is shipped, bit by bit; another
kind of processor, or another torch, rounds in its own way.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from pellucid.terrarium.train import pictures, say
from pellucid.vis.prior.prior import BUNDLED
from pellucid.vis.prior.training import train_prior

PICTURES, STEPS = 14_400, 9000
WORLD = 2  # the world that its pictures come from: neither network of the terrarium learned from it


def main(arguments: list[str] | None = None) -> None:
    """Draw, train, save."""
    parser = argparse.ArgumentParser(
        prog="python -m pellucid.vis.prior", description="Train the terrarium's prior on a CPU that computes in bfloat16."
    )
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--steps", type=int, default=STEPS)
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

    learned = train_prior((batch.float() / 255 for batch in drawn.split(256)), steps=options.steps, progress=progress)
    replace(learned, settings={**learned.settings, "source": f"terrarium, world {WORLD}"}).save(options.output)
    say(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
