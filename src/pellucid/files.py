"""Files that are whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pellucid.errors import PellucidError, UsageError

TEMPORARY = ".part"  # the suffix of what is still being written; leftovers of a killed run are overwritten


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`: renamed to it when the block ends well, removed when it does not.

    Raises:
        PellucidError: the disk is full or the folder cannot be written.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a" / "b.txt"
    >>> with writing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):  # a file may stand where a folder is wanted
            temporary.unlink(missing_ok=True)


def check_photo(path: Path) -> None:
    """Refuse what is no file to read a picture from.

    Raises:
        UsageError: nothing is there, or a folder.
    """
    if path.is_dir():
        raise UsageError(f"{path}: a folder; give the paths of pictures, such as {path / '*.jpg'}")
    if not path.exists():
        raise UsageError(f"{path}: no such file; give the path of a picture")


def unwritable(path: Path, error: OSError) -> PellucidError:
    """The one line that a person needs when a file cannot be written."""
    if error.errno == errno.ENOSPC:
        return PellucidError(f"no space left on the disk while writing {path}; free some and run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PellucidError(f"no permission to write {path}; choose another output folder")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return PellucidError(f"cannot write {path}: a file stands where a folder is wanted; choose another output folder")
    return PellucidError(f"cannot write {path}: {error.strerror or error}")
