import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pellucid.errors import PellucidError, UsageError
from pellucid.run import in_parts, open_run, read_manifest

SETTINGS = {"steps": 4, "layers": ["a", "b"], "seed": 0}


def test_the_same_settings_go_on_and_keep_what_is_finished(tmp_path: Path) -> None:
    open_run(tmp_path / "run", settings=SETTINGS, about={"model": "x"}).finish("units")
    again = open_run(tmp_path / "run", settings=SETTINGS, about={"model": "elsewhere/x"})
    assert again.finished("units")
    assert not again.finished("site")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    open_run(tmp_path, settings=SETTINGS, about={})
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match=r"layers was .*; steps was 4, is now 8"):
        open_run(tmp_path, settings={**SETTINGS, "steps": 8, "layers": ["a"]}, about={})
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(UsageError, match=r"not empty .*thesis\.docx"):
        open_run(tmp_path, settings=SETTINGS, about={})
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize(("content", "said"), [("{", "damaged"), (json.dumps({"schema": 99}), "schema 99")])
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(PellucidError, match=said):
        read_manifest(tmp_path)


def test_a_file_where_the_folder_should_be_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(PellucidError, match="run"):
        open_run(tmp_path / "run", settings=SETTINGS, about={})


def test_parts_that_are_done_are_never_done_again(tmp_path: Path) -> None:
    seen: list[int] = []
    killed = iter([True])

    def work(items: Sequence[int], start: int) -> list[dict[str, int]]:
        if 7 in items and next(killed, False):
            raise KeyboardInterrupt
        seen.extend(items)
        return [{"square": item**2, "at": start + place} for place, item in enumerate(items)]

    with pytest.raises(KeyboardInterrupt):
        in_parts(tmp_path, list(range(8)), work, size=3)
    steps: list[tuple[int, int]] = []
    records = in_parts(tmp_path, list(range(8)), work, size=3, progress=lambda *each: steps.append(each))
    assert seen == list(range(8))
    assert records == [{"square": item**2, "at": item} for item in range(8)]
    assert steps == [(3, 8), (6, 8), (8, 8)]
