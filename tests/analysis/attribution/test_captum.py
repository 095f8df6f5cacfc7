"""Against Captum, where it is right: networks of ReLU modules, none of which runs twice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.analysis.attribution.worlds import noise
from torch import Tensor, nn

from pellucid.analysis import attribution as ours
from pellucid.models import Model, load

captum = pytest.importorskip("captum.attr")
pytestmark = pytest.mark.filterwarnings("ignore")  # it warns of its own hooks


class Whole(nn.Module):
    """A network with its model's preprocessing."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model, self.network = model, model.network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.model.preprocess(x))


def pair() -> tuple[Model, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AvgPool2d(5), nn.Flatten()]
        model = load(nn.Sequential(*layers, nn.Linear(8, 6)), size=16)
    return model, Whole(model).eval()


IMAGES = noise(2).mul(3)


@pytest.mark.parametrize(
    ("name", "theirs", "settings"),
    [
        ("saliency", "Saliency", {"abs": False}),
        ("gradient_input", "InputXGradient", {}),
        ("guided_backpropagation", "GuidedBackprop", {}),
        ("deconvnet", "Deconvolution", {}),
        ("integrated_gradients", "IntegratedGradients", {"n_steps": 64, "method": "riemann_middle"}),
    ],
)
def test_values_at_the_picture(name: str, theirs: str, settings: dict[str, Any]) -> None:
    model, whole = pair()
    found = getattr(ours, name)(model, IMAGES, "class:4").values
    expected = getattr(captum, theirs)(whole).attribute(IMAGES.clone(), target=4, **settings)
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=1e-3)
    assert found.abs().max() > 0


@pytest.mark.parametrize("layer", ["0", "3", "4"])
def test_maps_of_a_layer(layer: str) -> None:
    model, whole = pair()
    module = model.network.get_submodule(layer)
    expected = captum.LayerGradCam(whole, module).attribute(IMAGES.clone(), target=4, relu_attributions=True)
    torch.testing.assert_close(ours.grad_cam(model, IMAGES, "class:4", layer=layer).map[:, None], expected)
    products = captum.LayerGradientXActivation(whole, module).attribute(IMAGES.clone(), target=4)
    torch.testing.assert_close(ours.activation_gradient(model, IMAGES, "class:4", layer=layer).values, products)


def test_occlusion() -> None:
    model, whole = pair()
    expected = captum.Occlusion(whole).attribute(
        IMAGES, target=4, sliding_window_shapes=(3, 4, 4), strides=(3, 4, 4), baselines=0.25
    )
    found = ours.occlusion(model, IMAGES, "class:4", window=4, stride=4, fill=0.25)
    torch.testing.assert_close(found.map, expected[:, 0], atol=1e-5, rtol=1e-3)
