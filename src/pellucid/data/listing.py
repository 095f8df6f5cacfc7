"""Which files a folder holds, and which label belongs to each."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pellucid.errors import NotFoundError, PellucidError, UsageError

Labels = tuple[list[int | None], tuple[str, ...]]  # one label a file, and the names that they index


def list_files(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by its relative posix path; links are followed, except back into a folder that holds them.

    Names that begin with a dot are left out, as a shell does.

    Raises:
        UsageError: the folder is not there, or holds no file.
        PellucidError: a folder cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder of pictures ({'a file' if folder.exists() else 'nothing'} is there)")
    files = sorted(_walk(folder, frozenset()), key=lambda path: path.relative_to(folder).as_posix())
    if not files:
        raise UsageError(f"the folder {str(folder)!r} holds no files")
    return files


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        return
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise PellucidError(f"the folder {str(folder)!r} cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, above | {real})
        else:
            yield entry


def folder_labels(names: Sequence[str], classes: Sequence[str]) -> Labels:
    """The first folder of each relative path as its label; files outside any folder have none.

    >>> folder_labels(["cat/1.png", "ant/x/2.png", "3.png"], [])
    ([1, 0, None], ('ant', 'cat'))
    """
    return _index([name.partition("/")[0] if "/" in name else None for name in names], classes)


def table_labels(names: Sequence[str], table: Path, classes: Sequence[str]) -> Labels:
    """The labels that a CSV file gives: columns `file` and `class_index` or `label`; files that it does not name have none.

    Raises:
        UsageError: no such table, a column missing, a file named that is not there or twice, a class index out of range.
    """
    rows, column = _read(table)
    labels = {row["file"]: row[column] for row in rows}
    if len(labels) < len(rows):
        twice = next(name for name, count in Counter(row["file"] for row in rows).items() if count > 1)
        raise UsageError(f"{str(table)!r} names {len(rows) - len(labels)} files twice, the first {twice!r}; keep one row a file")
    known = set(names)
    if unknown := [name for name in labels if name not in known]:
        shown = ", ".join(map(repr, unknown[:3])) + "…" * (len(unknown) > 3)
        raise UsageError(f"{len(unknown)} of the {len(labels)} files in {str(table)!r} are not in the folder: {shown}")
    found = [labels.get(name) for name in names]
    return _index(found, classes) if column == "label" else _numbers(found, classes, table)


def _read(table: Path) -> tuple[list[dict[str, str]], str]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"the table of labels {str(table)!r} cannot be read: {error}") from error
    if "file" not in columns:
        raise NotFoundError(f"in {str(table)!r} the column", "file", columns)
    column = next((name for name in ("class_index", "label") if name in columns), None)
    if column is None:
        raise NotFoundError(f"in {str(table)!r} the column", "class_index", columns, "or one named 'label'")
    return rows, column


def _index(labels: Sequence[str | None], classes: Sequence[str]) -> Labels:
    """Labels by their place among the network's classes where all of them are classes, else among themselves."""
    found = {label for label in labels if label is not None}
    names = tuple(classes) if found <= set(classes) else tuple(sorted(found))
    place = {name: index for index, name in reversed(list(enumerate(names)))}  # a name that occurs twice means its first
    return [None if label is None else place[label] for label in labels], names


def _numbers(labels: Sequence[str | None], classes: Sequence[str], table: Path) -> Labels:
    try:
        numbers = [None if label is None else int(label) for label in labels]
    except ValueError as error:
        raise UsageError(f"a class_index in {str(table)!r} is not a whole number: {str(error).rpartition(': ')[2]}") from error
    used = [number for number in numbers if number is not None]
    highest = len(classes) - 1 if classes else max(used, default=0)
    if wrong := [number for number in used if not 0 <= number <= highest]:
        raise UsageError(f"{len(wrong)} class indices in {str(table)!r} lie outside 0..{highest}: {wrong[0]} is the first")
    return numbers, tuple(classes) or tuple(map(str, range(highest + 1)))
