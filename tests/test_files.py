import errno
from pathlib import Path

import pytest

from pellucid.errors import PellucidError
from pellucid.files import writing


def test_a_block_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="stop"), writing(target) as path:
        path.write_text("half")
        raise ValueError("stop")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "no space left"), (errno.EACCES, "no permission"), (errno.EROFS, "no permission"), (errno.EIO, "cannot write")],
)
def test_what_the_disk_refuses_is_one_line_that_names_the_file(tmp_path: Path, number: int, said: str) -> None:
    with pytest.raises(PellucidError, match=said) as caught, writing(tmp_path / "a.txt"):
        raise OSError(number, "as the system says")
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_real_full_disk_is_reported(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is not on this system")
    with pytest.raises(PellucidError, match="no space left"), writing(tmp_path / "a.txt"), Path("/dev/full").open("w") as full:
        full.write("x" * 100_000)


def test_a_file_where_a_folder_is_wanted_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("precious")
    with (
        pytest.raises(PellucidError, match="a file stands where a folder is wanted"),
        writing(tmp_path / "photo.png" / "a.txt") as path,
    ):
        path.write_text("new")
    assert (tmp_path / "photo.png").read_text() == "precious"
