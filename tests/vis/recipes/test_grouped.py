"""A picture from each group of images; of the class with two faces, the judge's detectors say which of them a picture shows."""

from __future__ import annotations

import json

import pytest
import torch
from tests.vis.recipes.faces import Detector, cats, drawings
from tests.vis.recipes.scenes import network
from torch.nn.functional import normalize

from pellucid.errors import UsageError
from pellucid.vis import logit
from pellucid.vis.recipes.clusters import adjusted_rand, kmeans, precedence
from pellucid.vis.recipes.facets import Facets, diverse, restarts, stacked
from pellucid.vis.recipes.grouped import clustered, intra_class
from pellucid.vis.recipes.measures import pooled, reasons


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


def test_groups_within_the_class_are_its_faces_and_each_picture_finds_its_own_among_new_drawings() -> None:
    scenes, images = drawings(60, seed=3)
    made = intra_class(network(), logit(9), images, 2, steps=64)
    assert made.clusters is not None
    groups, faces = torch.tensor(made.clusters.groups), cats(scenes).long()
    assert adjusted_rand(groups, faces) == 1 and made.clusters.stability > 0.8 and min(made.clusters.retrieval) > 0.9
    others, new = drawings(60, seed=4)
    rows = normalize(pooled(network(), made.layer, torch.cat([new, stacked(made.renderings)])), dim=1)
    alike = (rows[60:] - rows[60:].mean(0)) @ (rows[:60] - rows[:60].mean(0)).T
    for k in range(2):
        own = cats(others) == faces[groups == k][0]
        assert precedence(alike[k][own], alike[k][~own]) > 0.9


def test_images_smaller_than_the_picture_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one of 96 × 96 px or more is wanted"):
        clustered(network(), "class:fish", torch.rand(5, 3, 64, 64), 2, steps=1)


def test_images_that_the_unit_does_not_answer_to_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the unit logit\(12\) answers to none of the 3 more than to noise"):
        clustered(network(), "class:fish", torch.zeros(3, 3, 96, 96), 2, steps=1)


def test_both_faces_are_found_where_plain_restarts_find_none() -> None:
    scenes, images = drawings(150, seed=11)
    detector = Detector(scenes[:100], images[:100])
    shares, real = detector.cat(images[100:]), cats(scenes[100:])
    assert bool(((shares > 0.5) == real).all())
    least, most = shares[real].quantile(0.05), shares[~real].quantile(0.95)  # all but one in twenty of the drawings

    def faces(facets: Facets) -> tuple[int, int]:
        seen, right = detector.cat(stacked(facets.renderings)), detector.right(stacked(facets.renderings))
        return int((right & (seen >= least)).sum()), int((right & (seen <= most)).sum())

    made = diverse(network(), logit(9), 8)
    assert min(faces(made)) >= 1 and made.loss < 0.1
    assert min(faces(clustered(network(), logit(9), images[:100], 2, steps=64))) == 1
    assert faces(restarts(network(), logit(9), 8)) == (0, 0)
