"""A site that explains two pictures, with pictures of noise in place of optimised ones, made in seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from pellucid.arrays import to_image
from pellucid.data.stream import open_stream
from pellucid.explain.explain import Explanation, explain
from pellucid.explain.grid import ActivationGrid
from pellucid.explain.icons import Icons
from pellucid.explain.methods import Maps, method_maps
from pellucid.explain.pictures import Pictures
from pellucid.models import Model, load
from pellucid.site.explanation import ExplanationExport, Pages, Photo
from pellucid.site.export import site_card
from pellucid.site.files import Folder, copy_viewer, write_data

LAYERS = ("mixed3b", "mixed4b")
METHODS = ("grad-cam", "saliency", "guided")
CLASSES = (3, 5, 2)
EVIL_NAME = "<b>photo</b> & more.jpg"


@cache
def explained(number: int) -> tuple[Model, Photo, Explanation, Maps, Icons]:
    """What is found of a picture of the terrarium."""
    model = load("terrarium")
    picture = open_stream("terrarium:4", size=model.size).picture(number)
    photo = Photo(EVIL_NAME if number == 0 else "plain.jpg", to_image(picture), picture)
    found = explain(model, photo.image, layers=LAYERS, classes=CLASSES, groups=4, pictures=False)
    maps = method_maps(model, photo.image, CLASSES[:2], METHODS, check=number == 0)
    noise = torch.rand(200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    icons = Icons(model, {(layer, channel): noise[channel] for layer in LAYERS for channel in range(model.layer(layer).channels)})
    return model, photo, replace(found, pictures=_pictures(found, noise)), maps, icons


def _pictures(found: Explanation, noise: torch.Tensor) -> Pictures:
    grids = {
        layer: ActivationGrid(layer, each.cells, each.lengths, (None, *noise[1 : each.lengths.numel()]))
        for layer, each in found.dictionaries.items()
    }
    return Pictures({}, {layer: list(noise[: len(each.directions)]) for layer, each in found.groups.items()}, grids)


def write_explained(folder: Path) -> None:
    """The site; of the second picture the pages of two units are known."""
    cards = []
    for number in range(2):
        model, photo, found, maps, icons = explained(number)
        pages = {"mixed4b": Pages("0", range(0, 192, 2))} if number else {}
        export = ExplanationExport(
            Folder(folder), f"{number}", model, photo, found, maps, icons, pages, lambda stage, done, total: None
        )
        cards.append(export.write())
    write_data(Folder(folder), "site", site_card(load("terrarium"), explained=cards))
    copy_viewer(Folder(folder))
