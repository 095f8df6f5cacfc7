"""What strides do to gradients, and the remedies of sampling: low-pass filters, finer sampling, a moving camera."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.figures.measures import fine_share, lattice_share
from pellucid.figures.page import Figure, Table, cell, signed
from pellucid.figures.sliders import UNITS, made, numbers, row, table
from pellucid.figures.studio import NAIVE, Studio
from pellucid.models.layer_gradients import layer_gradients
from pellucid.models.model import Model
from pellucid.models.pooling import relaxed_pooling
from pellucid.vis.filters import gaussian_blur
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import Objective
from pellucid.vis.transforms import robust

LARGEST = 4  # of the strides that are taken finer: those of patches would cost hundreds of times as much
PLAIN, RELAXED, FINER = "as it is", "relaxed max pools", "strides of 1, then means"


def finer(model: Model) -> Model:
    """A copy of a network whose convolutions and pools step by 1 and leave out nothing: means over their strides follow.

    Every map keeps its name and its size. What is written as a function and not as a module, and strides beyond 4, stay.
    (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again", with a box for a filter.)

    >>> from pellucid.models import load
    >>> even = finer(load(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2)), size=9))
    >>> even.network[0][0].stride, even.layer("0").height
    ((1, 1), 4)
    """
    network = copy.deepcopy(model.network)
    places = [(parent, name, child) for parent in network.modules() for name, child in parent.named_children()]
    replaced = {id(child): _finer(child) for _, _, child in places if _stepping(child)}
    for parent, name, child in places:
        if id(child) in replaced:
            setattr(parent, name, replaced[id(child)])
    known = {name: getattr(model, name) for name in ("name", "spec", "channels", "size", "mean", "std")}
    return Model(network, **known, classes=model.classes)


def checkerboards(studio: Studio) -> Figure:
    """The gradient of a deep unit at the picture and at the layers on the way, as it is and with two remedies."""
    model, target = studio.model, studio.units(studio.layers[2], 4)[0]
    first = next(iter(model.layers))
    names = list(dict.fromkeys([first, *studio.layers[:2]]))
    found = remedied(model, studio.photos[:8], target, names)
    deepest = min(model.layer(name).height for name in target.layers)
    periods = {name: round(each.shape[2] / deepest) for name, each in found[PLAIN].items()}
    periods = {name: period for name, period in periods.items() if period >= 2}
    peaks = {
        kind: {name: float(lattice_share(fields[name], period).mean()) for name, period in periods.items()}
        for kind, fields in found.items()
    }
    said = [f"{kind} " + ", ".join(f"{value:.3g} at {name}" for name, value in each.items()) for kind, each in peaks.items()]
    strongest = max(periods, key=peaks[PLAIN].__getitem__, default=None)
    rows = [
        (kind, [cell(signed(each[0].mean(0, keepdim=True)), _fold(peaks[kind], name)) for name, each in fields.items()])
        for kind, fields in found.items()
    ]
    return Figure(
        key="checkerboards",
        title="Checkerboards in the gradient",
        claim="Every strided convolution or pool adds a pattern of its period to the gradient on its way back; "
        "without the strides it goes.",
        measured=f"power at the multiples of the stride against that beside them: {'; '.join(said)}."
        if periods
        else "there is no stride between the picture and the unit, and 0 peaks to count.",
        holds=None
        if strongest is None
        else peaks[PLAIN][strongest] > 2 and all(each[strongest] < peaks[PLAIN][strongest] for each in list(peaks.values())[1:]),
        numbers={f"peaks at {name}, {kind}": value for kind, each in peaks.items() for name, value in each.items()}
        | {f"fine at the picture, {kind}": float(fine_share(fields["picture"]).mean()) for kind, fields in found.items()},
        tables=[Table(list(found[PLAIN]), rows, f"gradient of {target.name}")],
        source="Olah et al. 2017, The Enemy of Feature Visualization; Odena et al. 2016; Olah et al. 2018; Zhang 2019",
    )


def remedied(
    model: Model, images: Float[Tensor, "n c h w"], target: Objective, layers: Sequence[str]
) -> dict[str, dict[str, Float[Tensor, "n _ _ _"]]]:
    """The gradients of a unit at pictures and layers: as it is, with max pools relaxed where there are any, with finer strides."""

    def gradients(model: Model) -> dict[str, Tensor]:
        pixels, found = layer_gradients(model, images, target, reads=sorted(target.layers), layers=layers)
        return {"picture": pixels} | found

    plain = gradients(model)
    with relaxed_pooling():
        relaxed = gradients(model)
    pooled = not torch.equal(plain["picture"], relaxed["picture"])
    return {PLAIN: plain} | ({RELAXED: relaxed} if pooled else {}) | {FINER: gradients(finer(model))}


def remedies(studio: Studio) -> Figure:
    """All remedies for high frequencies on one scale."""
    units = studio.units(studio.layers[1], UNITS)
    plain, stack = NAIVE.parameterization, (robust(studio.model.size),)

    def blurred(images: Tensor, progress: float) -> Tensor:
        return gaussian_blur(images, 0.6)

    methods = {
        "none": NAIVE,
        "low-pass: picture blurred each step": Method(parameterization=plain, transforms=(), picture_filter=blurred),
        "low-pass: frequencies preconditioned": Method(parameterization=natural_fourier(studio.model), transforms=()),
        "moving camera: robustness": Method(parameterization=plain, transforms=stack),
        "moving camera and preconditioning": Method(),
    }
    rows = made(studio, units, methods)
    even = torch.stack([each.image for each in replace(studio, model=finer(studio.model)).render(units, method=NAIVE)])
    rows.insert(3, row(studio, units, f"finer sampling: {FINER}", even, rows[0]))
    fine = {each.name: each.fine for each in rows}
    return Figure(
        key="remedies",
        title="Remedies side by side",
        claim="As in sampling, aliasing has three remedies: low-pass filters, finer sampling, and moving the camera.",
        measured="finer than four pixels: " + "; ".join(f"{name} {value:.1%}" for name, value in fine.items()) + ".",
        holds=all(value < fine["none"] for name, value in fine.items() if name != "none"),
        numbers=numbers(rows),
        tables=[table(units, rows)],
        source="Olah et al. 2017, The Enemy of Feature Visualization; Zhang 2019",
    )


def _fold(peaks: Mapping[str, float], name: str) -> str:
    return f"{peaks[name]:.3g}-fold peaks" if name in peaks else ""


def _stride(module: nn.Module) -> tuple[int, int]:
    stride = getattr(module, "stride", 1)
    return (stride, stride) if isinstance(stride, int) else (stride[0], stride[1])


def _stepping(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)) and 1 < max(_stride(module)) <= LARGEST


def _finer(module: nn.Module) -> nn.Module:
    means = nn.AvgPool2d(_stride(module), ceil_mode=True)
    setattr(module, "stride", (1, 1))  # noqa: B010
    return nn.Sequential(module, means)
