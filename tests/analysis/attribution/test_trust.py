from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from torch import Tensor, nn

from pellucid.analysis.attribution import METHODS, attribute, cam, integrated_gradients, saliency
from pellucid.analysis.attribution.trust import (
    checks,
    completeness,
    deletion,
    insertion,
    main_mask,
    pointing_game,
    randomisation,
    rank_correlation,
    stability,
)
from pellucid.analysis.attribution.trust.pointing import THINGS
from pellucid.analysis.attribution.trust.scenes import four_things, one_thing
from pellucid.errors import NotFoundError, UsageError
from pellucid.models import load
from pellucid.terrarium.world import CLASSES, PARTS, draw
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.objectives import probability


def test_the_thing_of_every_class_that_has_one() -> None:
    assert set(THINGS) == set(CLASSES) - {"sandbar", "beach", "lake"}
    assert {part for parts in THINGS.values() for part in parts} <= set(PARTS)
    for index in range(36):
        scene = draw(index, seed=9)
        mask = main_mask(scene)
        assert (mask is None) == (scene.label not in THINGS)
        if mask is not None:
            assert 0.02 < mask.mean() < 0.8
            assert all(mask[scene.masks[part]].all() for part in THINGS[scene.label] if part in scene.masks)


def test_pointing_one_picture_at_a_time() -> None:
    maps, masks = torch.rand(20, 6, 7), torch.rand(20, 6, 7) > 0.5
    maps[3], masks[3] = 0.5, True  # the same everywhere
    found = pointing_game(maps, masks)
    for place in range(20):
        best = max((float(maps[place, i, j]), i, j) for i in range(6) for j in range(7))
        assert found[place] == (place != 3 and bool(masks[place, best[1], best[2]]))
    with pytest.raises(UsageError, match=r"masks: shape \(2, 3, 4\)"):
        pointing_game(maps, torch.ones(2, 3, 4, dtype=torch.bool))


def test_four_things_have_one_that_is_asked_for() -> None:
    posed = four_things(8)
    assert len(set(posed.labels)) == 8
    for place in range(8):
        row, col = divmod(place % 4, 2)
        mask = posed.masks[place]
        assert mask[96 * row : 96 * row + 96, 96 * col : 96 * col + 96].sum() == mask.sum() > 0
    assert torch.equal(four_things(8).images, posed.images)
    assert one_thing(17).labels[0] == one_thing(17).labels[15]


def test_curves_one_picture_and_step_at_a_time() -> None:
    model, images, maps = small(), noise(), torch.rand(2, 16, 16)
    maps[1, :4] = maps[1, 4]  # some are equal
    for fill in ("blur", "mean"):
        other = gaussian_blur(images, 16 / 20) if fill == "blur" else images.mean((2, 3), keepdim=True).expand_as(images)
        for curve, first, last in ((deletion, images, other), (insertion, other, images)):
            found = curve(model, images, ["class:1", "class:3"], maps, steps=4, fill=fill)
            for place, index in enumerate((1, 3)):
                order = sorted(range(256), key=lambda at: -float(maps[place].flatten()[at]))
                scores = []
                for step in range(5):
                    picture = first[place].clone()
                    for at in order[: round(256 * step / 4)]:
                        picture[:, at // 16, at % 16] = last[place][:, at // 16, at % 16]
                    scores.append(float(model.network(model.preprocess(picture[None]))[0, index].detach()))
                assert found.scores[place].tolist() == pytest.approx(scores, abs=1e-4)
                area = sum((a + b) / 2 for a, b in pairwise(scores)) / 4
                assert float(found.area[place]) == pytest.approx(area, abs=1e-4)


def test_a_good_map_deletes_faster_and_inserts_sooner_than_noise() -> None:
    posed = one_thing(15)
    outcome = [probability(CLASSES.index(label)) for label in posed.labels]
    good = cam(network(), posed.images, posed.targets).upsampled()
    blind = torch.rand(good.shape, generator=torch.Generator().manual_seed(0))
    areas = [
        curve(network(), posed.images, outcome, maps, steps=8).area.mean()
        for curve in (deletion, insertion)
        for maps in (good, blind)
    ]
    assert areas[0] < areas[1] and areas[2] > areas[3]


def test_what_is_no_curve() -> None:
    for maps, steps in ((torch.rand(2, 8, 8), 4), (torch.rand(2, 16, 16), 0)):
        with pytest.raises(UsageError, match="at least 1 step"):
            deletion(small(), noise(), "class:1", maps, steps=steps)
    with pytest.raises(UsageError, match="fill='black'"):
        insertion(small(), noise(), "class:1", torch.rand(2, 16, 16), fill="black")  # pyright: ignore[reportArgumentType]


def test_rank_correlation_one_pair_at_a_time() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randint(0, 9, (6, 4, 5), generator=generator).float() for _ in range(2))
    second[5] = 3

    def ranks(values: Tensor) -> list[float]:
        flat = values.flatten().tolist()
        return [sum(other < one for other in flat) + (sum(other == one for other in flat) - 1) / 2 for one in flat]

    found = rank_correlation(first, second)
    for place in range(5):
        pair = torch.tensor([ranks(first[place]), ranks(second[place])], dtype=torch.float64)
        assert float(found[place]) == pytest.approx(float(torch.corrcoef(pair)[0, 1]), abs=1e-5)
    assert found[5] == 0
    torch.testing.assert_close(rank_correlation(first, -first.exp()), -torch.ones(6))


