"""Several pictures of one unit, and one picture of several units."""

from __future__ import annotations

from statistics import fmean as mean

from pellucid.figures.page import Cell, Figure, Table, cell
from pellucid.figures.studio import Studio
from pellucid.vis.objectives import channel
from pellucid.vis.recipes.arithmetic import arithmetic
from pellucid.vis.recipes.facets import diverse, restarts
from pellucid.vis.recipes.interpolate import interpolation


def diversity(studio: Studio) -> Figure:
    """Several facets of a unit: plain restarts, pictures made to differ, and real ones."""
    name = studio.layers[1]
    rows, alike, loss = [], {"restarts": [], "diverse": []}, []
    for index in studio.channels(name, 3):
        unit, model, size = channel(name, index), studio.model, studio.model.size
        again = restarts(model, unit, size=size, steps=studio.steps, seed=studio.seed)
        apart = diverse(model, unit, size=size, steps=studio.steps, seed=studio.seed)
        best = studio.answers[name][:, index].topk(4).indices.tolist()
        for kind, made in (("restarts", again), ("diverse", apart)):
            texts = [f"{score:.3g}" for score in made.scores]
            pictures = [cell(each.image, text) for each, text in zip(made.renderings, texts, strict=True)]
            rows.append((f"{unit.name}, {kind}", pictures))
        rows.append((f"{unit.name}, examples", [cell(studio.photos[place]) for place in best]))
        alike["restarts"].append(again.likeness)
        alike["diverse"].append(apart.likeness)
        loss.append(apart.loss)
    plain, varied, lost = mean(alike["restarts"]), mean(alike["diverse"]), mean(loss)
    return Figure(
        key="diversity",
        title="Diversity",
        claim="One optimum shows one facet of a unit; pictures that are made to differ show more, restarts alone add little.",
        measured=f"mean cosine between Gram matrices: {plain:.2f} among restarts, {varied:.2f} among pictures made to differ, "
        f"which lose {lost:.0%} of what the single optimum gains.",
        holds=varied < plain,
        numbers={"alike, restarts": plain, "alike, diverse": varied, "loss": lost},
        tables=[Table(["", "", "", ""], rows)],
        source="Olah et al. 2017, Diversity",
    )


def sums(studio: Studio) -> Figure:
    """Neuron arithmetic: each of some units with each of others."""
    name = studio.layers[1]
    first, second = studio.units(name, 6)[:3], studio.units(name, 6)[3:]
    made = arithmetic(studio.model, first, second, size=studio.model.size, steps=studio.steps, seed=studio.seed)
    shares = [share for table in (made.row_shares, made.column_shares) for row in table for share in row]
    rows = [("alone", [Cell(None), *(cell(each.image) for each in made.columns)])]
    for place, (unit, alone) in enumerate(zip(first, made.rows, strict=True)):
        texts = [f"{a:.0%} and {b:.0%}" for a, b in zip(made.row_shares[place], made.column_shares[place], strict=True)]
        joint = [cell(each.image, text) for each, text in zip(made.joint[place], texts, strict=True)]
        rows.append((unit.name, [cell(alone.image), *joint]))
    return Figure(
        key="arithmetic",
        title="Neuron arithmetic",
        claim="Units add: a picture can be made for two at once, and shows how they combine.",
        measured=f"in a joint picture a unit gains {mean(shares):.0%} of what it gains alone, at the least {min(shares):.0%}.",
        holds=min(shares) > 0.25,
        numbers={"mean share": mean(shares), "least share": min(shares)},
        tables=[Table(["alone", *(unit.name for unit in second)], rows)],
        source="Olah et al. 2017, Interaction between Neurons",
    )


def between(studio: Studio) -> Figure:
    """Frames from one unit to another."""
    units = studio.units(studio.layers[1], 4)
    pairs = list(zip(units[:2], units[2:], strict=False))
    rows, violations, near, far, steps = [], 0, [], [], 0
    for first, last in pairs:
        made = interpolation(studio.model, first, last, size=studio.model.size, steps=studio.steps, seed=studio.seed)
        texts = [f"{a:.0%} and {b:.0%}" for a, b in zip(made.first, made.last, strict=True)]
        frames = [cell(each.image, text) for each, text in zip(made.renderings, texts, strict=True)]
        rows.append((f"{first.name} to {last.name}", frames))
        violations, steps = violations + made.violations, steps + 2 * (len(texts) - 1)
        near.append(made.neighbours)
        far.append(made.pairs)
    return Figure(
        key="interpolation",
        title="Between two units",
        claim="Pictures that share coarse structure lead smoothly from one unit to another.",
        measured=f"the two units' answers go the right way in {steps - violations} of {steps} steps; "
        f"neighbouring frames differ by {mean(near):.3f}, any two by {mean(far):.3f}.",
        holds=violations <= steps // 10 and mean(near) < mean(far),
        numbers={"violations": violations, "steps": steps, "neighbours": mean(near), "pairs": mean(far)},
        tables=[Table([f"frame {index + 1}" for index in range(len(rows[0][1]))], rows)],
        source="Olah et al. 2017, Interaction between Neurons",
    )
