from __future__ import annotations

import pytest
import torch
from tests.analysis.attribution.worlds import network, noise, scenes, small
from tests.models.networks import Functional, Inplace, Reused, Tokens, Tuples, seeded
from torch import Tensor, nn

from pellucid.analysis.attribution import deconvnet, gradient_input, guided_backpropagation, saliency
from pellucid.analysis.attribution.parts import scores_of
from pellucid.analysis.attribution.targets import targets_of
from pellucid.analysis.attribution.trust import pointing_game
from pellucid.analysis.attribution.trust.scenes import four_things
from pellucid.models import load

TARGETS = ["class:3", "conv2:4", "conv2:4@2,3", "class:3 - class:1"]


@pytest.mark.parametrize("target", TARGETS)
def test_saliency_against_finite_differences(target: str) -> None:
    model, images = small(torch.float64), noise(1).double()
    found = saliency(model, images, target)
    targets = targets_of(target, model, images)
    step = 1e-2
    for row, col in ((3, 4), (5, 5), (8, 9)):
        slopes = []
        for colour in range(3):
            ends = []
            for sign in (1, -1):
                moved = images.clone()
                moved[0, colour, row, col] += sign * step
                ends.append(scores_of(model, moved, targets).item())
            slopes.append((ends[0] - ends[1]) / (2 * step))
        assert found.map[0, row, col].item() == pytest.approx(max(map(abs, slopes)), rel=2e-2, abs=2e-6)
    assert found.map.max() > 0


@pytest.mark.parametrize("kind", [Inplace, Functional, Reused, Tokens, Tuples])
def test_saliency_is_the_plain_gradient_of_any_network(kind: type[nn.Module]) -> None:
    model, images = load(seeded(kind), size=32), noise(2, 32)
    leaf = images.clone().requires_grad_()
    output = model.network(model.preprocess(leaf))
    logits = output["logits"] if isinstance(output, dict) else output
    (expected,) = torch.autograd.grad(logits[:, 2].sum(), leaf)
    found = saliency(model, images, "class:2")
    torch.testing.assert_close(found.values, expected)
    torch.testing.assert_close(found.map, expected.abs().max(1).values)
    torch.testing.assert_close(gradient_input(model, images, "class:2").map, (expected * images).sum(1))


def test_gradient_times_input_is_exact_where_the_score_is_linear_and_black_gives_nothing() -> None:
    model = load(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(144, 5, bias=False)), size=8, mean=(0, 0, 0))
    found = gradient_input(model, noise(3, 8), "class:2")
    torch.testing.assert_close(found.map.sum((1, 2)), found.scores)


def test_the_map_changes_when_the_class_changes() -> None:
    images = scenes("house", "fish", "streetcar")
    own = saliency(network(), images, [f"class:{name}" for name in ("house", "fish", "streetcar")]).map.flatten(1)
    for other in ("lake", "bicycle"):
        theirs = saliency(network(), images, f"class:{other}").map.flatten(1)
        assert torch.cosine_similarity(own, theirs).max() < 0.95


@pytest.mark.parametrize("method", [saliency, guided_backpropagation, deconvnet])
def test_a_neuron_sees_its_receptive_field_alone(method) -> None:  # type: ignore[no-untyped-def]
    found = method(network(), scenes("house", "fish"), "mixed3a:3@10,12")
    field = network().layer("mixed3a").receptive_field
    assert field is not None
    top, left, bottom, right = field.box(10, 12)
    inside = found.map[:, top:bottom, left:right]
    assert inside.sum() > 0
    torch.testing.assert_close(inside.sum(), found.map.sum())


def test_low_layers_project_to_edges_and_higher_ones_to_larger_parts() -> None:
    """How many pixels a projection covers grows with the layer, and that of a first filter is the filter itself."""
    model, image = network(), scenes("streetcar")
    first = deconvnet(model, image, "conv1.conv:5@20,20").values[0, :, 38:43, 38:43]
    weight = model.network.get_submodule("conv1.conv").weight[5].detach()
    assert torch.cosine_similarity(first.flatten(), (weight / torch.tensor(model.std)[:, None, None]).flatten(), dim=0) > 0.99

    def reach(layer: str) -> float:
        last = model.layer(layer)
        units = [f"{layer}:{c}@{last.height // 2},{last.width // 2}" for c in range(6)]
        maps: Tensor = deconvnet(model, image.expand(6, -1, -1, -1), units).map
        return float((maps > 0.1 * maps.amax((1, 2), keepdim=True)).float().mean())

    assert reach("conv1") < reach("conv2") < reach("mixed3b") < reach("mixed4b")


def test_a_deconvnet_without_max_pools_is_the_same_for_every_picture() -> None:
    images = scenes("house", "fish")
    one, other = deconvnet(network(), images, "class:house").map
    torch.testing.assert_close(one, other)
    assert one.max() > 0
    one, other = deconvnet(small(), noise(2), "conv2:4@2,2").map
    assert one.max() > 0 and not torch.allclose(one, other)


def test_saliency_points_better_than_the_centre() -> None:
    """Among four things on a picture, at the one that is asked for, more often than chance or the middle of the picture."""
    posed = four_things(24)
    hits = pointing_game(saliency(network(), posed.images, posed.targets).map, posed.masks).float().mean()
    assert posed.masks[:, 96, 96].float().mean() == 0
    assert hits > 2 * posed.masks.float().mean()
