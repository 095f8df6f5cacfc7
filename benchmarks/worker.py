"""Each contestant in a process of its own, so that their imports do not mix and their memory can be told apart.

Jobs and answers go through a pipe; a worker is idle unless it was asked, so that rounds of several contestants can take turns.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from benchmarks.jobs import Job
from benchmarks.memory import peak, reset_peak

PATIENCE = 10  # seconds


class Unable(Exception):
    """A contestant cannot do what it was asked; the message says why, in one line."""


class Worker:
    """A contestant (the name of its module in this package) in its own process, on "cpu" or "cuda".

    On the CPU it has one thread, and seconds are those of the process; on a GPU they are those of the clock.
    """

    def __init__(self, contestant: str, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, end = context.Pipe()
        self.process = context.Process(target=_serve, args=(contestant, device, end), daemon=True)
        self.process.start()
        end.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.connection.close()  # which ends it, unless it is busy
        self.process.join(PATIENCE)
        self.process.kill()

    def ask(self, what: str, *arguments: Any) -> Any:
        """The answer of one of the worker's functions: `load`, `seconds`, `pictures`, `start` or `memory`.

        Raises:
            Unable: the contestant cannot, or its process ended.
        """
        try:
            self.connection.send((what, arguments))
            answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise Unable("its process ended") from error
        if isinstance(answer, Unable):
            raise answer
        return answer


def _serve(contestant: str, device: str, connection: Connection) -> None:
    os.environ["TQDM_DISABLE"] = "1"
    warnings.simplefilter("ignore")
    desk = None
    while True:
        try:
            what, arguments = connection.recv()
        except EOFError:
            return
        try:
            if desk is None:
                desk = _Desk(contestant, device)
            answer = getattr(desk, what)(*arguments)
        except Exception as error:
            answer = Unable(f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}")
        connection.send(answer)


class _Desk:
    """What happens inside of a worker."""

    def __init__(self, contestant: str, device: str) -> None:
        import torch

        from benchmarks.clock import now

        torch.set_num_threads(1)
        self.torch, self.now, self.device = torch, now, device
        self.contestant = importlib.import_module(f"benchmarks.{contestant}")
        self.run: Callable[[int], list[Any]] | None = None

    def load(self, job: Job) -> float:
        """Make ready for a job, or for as many of its units as the contestant is measured on; what share of the job that is."""
        part = self.contestant.part(job)
        self.run = self.contestant.prepare(part, self.device)
        return len(part.units) / len(job.units)

    def seconds(self, steps: int) -> float:
        """How long so many steps of the loaded job take."""
        assert self.run is not None
        gc.collect()  # of what an earlier run left in cycles, which can be gigabytes
        start = self.now(self.device)
        self.run(steps)
        return self.now(self.device) - start

    def pictures(self, job: Job, steps: int) -> list[Any]:
        """The finished pictures of all units, as arrays c h w in [0, 1]."""
        return [picture.detach().cpu().numpy() for picture in self.contestant.prepare(job, self.device)(steps)]

    def start(self, job: Job) -> float:
        """Seconds to load the network and make one step; meant for a fresh process, whose imports are done."""
        start = self.now(self.device)
        self.contestant.prepare(job, self.device)(1)
        return self.now(self.device) - start

    def memory(self, job: Job) -> float:
        """MB by which the process (or what it has on the GPU) grows at most in two steps; meant for a fresh process.

        A step of the same comes first, so that code, also what is compiled for these very shapes, and what is computed once are
        there already.
        """
        run = self.contestant.prepare(self.contestant.part(job), self.device)
        run(1)
        before = self._reset_peak()
        run(2)
        return (self._peak() - before) / 1e6

    def _reset_peak(self) -> int:
        """Bytes in use now, from where `_peak` counts."""
        if self.device != "cpu":
            self.torch.cuda.reset_peak_memory_stats()
            return self.torch.cuda.memory_allocated()
        return reset_peak()

    def _peak(self) -> int:
        return self.torch.cuda.max_memory_allocated() if self.device != "cpu" else peak()
