"""Rounds in which the contestants take turns, so that other work on the machine moves all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.gpu import busy
from benchmarks.jobs import Job
from benchmarks.worker import Unable, Worker

CONTESTANTS = {"limit": "limit", "ours": "pellucid", "lucent": "Lucent 0.1.8", "horama": "Horama 0.3.0"}
PEERS = [name for name in CONTESTANTS if name != "limit"]
ROUNDS, STARTS, PROCESSES = 5, 3, 5
SPAN, MOST = 2.5, 32  # a round takes about this many seconds, and at most so many steps
WHOLE = 64  # steps of a picture made from beginning to end

Report = Callable[[str], None]


@dataclass
class Row:
    """A line of the table: for each contestant one number for every round, in seconds, and its peak memory in MB."""

    network: str
    what: str
    size: int
    times: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    busy: float | None = None  # percent of the time in which the GPU worked, with pellucid
    unable: dict[str, str] = field(default_factory=dict)

    def seconds(self, contestant: str) -> float:
        return statistics.median(self.times[contestant])

    def ratio(self, contestant: str) -> float | None:
        """To the limit: the median over the rounds of the quotient in a round; None where there is no limit."""
        if "limit" not in self.times:
            return None
        return statistics.median(own / limit for own, limit in zip(self.times[contestant], self.times["limit"], strict=True))

    def memory_ratio(self, contestant: str) -> float | None:
        return self.memory[contestant] / self.memory["limit"] if "limit" in self.memory else None


def per_step(jobs: Sequence[Job], device: str, report: Report) -> list[Row]:
    """What a step costs for all units of each job."""
    rows = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name, device)) for name in CONTESTANTS}
        for job in jobs:
            report(f"{job.network.title}: {job.what}")
            rows.append(row := Row(job.network.title, job.what, job.size))
            _take_turns(job, workers, row)
            if device != "cpu" and "ours" in row.times:
                row.busy = busy(lambda: workers["ours"].ask("seconds", MOST))
    for job, row in zip(jobs, rows, strict=True):
        report(f"{job.network.title}: {job.what}, memory")
        _memory(job, device, row)
    return rows


def per_picture(job: Job, device: str, report: Report) -> list[Row]:
    """What one picture costs: the time until its first step is done, and all of it."""
    title = job.network.title
    start = Row(title, "one class: load, first step", job.size)
    whole = Row(title, f"one class: {WHOLE} steps", job.size)
    report(f"{title}: {start.what}")
    for _ in range(STARTS):
        for name in PEERS:
            with Worker(name, device) as worker:
                _note(start, name, lambda worker=worker: worker.ask("start", job))
    report(f"{title}: {whole.what}")
    for _ in range(STARTS):
        for name in CONTESTANTS:
            with Worker(name, device) as worker:
                _note(whole, name, lambda worker=worker: _whole(worker, job))
    return [start, whole]


def _take_turns(job: Job, workers: dict[str, Worker], row: Row) -> None:
    plans = {}  # what share of the job each one is measured on, and in how many steps
    for name, worker in workers.items():
        try:
            share = worker.ask("load", job)
            worker.ask("seconds", 1)  # the first one warms up
            plans[name] = share, round(min(MOST, max(1, SPAN / max(_step(worker, 1), SPAN / MOST))))
        except Unable as error:
            row.unable[name] = str(error)
    for _ in range(ROUNDS):
        for name, (share, steps) in plans.items():
            _note(row, name, lambda worker=workers[name], share=share, steps=steps: _step(worker, steps) / share)


def _step(worker: Worker, steps: int) -> float:
    """Seconds of one step, as the difference between many steps and one: what comes before and after the steps does not count."""
    one = worker.ask("seconds", 1)
    return (worker.ask("seconds", 1 + steps) - one) / steps


def _whole(worker: Worker, job: Job) -> float:
    worker.ask("load", job)
    worker.ask("seconds", 1)
    return worker.ask("seconds", WHOLE)


def _note(row: Row, name: str, measured: Callable[[], float]) -> None:
    if name in row.unable:
        return
    try:
        row.times.setdefault(name, []).append(measured())
    except Unable as error:
        row.unable[name] = str(error)
        row.times.pop(name, None)


def _memory(job: Job, device: str, row: Row) -> None:
    """The median of several processes, as where blocks happen to lie moves it by a tenth; two run at a time."""

    def measured(name: str) -> float | None:
        try:
            return statistics.median(once(name) for _ in range(PROCESSES))
        except Unable:
            return None

    def once(name: str) -> float:
        with Worker(name, device) as worker:
            return worker.ask("memory", job)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(row.times, pool.map(measured, row.times), strict=True))
    row.memory = {name: megabytes for name, megabytes in found.items() if megabytes is not None}
