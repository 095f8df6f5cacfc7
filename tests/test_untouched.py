"""Every function that takes a network leaves it as it was, also when it raises in the middle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.untouched import untouched

from pellucid.analysis.attribution import METHODS, attribute, class_maps
from pellucid.analysis.attribution.trust import randomisation
from pellucid.analysis.examples import TopExamples
from pellucid.atlas.icons import render_icons
from pellucid.build import build_site, make_plan
from pellucid.data.collect import collect
from pellucid.data.stream import open_stream
from pellucid.errors import PellucidError
from pellucid.models import Model, capture, load, logit_attribution, prepared, redirected_relu
from pellucid.models.fast import fast
from pellucid.models.layer_gradients import layer_gradients
from pellucid.vis import render

Use = Callable[[Model, Path], object]


def images() -> torch.Tensor:
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def use_redirected(model: Model, folder: Path) -> None:
    with redirected_relu(), prepared(model):
        capture(model, images().requires_grad_(), ["mixed3a"])["mixed3a"].sum().backward()


def use_fast(model: Model, folder: Path) -> None:
    with fast(model, bfloat16=True) as network, network.perturbed(0.1, torch.Generator()):
        network(images().requires_grad_(), ["mixed3a"])["mixed3a"].sum().backward()


def use_build(model: Model, folder: Path) -> None:
    stream = open_stream("terrarium:24", size=model.size)
    build_site(
        model, stream, folder / "run", make_plan(model, stream, layers=["mixed4a"], units=1, steps=1, grids=[2], positions=2)
    )


def use_attribution(model: Model, folder: Path, *, method: str) -> None:
    attribute(model, images(), "class:lake", method=method, layer="mixed4b" if METHODS[method].at_layer else None)


USES: dict[str, Use] = {
    "layers": lambda model, folder: list(model.layers),
    "fingerprint": lambda model, folder: model.fingerprint(),
    "capture": lambda model, folder: capture(model, images(), ["conv1", "mixed3a", "logits"]),
    "redirected_relu": use_redirected,
    "logit_attribution": lambda model, folder: logit_attribution(model, images(), "mixed3a", torch.tensor([[1, 1], [2, 2]])),
    "layer_gradients": lambda model, folder: layer_gradients(
        model, images(), lambda maps: maps["mixed3a"].mean((1, 2, 3)), reads=["mixed3a"], layers=["conv1"]
    ),
    "fast": use_fast,
    "render": lambda model, folder: render(model, ["mixed3a:0", "class:lake"], steps=2, size=48),
    "collect": lambda model, folder: collect(
        model, open_stream("terrarium:4", size=model.size), ["mixed3a"], folder / "store", observers=[TopExamples(2)]
    ),
    "render_icons": lambda model, folder: render_icons(
        model, "mixed3a", np.ones((1, model.layer("mixed3a").channels), np.float32), steps=2, size=(48, 48)
    ),
    "build_site": use_build,
    "class_maps": lambda model, folder: class_maps(model, images(), layer="mixed4a"),
    "randomisation": lambda model, folder: randomisation(model, images(), "class:lake", method="cam", stages=2),
    **{name: partial(use_attribution, method=name) for name in METHODS if name != "rollout"},
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", USES)
def test_the_network_is_left_as_it_was(name: str, training: bool, tmp_path: Path) -> None:
    model = load("terrarium")
    model.network.train(training)
    next(model.network.parameters()).requires_grad_(training)
    with untouched(model.network):
        USES[name](model, tmp_path)


@pytest.mark.parametrize("name", [each for each in USES if each != "fingerprint"])
def test_also_when_the_network_raises(name: str, tmp_path: Path) -> None:
    model = load("terrarium")
    calls = iter(range(1000))
    survivable = {"render": 1, "render_icons": 1, "collect": 1, "build_site": 2}.get(name, 0)

    def fail(*arguments: object) -> None:
        if next(calls) >= survivable:
            raise RuntimeError("the network fails")

    if name != "layers":
        assert model.layers  # found before, so that the failure comes in the work itself
    handle = model.network.get_submodule("mixed3a").register_forward_pre_hook(fail)
    with untouched(model.network), pytest.raises((RuntimeError, PellucidError), match="the network fails"):
        USES[name](model, tmp_path)
    handle.remove()
