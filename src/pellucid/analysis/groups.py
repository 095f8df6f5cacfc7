"""Groups of neurons that answer together: a few directions of a layer, and how much of each is where."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.analysis.inputs import check_images, finite_rows
from pellucid.errors import MissingExtraError, UsageError
from pellucid.models.capture import capture
from pellucid.models.model import Model

ROUNDS = 400  # of the factorization, at most
TRIES = 8  # first guesses of k-means, of which the tightest grouping is kept


@dataclass(frozen=True)
class Groups:
    """A few directions and how much of each every row has.

    Attributes:
        directions: of length one, for `pellucid.direction`: one row a group.
        strengths: how much of each direction a row has; by k-means its length where the group is its own, and zero elsewhere.
        explained: the share of the rows' squares that strengths times directions give back, at most 1.
    """

    directions: Float[np.ndarray, "k c"]
    strengths: Float[np.ndarray, "n k"]
    explained: float


def groups(vectors: Any, count: int, *, method: Literal["nmf", "kmeans"] = "nmf", seed: int = 0) -> Groups:
    """Groups of the neurons of a layer, from many activation vectors; the same seed gives the same groups.

    "nmf" takes each vector apart into non-negative parts of a few non-negative directions (Lee and Seung 1999), so that several
    groups can be active at once; "kmeans" gives each vector to one group by its direction. The group with the most strength comes
    first. (Olah et al. 2018, "The Building Blocks of Interpretability", Distill, "Neuron groups".)

    Args:
        vectors: n rows; an array or `Store.vectors(layer)`.
        count: of groups, 1 to n, and for "nmf" at most the channels.
        method: "nmf", for layers that answer nothing below zero, or "kmeans".
        seed: of the first guess.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        UsageError: an unknown method, a number out of range, vectors that are all zero or not finite, or negative ones for "nmf".

    >>> rows = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0], [4.0, 0.0, 0.0]])
    >>> found = groups(rows, 2)
    >>> (10 * found.directions).round().tolist(), round(found.explained, 2)
    ([[10.0, 0.0, 0.0], [0.0, 7.0, 7.0]], 1.0)
    """
    rows = finite_rows(vectors)
    if method not in ("nmf", "kmeans"):
        raise UsageError(f"method={method!r}: there are 'nmf' and 'kmeans'")
    most = min(rows.shape) if method == "nmf" else len(rows)
    if not 1 <= count <= most:
        raise UsageError(f"count={count}: {len(rows)} vectors of {rows.shape[1]} channels have 1 to {most} groups")
    if not rows.any():
        raise UsageError("the vectors are all zero: there is nothing to group")
    directions, strengths = (_nmf if method == "nmf" else _kmeans)(rows, count, seed)
    length = np.linalg.norm(directions, axis=1)
    directions, strengths = directions / np.maximum(length, 1e-12)[:, None], strengths * length
    order = (-strengths.sum(0)).argsort(kind="stable")
    directions, strengths = directions[order], strengths[:, order]
    missed = float(np.square(rows - strengths @ directions).sum() / np.square(rows).sum())
    return Groups(directions.astype(np.float32), strengths.astype(np.float32), 1 - missed)


def picture_groups(
    model: Model, image: Float[Tensor, "c h w"], layer: str, count: int = 6, *, seed: int = 0
) -> tuple[Groups, Float[Tensor, "k h w"]]:
    """Groups of neurons within one picture, from left to right, and the map of each: where in the layer how much of it is.

    Args:
        model: from `load`.
        image: in [0, 1], of the model's size.
        layer: a name out of `model.layers` that answers nothing below zero.
        count: of groups, from 1 to the positions and channels of the layer.
        seed: of the first guess.

    Raises:
        NotFoundError: no such layer.
        MissingExtraError: scikit-learn is not installed.
        UsageError: the layer answers below zero, the count is out of range, or it is no picture of the model's.

    >>> from pellucid.models import load
    >>> found, maps = picture_groups(load("terrarium"), torch.rand(3, 96, 96), "mixed3b", 3)
    >>> found.directions.shape, tuple(maps.shape)
    ((3, 128), (3, 24, 24))
    """
    check_images(model, image[None])
    with torch.no_grad():
        (map,) = capture(model, image[None], [layer])[layer].float().cpu()
    found = groups(map.flatten(1).T.numpy(), count, seed=seed)
    maps = torch.from_numpy(found.strengths.T.copy()).unflatten(1, map.shape[1:])
    across = maps.sum(1)
    centre = (across * torch.arange(map.shape[2])).sum(1) / across.sum(1).clamp_min(1e-12)
    order = centre.argsort(stable=True)
    return Groups(found.directions[order.numpy()], found.strengths[:, order.numpy()], found.explained), maps[order]


def _nmf(rows: Float[np.ndarray, "n c"], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if rows.min() < 0:
        raise UsageError(
            f"method='nmf' needs activations from 0 up, and these go down to {rows.min():.3g}: take the layer behind the ReLU, or "
            "method='kmeans'"
        )
    nmf = _sklearn("decomposition").NMF(count, init="nndsvda", random_state=seed, max_iter=ROUNDS, tol=1e-4)
    with warnings.catch_warnings():  # that it could go on for longer
        warnings.simplefilter("ignore")
        strengths = nmf.fit_transform(rows)
    return nmf.components_, strengths


def _kmeans(rows: Float[np.ndarray, "n c"], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """By direction, as each row counts with length one; a row of zeros, which has none, has no strength."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found = _sklearn("cluster").KMeans(count, n_init=TRIES, random_state=seed).fit(rows / np.maximum(length, 1e-12))
    centres = found.cluster_centers_ / np.maximum(np.linalg.norm(found.cluster_centers_, axis=1, keepdims=True), 1e-12)
    own = np.eye(count)[found.labels_]
    return centres, own * (rows * centres[found.labels_]).sum(1, keepdims=True).clip(min=0)


def _sklearn(part: str) -> Any:
    try:
        from sklearn import cluster, decomposition
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "groups", "grouping neurons") from error
    return {"cluster": cluster, "decomposition": decomposition}[part]
