"""From noise to a picture: how it grows, and what it shows for each kind of objective."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean as mean

import torch

from pellucid.figures.measures import concentration, field_mask
from pellucid.figures.page import Figure, Table, cell
from pellucid.figures.studio import Studio
from pellucid.vis.objectives import Objective, channel, layer, log_probability, logit, neuron, probability, sigmoid, tanh

SQUASHED: dict[str, Callable[[int], Objective]] = {
    "logit": logit,
    "probability": probability,
    "log probability": log_probability,
    "sigmoid of the logit": lambda index: sigmoid(logit(index)),
    "tanh of the logit": lambda index: tanh(logit(index)),
}


def progress(studio: Studio) -> Figure:
    """Some units and classes after few and many steps."""
    moments = sorted({0, 4, 16, studio.steps // 2, studio.steps})
    classes = studio.classes(2)
    units = studio.units(studio.layers[1], 3) + [logit(index) for index in classes]
    names = [unit.name for unit in units[:-2]] + [studio.model.classes[index] for index in classes]
    made = studio.render(units, snapshots=moments)
    quarters = torch.stack([torch.tensor(each.history[: studio.steps // 4 * 4]).view(4, -1).mean(1) for each in made])
    rises = float((quarters.diff(dim=1) > 0).float().mean())
    middle = [studio.scores(unit, each.snapshots[studio.steps // 2][None]) for unit, each in zip(units, made, strict=True)]
    half = [float(score) / each.score if each.score else 0.0 for score, each in zip(middle, made, strict=True)]
    way = mean(half)
    return Figure(
        key="progress",
        title="A picture grows",
        claim="Starting from noise, gradient ascent makes a picture that excites a unit ever more.",
        measured=f"the mean of each quarter of the steps is above that of the quarter before in {rises:.0%} of the cases; "
        f"after half of {studio.steps} steps a picture has {way:.0%} of its final value.",
        holds=rises > 0.9,
        numbers={"rising quarters": rises, "half way": way},
        tables=[
            Table(
                [f"step {moment}" for moment in moments],
                [(name, [cell(each.snapshots[moment]) for moment in moments]) for name, each in zip(names, made, strict=True)],
            )
        ],
        source="Olah et al. 2017, Feature Visualization by Optimization",
    )


def objectives(studio: Studio) -> Figure:
    """Neuron, channel, layer and logit side by side."""
    name, classes = studio.layers[1], studio.classes(4)
    channels = studio.channels(name, 4)
    rows: dict[str, list[Objective]] = {
        "neuron": [neuron(name, index) for index in channels],
        "channel": [channel(name, index) for index in channels],
        "layer": [layer(name)],
        "class logit": [logit(index) for index in classes],
    }
    made = iter(studio.render([each for row in rows.values() for each in row]))
    pictures = {kind: [next(made) for _ in row] for kind, row in rows.items()}
    captions = {kind: [each.name for each in row] for kind, row in rows.items()}
    captions["class logit"] = [studio.model.classes[index] for index in classes]
    area = field_mask(studio.model, name)
    share = 1.0 if area is None else float(area.float().mean())
    inside = 1.0 if area is None else mean([concentration(each.image, area) for each in pictures["neuron"]])
    said = (
        f"{inside:.0%} of the variance of the neurons' pictures lies in the receptive field of the middle position, "
        f"which is {share:.0%} of the area."
    )
    return Figure(
        key="objectives",
        title="What is maximised",
        claim="A neuron shows its pattern once, within its receptive field; a channel shows it everywhere; a layer dreams.",
        measured=said if share < 1 else "the layer sees the whole picture, so that a neuron's picture has no outside.",
        holds=inside > share if share < 1 else None,
        numbers={"inside": inside, "area": share},
        tables=[
            Table(
                [""] * max(len(row) for row in rows.values()),
                [
                    (kind, [cell(each.image, text) for each, text in zip(pictures[kind], captions[kind], strict=True)])
                    for kind in rows
                ],
            )
        ],
        source="Olah et al. 2017, Optimization Objectives",
    )


def squashing(studio: Studio) -> Figure:
    """Logits against probabilities, and what tells two explanations apart: rivals in the objective, or squashing."""
    classes, rows = studio.classes(4), []
    reached: dict[str, float] = {}
    kept: dict[str, float] = {}
    for name, make in SQUASHED.items():
        made = studio.render([make(index) for index in classes])
        logits = [float(studio.scores(logit(index), each.image[None])) for index, each in zip(classes, made, strict=True)]
        chances = [float(studio.scores(probability(index), each.image[None])) for index, each in zip(classes, made, strict=True)]
        reached[name] = mean(logits)
        kept[name] = mean([studio.kept(logit(index), each.image) for index, each in zip(classes, made, strict=True)])
        texts = [f"logit {value:.3g}, p = {chance:.3f}" for value, chance in zip(logits, chances, strict=True)]
        rows.append((name, [cell(each.image, text) for each, text in zip(made, texts, strict=True)]))
    return Figure(
        key="squashing",
        title="Logits or probabilities",
        claim="Class pictures are better from logits than from probabilities, which also rise by silencing the other classes.",
        measured=f"mean logit {reached['logit']:.3g} from logits, {reached['probability']:.3g} from probabilities, "
        f"{reached['log probability']:.3g} from log probabilities (rivals, no squashing), "
        f"{reached['sigmoid of the logit']:.3g} from their sigmoid and {reached['tanh of the logit']:.3g} from their tanh "
        f"(squashing, no rivals); held-out changes leave {kept['logit']:.0%} of the logits' pictures and "
        f"{kept['probability']:.0%} of the probabilities'.",
        holds=reached["logit"] > reached["probability"],
        numbers={f"logit from {name}": value for name, value in reached.items()}
        | {f"kept from {name}": value for name, value in kept.items()},
        tables=[Table([studio.model.classes[index] for index in classes], rows)],
        source="Olah et al. 2017, Optimization Objectives, footnote",
    )
