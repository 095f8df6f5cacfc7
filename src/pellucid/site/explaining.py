"""From photos to a site that explains what a network said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.explain.explain import explain
from pellucid.explain.icons import Icons
from pellucid.explain.methods import method_maps
from pellucid.explain.pictures import Progress
from pellucid.models import Model
from pellucid.schema import ExplainCard
from pellucid.site.explanation import ExplanationExport, Pages, Photo
from pellucid.site.export import site_card
from pellucid.site.files import Folder, Shelf, copy_viewer, write_data

MAPPED = 2  # classes that every method has a map of


@dataclass(frozen=True)
class Settings:
    """What is explained of each photo, see `explain` and `method_maps`.

    Attributes:
        layers: None for three.
        classes: indices; None for the likeliest.
        methods: None for the usual ones.
        groups: of neurons, in each layer.
        check: whether it is measured what the methods are worth.
        seed: of everything that is drawn.
    """

    layers: tuple[str, ...] | None = None
    classes: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None
    groups: int = 6
    check: bool = False
    seed: int = 0


def explain_photos(
    folder: Path, model: Model, photos: Sequence[Photo], settings: Settings, *, icons: Icons, progress: Progress
) -> list[ExplainCard]:
    """Write a site of explained photos; its `index.html` comes last, so that a site that opens is whole.

    Args:
        folder: of the site; its files are written over.
        model: that is asked; left as it was.
        photos: one or more.
        settings: of all of them.
        icons: makes the pictures.
        progress: called with (stage, done, total).

    Raises:
        PellucidError: see `explain` and `method_maps`; the disk is full.
    """
    cards, site = [], Folder(folder)
    for number, photo in enumerate(photos):
        progress("photos", number, len(photos))
        cards.append(explain_photo(site, f"{number}", model, photo, settings, icons=icons, progress=progress))
    progress("photos", len(photos), len(photos))
    write_data(site, "site", site_card(model, explained=cards))
    copy_viewer(site)
    return cards


def explain_photo(
    site: Shelf,
    id: str,
    model: Model,
    photo: Photo,
    settings: Settings,
    *,
    icons: Icons,
    progress: Progress,
    pages: Mapping[str, Pages] | None = None,
) -> ExplainCard:
    """Explain one photo, and write what was found into a site.

    Args:
        site: where its files are put.
        id: of the photo, unique in the site.
        model: that is asked; left as it was.
        photo: what it is asked about.
        settings: of the explanation.
        icons: makes the pictures.
        progress: called with (stage, done, total).
        pages: of layers that the site has, by name.
    """
    found = explain(
        model,
        photo.image,
        layers=settings.layers,
        classes=settings.classes,
        groups=settings.groups,
        units=0,  # the export knows better which
        icons=icons,
        seed=settings.seed,
        progress=progress,
    )
    maps = method_maps(
        model,
        photo.image,
        found.classes[:MAPPED],
        settings.methods,
        check=settings.check,
        seed=settings.seed,
        progress=progress,
    )
    return ExplanationExport(site, id, model, photo, found, maps, icons, {} if pages is None else pages, progress).write()
