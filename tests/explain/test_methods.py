"""The attributions of one picture by name: each is what the method itself says, and what does not fit is told."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.analysis.attribution import cam, saliency
from pellucid.analysis.attribution.trust import deletion, insertion, randomisation
from pellucid.errors import NotFoundError, UsageError
from pellucid.explain.methods import USUAL, method_maps
from pellucid.models import load
from pellucid.vis.objectives import logit, probability

IMAGE = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(1))


def test_maps_and_checks_are_those_of_each_method_alone() -> None:
    model = load("terrarium")
    found = method_maps(model, IMAGE, [3, 5], ["saliency", "cam", "saliency"], check=True, seed=4)
    assert [each.name for each in found.methods] == ["saliency", "cam"]
    for made, method in zip(found.methods, (saliency, cam), strict=True):
        alone = torch.cat([method(model, IMAGE[None], logit(index)).map for index in (3, 5)])
        assert torch.allclose(made.attribution.map, alone, atol=1e-6)
        assert made.checks is not None
        area = insertion(model, IMAGE[None], probability(3), method(model, IMAGE[None], logit(3)).upsampled()).area
        assert torch.allclose(made.checks.insertion, area, atol=1e-5)
        halfway = randomisation(model, IMAGE[None], logit(3), method=made.name).halfway
        assert made.checks.randomisation.halfway == pytest.approx(halfway, abs=1e-5)
    random = torch.rand(1, 96, 96, generator=torch.Generator().manual_seed(4))
    areas = [float(curve(model, IMAGE[None], probability(3), random).area) for curve in (deletion, insertion)]
    assert found.blind == pytest.approx(areas, abs=1e-5)


def test_what_does_not_fit_is_left_out_by_default_and_refused_by_name() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    model = load(network, size=(16, 16))
    image = IMAGE[:, :16, :16]
    found = method_maps(model, image, [1])
    assert [name for name, _ in found.unfit] == ["cam"] and found.blind is None
    assert [each.name for each in found.methods] == [name for name in USUAL if name != "cam"]
    with pytest.raises(UsageError):
        method_maps(model, image, [1], ["cam"])
    with pytest.raises(NotFoundError, match="'gradcam' is not there"):
        method_maps(model, image, [1], ["cam", "gradcam"])
