from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pellucid.data.stream import Sample, Stream, open_stream
from pellucid.errors import NotFoundError, PellucidError, UsageError


def write(path: Path, grey: int = 128) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), (grey, grey, grey)).save(path)


def folder(tmp_path: Path) -> Path:
    for index, name in enumerate(["b/2.png", "a/x/1.png", "a.png", "b/10.png", "B/1.png"]):
        write(tmp_path / "photos" / name, 40 * index)
    return tmp_path / "photos"


def test_a_folder_is_sorted_and_its_sub_folders_are_labels(tmp_path: Path) -> None:
    stream = open_stream(folder(tmp_path), size=(8, 8))
    assert [each.name for each in stream.samples] == ["B/1.png", "a.png", "a/x/1.png", "b/10.png", "b/2.png"]
    assert [each.index for each in stream.samples] == [0, 1, 2, 3, 4]
    assert stream.label_names == ("B", "a", "b")
    assert [each.label for each in stream.samples] == [0, None, 1, 2, 2]


def test_labels_that_are_all_classes_become_class_indices(tmp_path: Path) -> None:
    stream = open_stream(folder(tmp_path), size=(8, 8), classes=["z", "b", "a", "B"])
    assert [each.label for each in stream.samples] == [3, None, 2, 1, 1]
    assert stream.label_names == ("z", "b", "a", "B")


@pytest.mark.parametrize(
    ("text", "labels", "names"),
    [
        ("file,class_index\na.png,7\nb/2.png,0\n", [None, 7, None, None, 0], tuple("01234567")),
        ("\ufefffile,label,more\na.png,dog,1\nb/2.png,cat,2\n", [None, 1, None, None, 0], ("cat", "dog")),
    ],
)
def test_a_table_gives_labels(tmp_path: Path, text: str, labels: list[int | None], names: tuple[str, ...]) -> None:
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    stream = open_stream(folder(tmp_path), size=(8, 8), labels=tmp_path / "labels.csv")
    assert ([each.label for each in stream.samples], stream.label_names) == (labels, names)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("name,label\na.png,1\n", NotFoundError, "column 'file'"),
        ("file,lable\na.png,1\n", NotFoundError, "class_index.*label"),
        ("file,label\n1,a\n2,a\n3,a\n4,a\na.png,b\n", UsageError, "4 of the 5 files .* not in the folder: '1', '2', '3'…"),
        ("file,label\na.png,b\na.png,b\n", UsageError, "names 1 files twice"),
        ("file,class_index\na.png,dog\n", UsageError, "'dog'"),
        ("file,class_index\na.png,-1\n", UsageError, "outside"),
        ("", NotFoundError, "column 'file'"),
    ],
)
def test_a_table_that_does_not_fit_is_one_clear_error(tmp_path: Path, text: str, kind: type[Exception], words: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(kind, match=words):
        open_stream(folder(tmp_path), size=(8, 8), labels=tmp_path / "labels.csv")


def test_a_class_index_beyond_the_classes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,class_index\na.png,2\n")
    with pytest.raises(UsageError, match=r"outside 0\.\.1"):
        open_stream(folder(tmp_path), size=(8, 8), labels=tmp_path / "labels.csv", classes=["a", "b"])


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        open_stream(tmp_path / "none", size=(8, 8))
    with pytest.raises(UsageError, match="holds no files"):
        open_stream(tmp_path, size=(8, 8))
    with pytest.raises(UsageError, match="cannot be read"):
        open_stream(folder(tmp_path), size=(8, 8), labels=tmp_path / "none.csv")
    with pytest.raises(UsageError, match="1 or 3 channels"):
        open_stream(folder(tmp_path), size=(8, 8), channels=4)


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    photos = folder(tmp_path)
    write(tmp_path / "elsewhere" / "c.png")
    (photos / "loop").symlink_to(photos)
    (photos / "b" / "up").symlink_to("..")
    (photos / "there").symlink_to(tmp_path / "elsewhere")
    (photos / ".hidden.png").write_bytes(b"")
    assert [each.name for each in open_stream(photos, size=(8, 8)).samples][5:] == ["there/c.png"]


def test_names_that_are_not_utf8_can_still_be_written_down(tmp_path: Path) -> None:
    try:
        (tmp_path / "caf\udce9.png").touch()
    except (OSError, UnicodeError):
        pytest.skip("this file system wants UTF-8")
    assert open_stream(tmp_path, size=(8, 8)).samples[0].name == "caf\N{REPLACEMENT CHARACTER}.png"


def test_batches_are_in_order_without_the_broken_ones(tmp_path: Path) -> None:
    for index in range(23):
        write(tmp_path / f"{index:02d}.png", index * 10)
    for index in (0, 4, 5, 6, 7, 22):
        (tmp_path / f"{index:02d}.png").write_text("broken")
    stream = open_stream(tmp_path, size=(8, 12))
    seen = [
        (sample.index, image)
        for samples, images in stream.batches(0, 23, batch=4)
        for sample, image in zip(samples, images, strict=True)
    ]
    assert [index for index, _ in seen] == [index for index in range(23) if index not in (0, 4, 5, 6, 7, 22)]
    for index, image in seen:
        assert torch.equal(image, torch.full((3, 8, 12), index * 10 / 255))
    assert stream.skipped == [(f"{index:02d}.png", "not a picture that Pillow can read") for index in (0, 4, 5, 6, 7, 22)]
    assert [[sample.index for sample in samples] for samples, _ in stream.batches(2, 10, batch=3)] == [[2, 3], [8, 9]]


def test_threads_stay_a_bounded_way_ahead() -> None:
    started, lock = [], threading.Lock()

    def read(index: int) -> Image.Image:
        with lock:
            started.append(index)
        return Image.new("RGB", (8, 8), (index, 0, 0))

    stream = Stream((8, 8), 3, [Sample(i, str(i), None) for i in range(100)], (), "test", read, list)
    batches = stream.batches(0, 100, batch=5, threads=3)
    next(batches)
    time.sleep(0.1)
    assert 6 < len(started) <= 15
    batches.close()
    time.sleep(0.05)
    assert len(started) <= 15
    assert not [each for each in threading.enumerate() if each.name.startswith("pellucid-decode")]


def test_an_error_that_is_no_broken_picture_is_not_swallowed() -> None:
    def read(index: int) -> Image.Image:
        raise MemoryError

    stream = Stream((8, 8), 3, [Sample(0, "a", None)], (), "test", read, list)
    with pytest.raises(MemoryError):
        list(stream.batches(0, 1, batch=1))


def test_picture_is_what_batches_give(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (50, 70, 3), np.uint8)).save(tmp_path / "a.jpg")
    for channels in (1, 3):
        stream = open_stream(tmp_path, size=(16, 24), channels=channels)
        ((_, images),) = stream.batches(0, 1, batch=1)
        picture = stream.picture(0)
        assert picture.size == (24, 16) and images.shape == (1, channels, 16, 24)
        assert np.array_equal(
            (images[0] * 255).round().byte().squeeze(0).numpy().reshape(channels, 16, 24)[0],
            np.asarray(picture).reshape(16, 24, -1)[:, :, 0],
        )


