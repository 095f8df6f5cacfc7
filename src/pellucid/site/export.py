"""Findings of a run become the files that the viewer reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from pellucid import schema
from pellucid.data.store import Store
from pellucid.data.stream import Stream
from pellucid.models import Model
from pellucid.schema import Sprites
from pellucid.site.files import Folder, copy_viewer, write_data
from pellucid.site.findings import Findings
from pellucid.site.layer import LayerExport
from pellucid.site.wall import Wall, write_wall


def export(
    folder: Path,
    model: Model,
    stream: Stream,
    store: Store,
    findings: Sequence[Findings],
    wall: Wall | None,
    explained: Sequence[schema.ExplainCard] = (),
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the site of a run; its `index.html` comes last, so that a site that opens is whole.

    Args:
        folder: the site's folder; its files are written over.
        model: whose findings they are.
        stream: the pictures, for crops.
        store: where the samples of the atlas came from.
        findings: one a layer, in the order of the home page.
        wall: the pictures by likeness; None where there is one only.
        explained: pictures whose pages are in the folder already.
        progress: called with (layers done, layers).

    Returns:
        The path of `index.html`.
    """
    site, cards, shown = Folder(folder), [], set() if wall is None else {each.image for each in wall.pictures}
    for index, each in enumerate(findings):
        cards.append(LayerExport(site, f"{index}", stream, store, each, shown).write())
        if progress is not None:
            progress(index + 1, len(findings))
    thumbs = None if wall is None else write_wall(site, wall)
    write_data(site, "site", site_card(model, dataset=_dataset(stream, store), layers=cards, wall=thumbs, explained=explained))
    copy_viewer(site)
    return folder / "index.html"


def site_card(
    model: Model,
    *,
    dataset: schema.DatasetCard | None = None,
    layers: Sequence[schema.LayerCard] = (),
    wall: Sprites | None = None,
    explained: Sequence[schema.ExplainCard] = (),
) -> schema.Site:
    """What every page of a site knows."""
    return schema.Site(
        schema=schema.VERSION,
        made_by=f"pellucid {version('pellucid')}",
        title=model.name,
        model=schema.ModelCard(
            spec=model.spec,
            name=model.name,
            channels=model.channels,
            height=model.size[0],
            width=model.size[1],
            parameters=sum(each.numel() for each in model.network.parameters()),
            fingerprint=model.fingerprint(),
        ),
        dataset=dataset,
        classes=list(model.classes),
        layers=list(layers),
        wall=wall,
        explained=list(explained),
    )


def _dataset(stream: Stream, store: Store) -> schema.DatasetCard:
    skipped = store.skipped
    return schema.DatasetCard(
        source=stream.source,
        pictures=len(stream) - len(skipped),
        skipped=[schema.Skipped(name, reason) for name, reason in skipped[:100]],
        skipped_count=len(skipped),
        labelled=any(each.label is not None for each in stream.samples),
    )
