"""One store out of the shares of a collection that several processes or machines made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pellucid.data import store
from pellucid.data.store import Store
from pellucid.errors import UsageError
from pellucid.files import writing


def merge(shares: Sequence[Path | str], folder: Path | str, *, progress: Callable[[int, int], None] | None = None) -> Store:
    """Put the shares of one collection together: the same files, byte for byte, as one process writes.

    Args:
        shares: folders of stores that `collect` made with `share=(1, n)` to `(n, n)` and otherwise the same settings, in any order.
        folder: where the whole store is to be; the shares stay.
        progress: called with (parts done, parts).

    Raises:
        UsageError: no shares; a folder without a store; shares of different collections; one that is missing, or there twice.
        PellucidError: a share is not finished; the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from torch import nn
        >>> import pellucid.models as models
        >>> from pellucid.data.collect import collect
        >>> from pellucid.data.stream import open_stream
        >>> model = models.load(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), size=32)
        >>> stream, folders = open_stream("terrarium:4", size=model.size), [tempfile.mkdtemp(), tempfile.mkdtemp()]
        >>> for number, each in enumerate(folders, start=1):
        ...     made = collect(model, stream, ["1"], each, part=1, attributions=False, share=(number, 2))
        >>> len(merge(folders, tempfile.mkdtemp()))
        4
    """
    opened = [Store.open(each) for each in shares]
    if not opened:
        raise UsageError("shares: none; give the folder of each")
    whole = [_without_share(each.settings) for each in opened]
    for each, settings in zip(opened[1:], whole[1:], strict=True):
        store.compare(each.folder, settings, whole[0])
    given = [number for each in opened for number in each.parts]
    wanted = store.parts_of(whole[0])
    if missing := sorted(set(wanted) - set(given)):
        shown = ", ".join(map(str, missing[:5])) + "…" * (len(missing) > 5)
        raise UsageError(f"shares: {len(missing)} of {len(wanted)} parts are in none of them (numbers {shown}); give every share")
    if len(given) > len(wanted):
        raise UsageError(f"shares: {len(given) - len(wanted)} parts are in more than one of them; give each share once")
    folder, about = Path(folder), store.read_about(opened[0].folder)
    assert about is not None
    store.prepare(folder, {**about, "settings": whole[0]})
    parts = [(each.folder, number) for each in opened for number in each.parts]
    for done, (source, number) in enumerate(parts, start=1):
        _copy(source, folder, number)
        if progress is not None:
            progress(done, len(parts))
    return Store.open(folder)


def _without_share(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "share"}


def _copy(source: Path, folder: Path, number: int) -> None:
    """A part's files; that which says that the part is whole comes last."""
    last = store.table_path(source, number)
    files = [path for path in source.rglob(f"{number:05d}.*") if path != last]
    for path in [*sorted(files), last]:
        with writing(folder / path.relative_to(source)) as temporary:
            shutil.copyfile(path, temporary)