def test_the_fingerprint_follows_names_sizes_labels_and_shape(tmp_path: Path) -> None:
    photos = folder(tmp_path)
    first = open_stream(photos, size=(8, 8))
    assert first.fingerprint() == first.fingerprint() == open_stream(photos, size=(8, 8)).fingerprint()
    prints = {
        first.fingerprint(),
        open_stream(photos, size=(8, 9)).fingerprint(),
        open_stream(photos, size=(8, 8), channels=1).fingerprint(),
    }
    (photos / "a.png").write_bytes(b"x")
    prints.add(open_stream(photos, size=(8, 8)).fingerprint())
    (photos / "a.png").rename(photos / "c.png")
    prints.add(open_stream(photos, size=(8, 8)).fingerprint())
    assert len(prints) == 5


def test_the_terrarium_is_a_stream() -> None:
    stream = open_stream("terrarium:40", size=(96, 96))
    samples, images = next(stream.batches(0, 40, batch=2))
    assert len(stream) == 40 and images.shape == (2, 3, 96, 96) and samples[1].name == "terrarium/000001"
    assert len(open_stream("terrarium", size=(96, 96))) == 2000
    for wrong in ("terrarium:0", "terrarium:x", "terrarium:-1"):
        with pytest.raises(UsageError, match="whole number above 0"):
            open_stream(wrong, size=(96, 96))
    with pytest.raises(UsageError, match="knows its labels"):
        open_stream("terrarium", size=(96, 96), labels=Path("a.csv"))


def test_reading_one_broken_picture_raises_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(PellucidError, match="not a picture"):
        open_stream(tmp_path, size=(8, 8)).picture(0)
