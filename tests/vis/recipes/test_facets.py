"""Several pictures of one unit; of the class with two faces, the judge's detectors say which of them a picture shows."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from tests.vis.recipes.scenes import network
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from pellucid.arrays import to_image
from pellucid.errors import UsageError
from pellucid.models import capture, load
from pellucid.terrarium.world import Scene, draw
from pellucid.vis import channel, logit
from pellucid.vis.recipes.clusters import kmeans
from pellucid.vis.recipes.facets import Facets, clustered, distance, diverse, intra_class, restarts
from pellucid.vis.recipes.measures import answers, pooled, reasons, sensitivities

TWO = "cat's head or car front"
CAT, CAR = ("cat", "ear", "eye", "nose", "whiskers"), ("car", "headlight", "windscreen", "grille", "bumper", "plate")
UNIT = "mixed3b:10"


def drawings(count: int, seed: int) -> tuple[list[Scene], Tensor]:
    scenes = [draw(index, seed=seed, label=TWO) for index in range(count)]
    return scenes, torch.stack([to_image(scene.picture) for scene in scenes])


class Detector:
    """Where the judge sees parts of a cat, parts of a car or neither: three Gaussians of one shape for each layer."""

    def __init__(self, scenes: list[Scene], images: Tensor) -> None:
        self.judge = load("terrarium:judge")
        self.layers = {name: self.fit(self.maps(images, name), scenes) for name in ("mixed3b", "mixed4a", "mixed4b")}

    def maps(self, images: Tensor, layer: str) -> Tensor:
        with torch.no_grad():
            return torch.cat([capture(self.judge, batch, [layer])[layer].double() for batch in images.split(32)])

    def fit(self, maps: Tensor, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        shown = torch.stack([torch.stack([covered(scene, parts) for parts in (CAT, CAR)]) for scene in scenes])
        parts = adaptive_avg_pool2d(shown.double(), (maps.shape[2], maps.shape[3]))
        shares = torch.cat([parts, (1 - parts.sum(1, keepdim=True)).clamp(min=0)], 1).permute(0, 2, 3, 1).flatten(0, 2)
        rows = maps.permute(0, 2, 3, 1).flatten(0, 2)
        means = shares.T @ rows / shares.sum(0)[:, None]
        spread = sum((shares[:, k, None] * (rows - means[k])).T @ (rows - means[k]) for k in range(3)) / shares.sum()
        spread = spread + 0.05 * spread.diagonal().mean() * torch.eye(len(spread))
        weights = torch.linalg.solve(spread, means.T)
        return weights, -(means * weights.T).sum(1) / 2

    def cat(self, images: Tensor) -> Tensor:
        """The cat's share of all parts that are seen."""
        areas = torch.zeros(len(images), 2, dtype=torch.double)
        for name, (weights, bias) in self.layers.items():
            seen = (self.maps(images, name).permute(0, 2, 3, 1) @ weights + bias).softmax(-1)
            areas += seen.mean((1, 2))[:, :2]
        return areas[:, 0] / areas.sum(1)

    def right(self, images: Tensor) -> Tensor:
        """Whether the judge sees the class."""
        return self.maps(images, "logits").flatten(1).argmax(1) == self.judge.class_index(TWO)


def covered(scene: Scene, parts: tuple[str, ...]) -> Tensor:
    masks = [torch.from_numpy(scene.masks[part]) for part in parts if part in scene.masks]
    return torch.stack(masks).any(0) if masks else torch.zeros(96, 96, dtype=torch.bool)


def pictures(facets: Facets) -> Tensor:
    return torch.stack([each.image for each in facets.renderings])


@cache
def plain() -> Facets:
    return restarts(network(), UNIT, 4, layer="mixed3a", size=48, steps=32)


@cache
def apart() -> Facets:
    return diverse(network(), UNIT, 4, strength=0.1, size=48, steps=32)


def test_distance_is_the_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, weights = torch.randn(4, 3, 2, 5, generator=generator), torch.randn(3, generator=generator)
    rows = [torch.stack([weights[c] * maps[i, c].mean() for c in range(3)]) for i in range(4)]
    score = distance("a", weights, pictures=4)({"a": maps})
    for i in range(4):
        product = 1.0
        for j in range(4):
            if i != j:
                product *= 1 - float(rows[i] @ rows[j] / rows[i].norm() / rows[j].norm())
        assert float(score[i]) == pytest.approx(product ** (1 / 3), rel=1e-4)


def test_pictures_that_are_the_same_are_no_trouble() -> None:
    maps = torch.ones(3, 2, 1, 1, requires_grad=True)
    score = distance("a", torch.ones(2), pictures=3)({"a": maps})
    (gradient,) = torch.autograd.grad(score.sum(), maps)
    assert torch.allclose(score, torch.tensor(1e-3)) and bool(gradient.isfinite().all())


def test_restarts_are_pictures_of_the_unit_alone() -> None:
    made = plain()
    assert {each.objective for each in made.renderings} == {"channel('mixed3b', 10)"}
    assert [each.settings["seed"] for each in made.renderings] == [0, 1, 2, 3]
    assert made.single is made.renderings[0]
    assert made.scores == pytest.approx([each.score for each in made.renderings], rel=1e-4)