def test_completeness() -> None:
    images = scenes("house", "fish")
    assert completeness(cam(network(), images, "class:house")).max() < 1e-4
    errors = [float(completeness(integrated_gradients(network(), images, "class:house", steps=n)).mean()) for n in (2, 32)]
    assert errors[1] < 0.1 < errors[0]
    with pytest.raises(UsageError, match="saliency does not sum up"):
        completeness(saliency(network(), images, "class:house"))


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "smoothgrad", "cam", "grad-cam", "activation-gradient"])
def test_randomising_the_weights_destroys_it(method: str) -> None:
    posed = one_thing(2)
    found = randomisation(network(), posed.images, posed.targets, method=method, stages=1)
    assert found.correlations[-1].mean() < 0.45 and not found.fails and found.halfway == float(found.correlations[0].mean())
    assert found.stages == ("conv1.conv",) and found.correlations.shape == (1, 2)


def test_guided_backpropagation_fails_it() -> None:
    """Without what the upper half has learned it is still itself, and saliency is not: the known failure."""
    posed = one_thing(4)
    found = {name: randomisation(network(), posed.images, posed.targets, method=name, stages=2) for name in ("guided", "saliency")}
    assert found["guided"].halfway > 0.7 and found["guided"].fails
    assert found["saliency"].halfway < 0.4 and not found["saliency"].fails


def test_of_a_network_that_is_left_nothing_the_stages_are_cumulative() -> None:
    """The last stage is the untrained network, whatever the stages before."""
    model, images = network(), scenes("house")
    short, long = (randomisation(model, images, "class:house", method="saliency", stages=n, seed=3) for n in (1, 4))
    torch.testing.assert_close(short.correlations[-1], long.correlations[-1])
    other = randomisation(model, images, "class:house", method="saliency", stages=1, seed=4)
    assert not torch.equal(short.correlations, other.correlations)


def test_stability() -> None:
    images = scenes("house", "fish")
    targets = ["class:house", "class:fish"]
    quiet, loud = (stability(network(), images, targets, method="grad-cam", noise=n) for n in (1e-4, 0.3))
    assert quiet.min() > 0.99 and loud.mean() < quiet.mean()
    alone = stability(network(), images[1:], "class:fish", method="grad-cam", noise=0.3)
    assert float(alone[0]) == pytest.approx(float(loud[1]), abs=1e-3)


def test_all_checks_at_once() -> None:
    posed = one_thing(2)
    outcome = [probability(CLASSES.index(label)) for label in posed.labels]
    found = checks(network(), posed.images, posed.targets, method="cam", outcome=outcome, masks=posed.masks)
    maps = found.attribution.upsampled()
    assert found.hits is not None and torch.equal(found.hits, pointing_game(maps, posed.masks))
    torch.testing.assert_close(found.deletion, deletion(network(), posed.images, outcome, maps).area)
    assert found.completeness is not None and found.completeness.max() < 1e-3 and found.seconds > 0


def test_ranges_and_names() -> None:
    with pytest.raises(UsageError, match="stages=0"):
        randomisation(small(), noise(), "class:1", method="cam", stages=0)
    with pytest.raises(UsageError, match="noise=0"):
        stability(small(), noise(), "class:1", method="cam", noise=0)
    with pytest.raises(UsageError, match="count=0"):
        one_thing(0)
    with pytest.raises(NotFoundError, match="method 'gradcam' is not there \\(did you mean grad-cam"):
        attribute(small(), noise(), "class:1", method="gradcam")
    with pytest.raises(UsageError, match="saliency knows no layer; grad-cam, "):
        attribute(small(), noise(), "class:1", method="saliency", layer="conv1")


def test_every_method_gives_its_own_name() -> None:
    """Or says in what network it works."""
    model = load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)), size=16)
    for name, entry in METHODS.items():
        if name == "rollout":
            continue
        found = attribute(model, noise(), "class:1", method=name, layer="1" if entry.at_layer else None)
        assert found.method == name and (found.layer is not None) == (entry.at_layer or name == "cam")
