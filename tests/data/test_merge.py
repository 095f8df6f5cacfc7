"""Shares of a collection beside the whole, and what cannot be put together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.data.test_collect import files, photos, run

from pellucid.data.merge import merge
from pellucid.data.stream import Stream
from pellucid.errors import UsageError


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stream, Path]:
    """Three parts of four pictures as two shares, and as a whole."""
    folder = tmp_path_factory.mktemp("shared")
    stream = photos(folder / "photos")
    run(stream, folder / "whole")
    for number in (1, 2):
        run(stream, folder / f"share{number}", share=(number, 2))
    return stream, folder


def test_merged_shares_are_the_whole_byte_for_byte(shared: tuple[Stream, Path], tmp_path: Path) -> None:
    _, folder = shared
    merged = merge([folder / "share2", folder / "share1"], tmp_path / "merged")
    assert files(tmp_path / "merged") == files(folder / "whole")
    assert [name for name, _ in merged.skipped] == ["02.png", "06.png", "07.png"]


def test_a_share_is_a_store_of_its_own_pictures(shared: tuple[Stream, Path]) -> None:
    stream, folder = shared
    second = run(stream, folder / "share2", share=(2, 2))
    assert list(second.parts) == [1] and sorted(set(second.samples()["image"].to_pylist())) == [4, 5]
    assert len(second.vectors("3")) == len(second) == 4 and len(second.extras("examples")) == 1


def test_what_cannot_be_merged(shared: tuple[Stream, Path], tmp_path: Path) -> None:
    stream, folder = shared
    first, second = folder / "share1", folder / "share2"
    with pytest.raises(UsageError, match="shares: 1 of 3 parts are in none of them"):
        merge([first], tmp_path / "out")
    with pytest.raises(UsageError, match="shares: 2 parts are in more than one"):
        merge([first, second, first], tmp_path / "out")
    with pytest.raises(UsageError, match="shares: none"):
        merge([], tmp_path / "out")
    run(stream, tmp_path / "other", share=(2, 2), seed=4)
    with pytest.raises(UsageError, match=r"other.* was made with other settings: seed was 4, is now 3"):
        merge([first, tmp_path / "other"], tmp_path / "out")
    with pytest.raises(UsageError, match="share=3/2: give i/n"):
        run(stream, tmp_path / "third", share=(3, 2))
    with pytest.raises(UsageError, match="share=5/9: 11 pictures have only 3 parts of 4"):
        run(stream, tmp_path / "fifth", share=(5, 9))
    with pytest.raises(UsageError, match="share was"):
        run(stream, shutil.copytree(first, tmp_path / "copy"), share=(2, 2))
    assert not (tmp_path / "out").exists()
