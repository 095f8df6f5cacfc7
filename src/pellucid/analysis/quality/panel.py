"""What is known about the quality of one picture: four findings, and no score."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.quality.natural import Natural
from pellucid.analysis.quality.robust import Robust
from pellucid.analysis.quality.specific import Specific


@dataclass(frozen=True)
class Worked:
    """Whether optimisation went beyond every real picture.

    Further is not better: a mess of fragments, made without transforms, goes furthest.

    Attributes:
        worked: whether the score is above that of the best real picture.
        score: the objective of the picture.
        best: of the real pictures.
        typical: median of the real pictures.
        ratio: (score - typical) / (best - typical), above 1 where it worked; None where no real picture stands out.
        beyond: share of the real pictures with a lower score.
    """

    worked: bool
    score: float
    best: float
    typical: float
    ratio: float | None
    beyond: float

    @classmethod
    def of(cls, score: float, real: Float[Tensor, " n"]) -> Worked:
        """From the scores of the picture and of the real ones.

        >>> import torch
        >>> Worked.of(5.0, torch.tensor([0.0, 1.0, 2.0])).ratio
        4.0
        """
        best, typical = real.max().item(), real.double().quantile(0.5).item()
        ratio = (score - typical) / (best - typical) if best > typical else None
        return cls(score > best, score, best, typical, ratio, (real < score).double().mean().item())

    def __str__(self) -> str:
        if self.ratio is None:
            return f"scores {self.score:.3g}, and no real picture stands out"
        return f"{self.ratio:.1f} times as far above the typical picture as the best one, beyond {self.beyond:.1%} of all"


@dataclass(frozen=True)
class Panel:
    """Four findings about a picture; `dataclasses.asdict` makes them ready for JSON.

    None of them says whether people recognise anything. Look, and show real examples beside it: people predict a unit better
    from its top photographs than from a synthetic picture (Borowski et al. 2021).

    Attributes:
        objective: as it is written.
        pictures: how many real ones it was compared with.
        worked: the objective against that of the real pictures.
        natural: spectrum, colours and clipped pixels against the real pictures.
        robust: what held-out changes leave of the objective.
        specific: whose top pictures it is near to; None where nothing lies before the unit or no picture excites it.
    """

    objective: str
    pictures: int
    worked: Worked
    natural: Natural
    robust: Robust
    specific: Specific | None

    def lines(self) -> list[str]:
        """Four sentences for people: worked, natural, robust, specific."""
        specific = "not known" if self.specific is None else str(self.specific)
        return [f"Worked: {self.worked}.", f"Natural: {self.natural}.", f"Robust: {self.robust}.", f"Specific: {specific}."]
