"""What goes wrong without regularisation, and what preconditioning does about it."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean as mean

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.figures.measures import fine_share, lattice_share
from pellucid.figures.page import Figure, Table, cell, signed
from pellucid.figures.studio import NAIVE, Studio
from pellucid.models.capture import capture, prepared
from pellucid.vis.methods import Method, natural_fourier
from pellucid.vis.objectives import logit, probability
from pellucid.vis.params.colour import mixing
from pellucid.vis.params.spectrum import amplitudes, copies

RATES = (0.01, 0.05, 0.25)
SAID = ("with neither", "decorrelated", "robust", "with both")


def failure(studio: Studio) -> Figure:
    """Plain pixels without transforms, at several learning rates: noise that convinces the network."""
    units, classes = studio.units(studio.layers[2], 4), studio.classes(4)
    good = studio.render(units)
    regular = float(fine_share(torch.stack([each.image for each in good])).mean())
    rows, fine = [], {}
    for rate in RATES:
        made = studio.render(
            units, method=Method(parameterization=NAIVE.parameterization, transforms=(), learning_rate=(rate, rate))
        )
        images = torch.stack([each.image for each in made])
        fine[rate] = float(fine_share(images).mean())
        rows.append(
            (f"pixels, rate {rate:g}", [cell(image, f"score {each.score:.3g}") for image, each in zip(images, made, strict=True)])
        )
    rows.append(("regularised", [cell(each.image, f"score {each.score:.3g}") for each in good]))
    fooled = studio.render([logit(index) for index in classes], method=NAIVE)
    chances = [float(studio.scores(probability(index), each.image[None])) for index, each in zip(classes, fooled, strict=True)]
    kept = [studio.kept(logit(index), each.image) for index, each in zip(classes, fooled, strict=True)]
    texts = [f"p = {chance:.3f}" for chance in chances]
    naive, chance, left = max(fine.values()), mean(chances), mean(kept)
    return Figure(
        key="naive",
        title="Without regularisation",
        claim="Plain gradient ascent makes noise full of high frequencies that excites the network and shows nothing.",
        measured=f"{min(fine.values()):.0%} to {naive:.0%} of the variance is finer than four pixels, "
        f"{regular:.0%} with the standard method; such noise has the target's probability at {chance:.2f}, "
        f"and held-out changes leave {left:.0%} of its logit.",
        holds=min(fine.values()) > regular,
        numbers={f"fine at rate {rate:g}": value for rate, value in fine.items()}
        | {"fine regularised": regular, "probability": chance, "kept": left},
        tables=[
            Table([unit.name for unit in units], rows),
            Table(
                [studio.model.classes[index] for index in classes],
                [("class, pixels", [cell(each.image, text) for each, text in zip(fooled, texts, strict=True)])],
            ),
        ],
        source="Olah et al. 2017, The Enemy of Feature Visualization",
    )


def descent(studio: Studio) -> Figure:
    """The direction of steepest ascent at real pictures, in three geometries."""
    model, target = studio.model, studio.units(studio.layers[2], 4)[0]
    places = [index * len(studio.photos) // 4 + index for index in range(4)]  # of different classes where these take turns
    images = studio.photos[places].clone().requires_grad_()
    with prepared(model), torch.enable_grad():
        (gradient,) = torch.autograd.grad(target(capture(model, images, sorted(target.layers))).sum(), images)
    spaces = {
        "L∞": gradient.sign(),
        "L2": gradient,
        "decorrelated": decorrelated(images.detach(), gradient, natural_fourier(model).decay),
    }
    fine = {name: float(fine_share(each).mean()) for name, each in spaces.items()}
    photos = float(fine_share(images.detach()).mean())
    rows = [("picture", [cell(each) for each in images.detach()])]
    rows += [(name, [cell(signed(each)) for each in directions]) for name, directions in spaces.items()]
    return Figure(
        key="descent",
        title="Steepest ascent in three spaces",
        claim="Preconditioning changes which way is steepest, not where the optima are; decorrelated, it looks like a picture.",
        measured=f"finer than four pixels is {fine['L∞']:.0%} of the step in L∞, {fine['L2']:.0%} in L2 and "
        f"{fine['decorrelated']:.0%} in decorrelated space; of the real pictures themselves {photos:.0%}.",
        holds=fine["decorrelated"] < min(fine["L2"], fine["L∞"]),
        numbers={f"fine in {name}": value for name, value in fine.items()} | {"fine in pictures": photos},
        tables=[Table([f"picture {index + 1}" for index in range(len(images))], rows)],
        source="Olah et al. 2017, Preconditioning and Parameterization",
    )


def decorrelated(images: Float[Tensor, "n c h w"], gradient: Float[Tensor, "n c h w"], decay: float) -> Float[Tensor, "n c h w"]:
    """What a small step along the gradient with respect to decorrelated Fourier coefficients does to the pictures.

    With a picture x = s(M F z) of coefficients z, the gradient with respect to z moves x along J Jᵀ g, J being the derivative
    of x by z: the colour matrix and its transpose, the spectrum scaled twice, and the slope of the squashing twice.

    >>> flat = torch.full((1, 3, 8, 8), 0.5)
    >>> decorrelated(flat, torch.ones(1, 3, 8, 8), 1.0).std((2, 3)).max() < 1e-4
    tensor(True)
    """
    mix = mixing("natural", images.shape[1], images.device)
    mix = torch.eye(images.shape[1]) if mix is None else mix
    slope = images * (1 - images)
    inner = torch.einsum("oc,nohw->nchw", mix, slope * gradient)
    height, width = images.shape[2:]
    scale = (amplitudes(height, width, decay).square() * copies(width)).to(images)
    moved = torch.fft.irfft2(torch.fft.rfft2(inner) * scale, s=(height, width))
    return slope * torch.einsum("oc,nchw->nohw", mix, moved)


def preconditioning(studio: Studio) -> Figure:
    """Decorrelation and robustness, each alone and both, at several learning rates."""
    units = studio.units(studio.layers[1], 3)
    corners = {
        "neither": NAIVE,
        "decorrelated": Method(transforms=()),
        "robust": Method(parameterization=NAIVE.parameterization),
        "both": Method(),
    }
    first = next(iter(studio.model.layers.values()))
    period = min(max(2, round(studio.model.size[0] / first.height)), 16)  # of the first stride, which the picture itself shows
    rows, fine, kept, scores, peaks = [], {}, {}, {}, {}
    for name, method in corners.items():
        for rate in RATES:
            made = studio.render(units, method=replace(method, learning_rate=(rate, rate)))
            images = torch.stack([each.image for each in made])
            fine[name, rate] = float(fine_share(images).mean())
            peaks[name, rate] = float(lattice_share(images, period).mean())
            kept[name, rate] = mean([studio.kept(unit, image) for unit, image in zip(units, images, strict=True)])
            scores[name, rate] = mean([each.score for each in made])
            rows.append((f"{name}, rate {rate:g}", [cell(image) for image in images]))
    average = {name: mean([fine[name, rate] for rate in RATES]) for name in corners}
    fold = {name: mean([peaks[name, rate] for rate in RATES]) for name in corners}
    best = {name: max(scores[name, rate] for rate in RATES) for name in corners}
    return Figure(
        key="preconditioning",
        title="Preconditioning and robustness",
        claim="Decorrelation gets further in as many steps and lowers high frequencies by itself; robustness helps more.",
        measured=f"best score without transforms {best['neither']:.3g} in pixels and {best['decorrelated']:.3g} decorrelated; "
        f"finer than four pixels: {average['neither']:.0%} with neither, {average['decorrelated']:.0%} decorrelated, "
        f"{average['robust']:.0%} robust, {average['both']:.0%} with both; peaks of the first stride: "
        + ", ".join(f"{fold[name]:.3g}-fold {said}" for name, said in zip(corners, SAID, strict=True))
        + ".",
        holds=best["decorrelated"] > best["neither"] and average["robust"] < average["decorrelated"] < average["neither"],
        numbers={f"fine, {name}, rate {rate:g}": value for (name, rate), value in fine.items()}
        | {f"kept, {name}, rate {rate:g}": value for (name, rate), value in kept.items()}
        | {f"score, {name}, rate {rate:g}": value for (name, rate), value in scores.items()}
        | {f"peaks, {name}, rate {rate:g}": value for (name, rate), value in peaks.items()},
        tables=[Table([unit.name for unit in units], rows)],
        source="Olah et al. 2017, Preconditioning and Parameterization",
    )
