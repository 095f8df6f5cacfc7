"""The training of sparse autoencoders, and how well they fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.data.store import Store
from pellucid.errors import UsageError
from pellucid.models.autoencoder import SparseAutoencoder, strongest
from pellucid.vis.adam import Adam

BATCH = 1024  # vectors a step
RATE = 2e-3
WARM, COOL = 0.05, 0.2  # shares of the steps over which the rate rises, and falls to zero at the end
QUIET = 50  # steps without an answer, after which a feature counts as dead
REVIVED, SHARE = (
    32,
    1 / 32,
)  # dead features that explain what is missed, and the weight of their loss (Gao et al. 2024, section 2.3)
KEPT = 10  # of so many pictures one is kept aside, to measure with
BLOCK = 4096  # vectors that are encoded together


@dataclass(frozen=True)
class Fit:
    """How well a sparse autoencoder fits a collection.

    Attributes:
        explained: share of the variance of the samples kept aside that its features give back; below 1, and negative where the
            mean of all would do better.
        aside: how many samples those were; 0 where there were too few pictures, and it was measured on those of the training.
        dead: features that answer to no sample at all.
    """

    explained: float
    aside: int
    dead: int


def train_features(
    store: Store,
    layer: str,
    features: int,
    *,
    k: int = 8,
    steps: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[SparseAutoencoder, Fit]:
    """Features of a collected layer that know their layer and network, and how well they fit pictures they did not learn from.

    Args:
        store: with ten pictures or more one in ten is kept aside.
        layer: one of the store's.
        features: as in `train_sparse`, and so all others.

    Raises:
        NotFoundError: the layer was not collected.
        UsageError: as in `train_sparse`.

    Example:
        >>> import tempfile
        >>> import pellucid.models as models
        >>> from pellucid.data.collect import collect
        >>> from pellucid.data.stream import open_stream
        >>> from pellucid.models.extended import extend
        >>> model = models.load("terrarium")
        >>> stream = open_stream("terrarium:2", size=model.size)
        >>> store = collect(model, stream, ["mixed4a"], tempfile.mkdtemp(), positions=20, attributions=False)
        >>> trained, fit = train_features(store, "mixed4a", 320, steps=2)
        >>> extend(model, trained).layer("mixed4a.sparse").channels
        320
    """
    vectors, aside = store.vectors(store.layer(layer).name), _aside(store)
    trained = train_sparse(_Rows(vectors, (~aside).nonzero()[0]), features, k=k, steps=steps, seed=seed, progress=progress)
    return replace(trained, layer=layer, network=store.settings["model"]), _fit(trained, vectors, aside)


def _aside(store: Store) -> Bool[np.ndarray, " n"]:
    pictures = np.unique(store.samples(["image"])["image"].to_numpy(), return_inverse=True)[1]
    return pictures % KEPT == KEPT - 1


def _fit(trained: SparseAutoencoder, vectors: Any, aside: Bool[np.ndarray, " n"]) -> Fit:
    measured = torch.from_numpy(aside if aside.any() else ~aside)
    alive, missed, squares, sums = torch.zeros(len(trained.bias), dtype=torch.bool), 0.0, 0.0, torch.zeros(())
    for start in range(0, len(vectors), BLOCK):
        block = torch.from_numpy(np.asarray(vectors[start : start + BLOCK], np.float32))
        answers, chosen = trained.encode(block), measured[start : start + BLOCK]
        alive |= (answers > 0).any(0)
        rows = (block - trained.centre)[chosen].double()  # near zero, where sums of squares are exact enough
        missed += float((block - trained.decode(answers))[chosen].square().sum())
        squares, sums = squares + float(rows.square().sum()), sums + rows.sum(0)
    variance = squares - float(sums.square().sum() / measured.sum())
    return Fit(1 - missed / variance, int(aside.sum()), int((~alive).sum()))


@dataclass(frozen=True)
class _Rows:
    """Some rows of vectors that are read when asked for."""

    vectors: Any
    rows: Int[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Int[np.ndarray, " m"]) -> Any:
        return self.vectors[self.rows[places]]


def train_sparse(
    vectors: Any,
    features: int,
    *,
    k: int = 16,
    steps: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SparseAutoencoder:
    """Learn features of which a few at a time give back activation vectors (Gao et al. 2024, arXiv:2406.04093: top-k).

    The loss is the squared error; features that have not answered for a while learn from what is left of it. On a CPU the same
    call gives the same bits.

    Args:
        vectors: n rows, at least two that differ; an array or `Store.vectors(layer)`, which is read a batch at a time.
        features: how many, mostly several times the channels; from k.
        k: that answer at once, from 1.
        steps: of training, from 1, with 1,024 vectors each.
        seed: of the first weights and of the order of the vectors.
        progress: called with (steps done, steps).

    Raises:
        UsageError: a number out of range, or vectors that are all the same.

    >>> trained = train_sparse(np.random.default_rng(0).random((64, 6)), 12, k=2, steps=3)
    >>> trained.encode(np.ones((5, 6))).count_nonzero(1).le(2).all()
    tensor(True)
    """
    if not 1 <= k <= features:
        raise UsageError(f"k={k}: 1 to {features} of {features} features can answer at once")
    if steps < 1:
        raise UsageError(f"steps must be at least 1, not {steps}")
    training = _Training(vectors, features, k, seed)
    for step in range(steps):
        training.step(min(1, (step + 1) / max(1, WARM * steps), (steps - step) / max(1, COOL * steps)))
        if progress is not None:
            progress(step + 1, steps)
    return training.result()


class _Training:
    def __init__(self, vectors: Any, features: int, k: int, seed: int) -> None:
        self.vectors, self.k, self.generator = vectors, k, torch.Generator().manual_seed(seed)
        sample = self.batch(8 * BATCH)
        self.centre = sample.mean(0)
        self.scale = (sample - self.centre).square().mean().sqrt()
        if not self.scale > 1e-6 * sample.abs().max():  # more than rounding
            raise UsageError(f"the {len(vectors)} vectors are all the same: there are no features to find")
        directions = normalize(torch.randn(features, sample.shape[1], generator=self.generator), dim=1)
        self.encoder, self.decoder = directions.clone().requires_grad_(), directions.clone().requires_grad_()
        self.bias = torch.zeros(features, requires_grad=True)
        self.adam = Adam([self.encoder, self.bias, self.decoder])
        self.silent = torch.zeros(features, dtype=torch.int64)  # steps since a feature last answered

    def batch(self, count: int) -> Float[Tensor, "n c"]:
        rows = torch.randint(len(self.vectors), (min(count, len(self.vectors)),), generator=self.generator)
        return torch.from_numpy(np.asarray(self.vectors[rows.sort().values.numpy()], np.float32))

    def step(self, share: float) -> None:
        """Go on by one batch, at this share of the learning rate."""
        rows = (self.batch(BATCH) - self.centre) / self.scale
        answers = rows @ self.encoder.T + self.bias
        used = strongest(answers, self.k)
        missed = rows - used @ self.decoder
        loss = missed.square().mean()
        dead = self.silent > QUIET
        if dead.any():
            helping = strongest(answers.masked_fill(~dead, -torch.inf), min(REVIVED, int(dead.sum())))
            loss = loss + SHARE * (missed.detach() - helping @ self.decoder).square().mean()
        loss.backward()
        self.adam.step(RATE * share)
        with torch.no_grad():
            self.decoder.copy_(normalize(self.decoder, dim=1))
            self.silent = torch.where((used > 0).any(0), 0, self.silent + 1)

    def result(self) -> SparseAutoencoder:
        """In the units of the vectors."""
        encoder, bias, decoder = (each.detach() for each in (self.encoder, self.bias, self.decoder))
        return SparseAutoencoder(encoder.clone(), bias * self.scale, decoder.clone(), self.centre, self.k)
