"""Errors that say what came, what was wanted and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PellucidError(Exception):
    """Something that a person can mend; the command line prints it as one line and leaves with status 1."""

    exit_code = 1


class UsageError(PellucidError):
    """The call itself was wrong: an unknown name, a value outside its range. Exit status 2."""

    exit_code = 2


class NotFoundError(UsageError):
    """A name that is not there; the message lists the nearest names that are."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        super().__init__(f"{what} {name!r} is not there{did_you_mean(name, known)}{hint and f'; {hint}'}")


class NoPicturesError(PellucidError):
    """None of the pictures of a collection could be read."""


class MissingExtraError(PellucidError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}: pip install 'pellucid[{extra}]'")


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """The nearest known names as a clause for an error message.

    >>> did_you_mean("mixed4", ["conv1", "mixed4a", "mixed4b"])
    ' (did you mean mixed4b, mixed4a?)'
    >>> did_you_mean("x", ["conv1", "head"])
    ' (there are conv1, head)'
    """
    names = list(dict.fromkeys(known))
    lowered: dict[str, str] = {}
    for each in names:
        lowered.setdefault(each.lower(), each)
    near = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=0.5)]
    near += [each for each in names if name and name.lower() in each.lower() and each not in near]
    if near:
        return f" (did you mean {', '.join(near[:count])}?)"
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f" (there are {shown})" if names else " (there are none)"
