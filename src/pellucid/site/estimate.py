"""How far an explanation is, and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Part = tuple[str, int]  # a stage, and how many of that name came before

NUMBERS = ("channels, linear", "channels, path", "channels, stochastic", "classes", "groups", "places")
EARLY = 0.02  # of the whole: before that nobody can tell how long it takes


def usual(layers: Sequence[str]) -> dict[Part, float]:
    """The parts of an explanation in their order, each with the share of the time that it took on two scenes of the terrarium.

    >>> usual(["mixed4b"])["cells of mixed4b", 0]
    0.51
    """
    each = 1 / len(layers)
    parts = {(stage, 0): 0.1 / len(NUMBERS) for stage in NUMBERS}
    for layer in layers:
        parts |= {(f"channels of {layer}", 0): 0.09 * each, (f"groups of {layer}", 0): 0.08 * each}
        parts[f"cells of {layer}", 0] = 0.51 * each
    parts["methods", 0] = 0.04
    return parts | {(f"channels of {layer}", 1): 0.18 * each for layer in layers}


@dataclass
class Estimate:
    """Told of every step of a job, it knows the share that is done; once a job is done, it knows better about the next one.

    >>> clock = iter([0.0, 3.0, 3.0]).__next__
    >>> estimate = Estimate({("reading", 0): 1.0, ("drawing", 0): 3.0}, clock=clock)
    >>> estimate.begin()
    >>> estimate.report("drawing", 1, 3)
    >>> estimate.share, estimate.left()
    (0.5, 3.0)
    """

    weights: dict[Part, float]  # of the parts, in their order
    clock: Callable[[], float] = time.monotonic
    share: float = 0.0
    _started: float = 0.0
    _since: float = 0.0  # when the part began
    _part: Part | None = None
    _spent: dict[Part, float] = field(default_factory=dict)

    def begin(self) -> None:
        """A new job starts."""
        self.share, self._part, self._spent = 0.0, None, {}
        self._started = self._since = self.clock()

    def report(self, stage: str, done: int, total: int) -> None:
        """The job has done so much of a stage; of parts that nobody foresaw nothing is said."""
        if self._part is None or self._part[0] != stage:
            self._turn((stage, sum(name == stage for name, _ in self._spent)))
        order = list(self.weights)
        if self._part in self.weights:
            before = sum(self.weights[each] for each in order[: order.index(self._part)])
            within = self.weights[self._part] * done / max(1, total)
            self.share = max(self.share, (before + within) / sum(self.weights.values()))

    def left(self) -> float | None:
        """Seconds that the job may still take, None where it is too early to tell."""
        if self.share < EARLY:
            return None
        return (self.clock() - self._started) * (1 - self.share) / self.share

    def end(self) -> None:
        """The job is done: the next one may take as long in each part."""
        self._turn(None)
        if sum(self._spent.values()) > 0:
            self.weights = dict(self._spent)

    def _turn(self, part: Part | None) -> None:
        now = self.clock()
        if self._part is not None:
            self._spent[self._part] = now - self._since
        self._part, self._since = part, now
