"""Units with several meanings: of the terrarium's classes, those drawn with two faces or on two grounds."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from jaxtyping import Float
from tests.vis.recipes.scenes import network
from torch import Tensor

from pellucid.arrays import to_image
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import capture
from pellucid.terrarium.world import CLASSES, draw
from pellucid.vis import logit
from pellucid.vis.recipes.clusters import kmeans, silhouette
from pellucid.vis.recipes.measures import reasons
from pellucid.vis.recipes.polysemantic import Split, polysemantic, splits

UNITS = [8, 9, 10, 17]  # diver; a cat's head or a car's front; starfish, on sand or on water; mushroom


@cache
def world() -> tuple[list[dict[str, float | str]], Float[Tensor, "n c h w"]]:
    """Drawings of all classes, with what was drawn."""
    scenes = [draw(index, seed=8, masks=False) for index in range(216)]
    return [scene.parameters for scene in scenes], torch.stack([to_image(scene.picture) for scene in scenes])


@cache
def found() -> list[Split]:
    return splits(network(), "logits", world()[1], units=UNITS, top=12)


def test_classes_part_into_what_they_were_drawn_from() -> None:
    facts, splits = world()[0], {each.unit: each for each in found()}
    assert [each.silhouette for each in found()] == sorted((each.silhouette for each in found()), reverse=True)
    assert min(splits[9].silhouette, splits[10].silhouette) > max(splits[8].silhouette, splits[17].silhouette)
    for unit, key, kinds in ((9, "face", ["car", "cat"]), (10, "ground", ["sand", "water"])):
        drawn = [{str(facts[place].get(key)) for place in group} for group in splits[unit].groups]
        assert sorted(map(sorted, drawn)) == [[kind] for kind in kinds]


def test_classes_drawn_in_two_ways_part_the_clearest_and_by_these_ways() -> None:
    """Not by how much their things differ: a cat's head and a car's front part less clearly than two grounds do."""
    scenes = [draw(index, seed=5) for index in range(360)]
    found = splits(network(), "logits", torch.stack([to_image(scene.picture) for scene in scenes]), top=16)
    order = [CLASSES[each.unit] for each in found]
    assert order[0] == "starfish" and {"beach", "bicycle"} <= set(order[1:4])
    two = {"starfish": "sand", "beach": "sky", "bicycle": "street", "lake": "sky", "cat's head or car front": "cat"}
    for split in found:
        if (part := two.get(CLASSES[split.unit])) is not None:
            shares = [sum(part in scenes[place].masks for place in group) / len(group) for group in split.groups]
            assert max(shares) - min(shares) > 0.7, (CLASSES[split.unit], shares)


def test_the_examples_are_those_the_unit_answers_to_most() -> None:
    images = world()[1]
    with torch.no_grad():
        scores = torch.cat([capture(network(), batch, ["logits"])["logits"] for batch in images.split(64)])[:, 9, 0, 0]
    best = sorted(range(len(images)), key=lambda place: -float(scores[place]))[:12]
    split = next(each for each in found() if each.unit == 9)
    assert sorted(place for group in split.groups for place in group) == sorted(best)
    rows = reasons(network(), logit(9), "mixed4a", images[best])
    groups, _ = kmeans(rows, 2)
    assert split.silhouette == pytest.approx(silhouette(rows, groups), abs=1e-4)
    assert split.groups == tuple(tuple(best[i] for i in range(12) if groups[i] == k) for k in range(2))


def test_balance_is_the_share_of_the_smallest_group() -> None:
    assert Split(0, 0.5, ((1, 2, 3), (4,))).balance == 0.25


def test_each_meaning_of_a_clear_unit_gets_a_picture() -> None:
    images, least = world()[1], sorted(each.silhouette for each in found())[-1] - 0.01
    (made,) = polysemantic(network(), "logits", images, units=UNITS, top=12, least=least, steps=2)
    assert made.split == found()[0] and len(made.facets.renderings) == 2
    assert made.facets.clusters is not None and -1 not in made.facets.clusters.groups  # all of its examples count
    facts = json.loads(json.dumps(made.facts()))
    assert facts["unit"] == 10 and facts["groups"] == [list(group) for group in made.split.groups]
    assert polysemantic(network(), "logits", images, units=[10], top=12, least=least, most=0, steps=2) == []


def test_one_odd_image_is_no_meaning() -> None:
    images = torch.cat([torch.rand(1, 3, 96, 96).expand(1, 3, 96, 96), world()[1][9::18][:11]])
    (split,) = splits(network(), "logits", images, units=[9], groups=6, top=12)
    assert split.balance < 0.15
    assert polysemantic(network(), "logits", images, units=[9], groups=6, top=12, least=-1.0, steps=1) == []


def test_bad_input() -> None:
    images = torch.rand(6, 3, 96, 96)
    with pytest.raises(NotFoundError):
        splits(network(), "mixed9", images, top=4)
    with pytest.raises(UsageError, match=r"layer 'conv1' has 0 to \d+, not \[-1, 999\]"):
        splits(network(), "conv1", images, units=[-1, 3, 999], top=4)
    for groups, top in ((1, 4), (2, 2), (2, 7)):
        with pytest.raises(UsageError, match=f"not {groups}, {top} and 6"):
            splits(network(), "logits", images, units=[9], groups=groups, top=top)


def test_the_class_with_two_faces_is_reported_with_one_face_in_each_group() -> None:
    """With the usual settings, by which most classes are not."""
    scenes = [draw(index, seed=5) for index in range(540)]
    images = torch.stack([to_image(scene.picture) for scene in scenes])
    (made,) = polysemantic(network(), "logits", images, units=[9], steps=16)
    drawn = [[scenes[place].parameters.get("face") for place in group] for group in made.split.groups]
    counts = [(group.count("cat"), group.count("car")) for group in drawn]
    assert sum(min(pair) for pair in counts) <= 1 and {pair[0] > pair[1] for pair in counts} == {True, False}, counts
    clear = [each for each in splits(network(), "logits", images) if each.silhouette >= 0.3 and each.balance >= 0.15]
    assert 9 in [each.unit for each in clear] and len(clear) <= 9
