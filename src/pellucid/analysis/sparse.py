"""A sparse autoencoder: more directions than channels, of which every activation vector uses only a few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import normalize

from pellucid.errors import PellucidError, UsageError
from pellucid.files import writing
from pellucid.vis.adam import Adam

BATCH = 1024  # vectors a step
RATE = 2e-3
WARM, COOL = 0.05, 0.2  # shares of the steps over which the rate rises, and falls to zero at the end
QUIET = 50  # steps without an answer, after which a feature counts as dead
REVIVED, SHARE = (
    32,
    1 / 32,
)  # dead features that explain what is missed, and the weight of their loss (Gao et al. 2024, section 2.3)
TENSORS = ("encoder", "bias", "decoder", "centre")


@dataclass(frozen=True)
class SparseAutoencoder:
    """Features of a layer: at any position only the k strongest answer.

    Attributes:
        encoder: one row a feature: its answer is the product with what a vector has beyond the centre, plus the bias.
        bias: of each feature's answer.
        decoder: one row of length one a feature: what it stands for, for `pellucid.direction`.
        centre: what all vectors have in common.
        k: features that answer at once.
    """

    encoder: Float[Tensor, "m c"]
    bias: Float[Tensor, " m"]
    decoder: Float[Tensor, "m c"]
    centre: Float[Tensor, " c"]
    k: int

    def encode(self, vectors: Any) -> Float[Tensor, "n m"]:
        """How strongly each feature answers to vectors: zero for all but the k strongest of a vector, and never below zero.

        Raises:
            UsageError: vectors of another number of channels.
        """
        rows = torch.as_tensor(np.asarray(vectors, np.float32))
        if rows.shape[1] != len(self.centre):
            raise UsageError(f"the vectors have {rows.shape[1]} channels, the autoencoder was trained on {len(self.centre)}")
        return _strongest((rows - self.centre) @ self.encoder.T + self.bias, self.k)

    def decode(self, features: Float[Tensor, "n m"]) -> Float[Tensor, "n c"]:
        """The vectors that features stand for."""
        return features @ self.decoder + self.centre

    def save(self, path: Path | str) -> None:
        """Write a safetensors file, whole or not at all."""
        with writing(Path(path)) as file:
            save_file({name: getattr(self, name).contiguous() for name in TENSORS}, file, {"k": str(self.k)})

    @classmethod
    def open(cls, path: Path | str) -> SparseAutoencoder:
        """What `save` wrote.

        Raises:
            PellucidError: it cannot be read, or is something else.
        """
        try:
            with safe_open(path, "pt") as file:
                return cls(*(file.get_tensor(name) for name in TENSORS), k=int(file.metadata()["k"]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise PellucidError(f"{str(path)!r} is no sparse autoencoder: {error}") from error


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
        used = _strongest(answers, self.k)
        missed = rows - used @ self.decoder
        loss = missed.square().mean()
        dead = self.silent > QUIET
        if dead.any():
            helping = _strongest(answers.masked_fill(~dead, -torch.inf), min(REVIVED, int(dead.sum())))
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


def _strongest(answers: Float[Tensor, "n m"], k: int) -> Float[Tensor, "n m"]:
    """The k largest of each row where they are above zero, and zero elsewhere."""
    found = answers.topk(k, dim=1)
    return torch.zeros_like(answers).scatter(1, found.indices, found.values.relu())