def test_diverse_maximises_the_gain_times_a_power_of_the_distance() -> None:
    made = apart()
    images, unit = pictures(made), channel("mixed3b", 10)
    rows = pooled(network(), "mixed3a", images) * sensitivities(network(), unit, "mixed3a", made.single.image[None])
    far = distance("mixed3a", torch.ones(rows.shape[1]), pictures=4)({"mixed3a": rows[:, :, None, None]})
    low = made.single.history[0]
    gains = (answers(network(), unit, images) - low) / (made.single.score - low)
    assert [each.score for each in made.renderings] == pytest.approx((gains * far**0.1).tolist(), rel=1e-3)


def test_diverse_pictures_differ_where_restarts_do_not_and_show_the_unit() -> None:
    assert apart().likeness < plain().likeness - 0.1
    assert apart().layer == plain().layer == "mixed3a"
    assert apart().loss < 0.15
    assert diverse(network(), UNIT, 4, strength=0.4, size=48, steps=32).likeness < apart().likeness


def test_loss_is_what_the_pictures_lack_of_the_single_optimum() -> None:
    made = apart()
    mean, low = sum(made.scores) / 4, made.single.history[0]
    assert made.loss == pytest.approx((made.single.score - mean) / (made.single.score - low))


def test_groups_of_images_give_one_picture_each() -> None:
    _, images = drawings(24, seed=3)
    made = clustered(network(), logit(9), images, 2, steps=16)
    rows = reasons(network(), logit(9), "mixed4a", images)
    assert made.clusters is not None and made.clusters.groups == tuple(kmeans(rows, 2)[0].tolist())
    assert min(made.clusters.retrieval) > 0.8 and made.likeness < 1
    facts = json.loads(json.dumps(made.facts()))
    assert facts["clusters"]["stability"] == made.clusters.stability and facts["layer"] == "mixed4a"
    recipe = made.renderings[0].settings["recipe"]
    assert recipe["name"] == "clustered" and recipe["groups"] == 2


def test_a_start_is_the_mean_of_the_images_nearest_to_the_centre() -> None:
    _, images = drawings(24, seed=3)
    made = clustered(network(), logit(9), images, 2, steps=1)
    rows = reasons(network(), logit(9), "mixed4a", images)
    groups, centres = kmeans(rows, 2)
    for k, each in enumerate(made.renderings):
        members = [i for i in range(24) if groups[i] == k]
        nearest = sorted(members, key=lambda i: float((rows[i] - centres[k]).norm()))[:15]
        start = torch.stack([images[i] for i in nearest]).mean(0)
        other = torch.stack([images[i] for i in range(24) if groups[i] != k]).mean(0)
        assert (each.image - start).abs().mean() < 0.7 * (each.image - other).abs().mean()


def test_only_images_that_excite_the_unit_count() -> None:
    _, images = drawings(12, seed=3)
    flat = torch.full((4, 3, 96, 96), 0.5)
    made = clustered(network(), logit(9), torch.cat([flat, images]), 2, steps=2)
    assert made.clusters is not None and made.clusters.groups[:4] == (-1,) * 4 and min(made.clusters.groups[4:]) >= 0


def test_intra_class_pictures_lean_towards_their_own_group() -> None:
    _, images = drawings(24, seed=3)
    made = intra_class(network(), logit(9), images, 2, steps=24)
    assert made.clusters is not None and min(made.clusters.retrieval) > 0.8
    assert made.clusters.groups == tuple(kmeans(pooled(network(), "mixed4a", images), 2)[0].tolist())
    weak = intra_class(network(), logit(9), images, 2, steps=24, strength=0.01)
    assert made.likeness < weak.likeness


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="strength must be above 0, not 0"):
        diverse(network(), UNIT, strength=0)
    with pytest.raises(UsageError, match="count must be at least 2, not 1"):
        diverse(network(), UNIT, 1)
    with pytest.raises(UsageError, match="at least one of 96 × 96 px or more is wanted"):
        clustered(network(), "class:fish", torch.rand(5, 3, 64, 64), 2, steps=1)
    with pytest.raises(UsageError, match="answers no more to its own picture than to noise"):
        diverse(network(), 0 * channel("conv1", 0), 2, steps=1, size=32)


def test_progress_counts_every_picture() -> None:
    heard: list[tuple[int, int]] = []
    diverse(network(), UNIT, 2, size=32, steps=3, progress=lambda *numbers: heard.append(numbers))
    assert heard[-1] == (9, 9) and [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_both_faces_are_found_where_plain_restarts_find_none() -> None:
    scenes, images = drawings(150, seed=11)
    detector = Detector(scenes[:100], images[:100])
    cats = torch.tensor([scene.parameters["face"] == "cat" for scene in scenes[100:]])
    shares = detector.cat(images[100:])
    assert bool(((shares > 0.5) == cats).all())
    least, most = shares[cats].quantile(0.05), shares[~cats].quantile(0.95)  # all but one in twenty of the drawings

    def faces(facets: Facets) -> tuple[int, int]:
        seen, right = detector.cat(pictures(facets)), detector.right(pictures(facets))
        return int((right & (seen >= least)).sum()), int((right & (seen <= most)).sum())

    made = diverse(network(), logit(9), 8)
    assert min(faces(made)) >= 1 and made.loss < 0.1
    assert min(faces(clustered(network(), logit(9), images[:100], 2, steps=64))) == 1
    assert faces(restarts(network(), logit(9), 8)) == (0, 0)
