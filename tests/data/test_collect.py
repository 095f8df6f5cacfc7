from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import pellucid.files
from pellucid import models
from pellucid.analysis.examples import TopExamples
from pellucid.arrays import to_image
from pellucid.data import collect as module
from pellucid.data.collect import collect, interior, places
from pellucid.data.store import Store
from pellucid.data.stream import Stream, open_stream
from pellucid.errors import NotFoundError, PellucidError, UsageError
from pellucid.models.model import Model

SIZE = (24, 32)


def network() -> Model:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 7, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(7, 4),
    )
    return models.load(layers, size=SIZE, classes=["a", "b", "c", "d"])


def photos(folder: Path, count: int = 11, broken: tuple[int, ...] = (2, 6, 7)) -> Stream:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        path = folder / f"{index:02d}.png"
        if index in broken:
            path.write_text("no picture")
        else:
            Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(path)
    return open_stream(folder, size=SIZE)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(stream: Stream, folder: Path, **changed: object) -> Store:
    settings: dict = {"positions": 2, "seed": 3, "part": 4, "batch": 3, "observers": [TopExamples(3)]}
    return collect(network(), stream, ["3", "1"], folder, **(settings | changed))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stream, Path]:
    folder = tmp_path_factory.mktemp("whole")
    stream = photos(folder / "photos")
    run(stream, folder / "store")
    return stream, folder / "store"


def test_what_is_stored_is_what_the_network_answers(whole: tuple[Stream, Path]) -> None:
    stream, folder = whole
    store, model = Store.open(folder), network()
    samples = store.samples().to_pylist()
    assert [each["image"] for each in samples] == [index for index in range(11) if index not in (2, 6, 7) for _ in range(2)]
    assert [each["position"] for each in samples] == [0, 1] * 8
    assert store.skipped == [(f"{index:02d}.png", "not a picture that Pillow can read") for index in (2, 6, 7)]
    assert store.layers == {"1": 5, "3": 7} and store.classes == ("a", "b", "c", "d")
    for row, sample in enumerate(samples):
        image = to_image(stream.picture(sample["image"]))[None]
        hidden = nn.Sequential(*list(model.network)[:2])(model.preprocess(image)).detach()
        for name, later in {"1": 2, "3": 4}.items():
            hidden = hidden if name == "1" else nn.Sequential(*list(model.network)[2:4])(hidden).detach()
            at = sample[f"row {name}"], sample[f"col {name}"]
            assert tuple(store.positions(name)[row]) == at
            vector = hidden[0, :, *at]
            np.testing.assert_allclose(store.vectors(name)[row], vector, rtol=1e-3, atol=1e-5)
            wanted = [_attribution(nn.Sequential(*list(model.network)[later:]), hidden, at, k) for k in range(4)]
            np.testing.assert_allclose(store.attributions(name)[row], wanted, rtol=5e-3, atol=1e-5)
        assert sample["classes"] == model.network(model.preprocess(image))[0].argsort(descending=True).tolist()
        assert sample["name"] == f"{sample['image']:02d}.png" and sample["label"] is None


def _attribution(tail: nn.Module, hidden: Tensor, at: tuple[int, int], k: int) -> float:
    hidden = hidden.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(tail(hidden)[0, k], hidden)
    return float((gradient * hidden.detach())[0, :, *at].sum())


def test_positions_lie_inside_at_the_same_relative_place(whole: tuple[Stream, Path]) -> None:
    store = Store.open(whole[1])
    shapes = {name: (layer.height, layer.width) for name, layer in store.stored.items()}
    assert shapes == {"1": (22, 30), "3": (10, 14)}
    relative = {name: (store.positions(name) - 1) / (np.array(shape) - 2) for name, shape in shapes.items()}
    for name, shares in relative.items():
        assert shares.min() >= 0 and (shares < 1).all(), name
    assert np.abs(relative["1"] - relative["3"]).max() <= 1 / 8


@given(st.integers(0, 2**31), st.integers(0, 10**7), st.integers(1, 40), st.integers(1, 40), st.integers(1, 6))
def test_interior_excludes_both_borders(seed: int, image: int, height: int, width: int, count: int) -> None:
    where = interior(places(seed, [image], count), height, width)
    for axis, size in enumerate((height, width)):
        low, high = (1, size - 2) if size > 2 else (0, size - 1)
        assert low <= int(where[..., axis].min()) and int(where[..., axis].max()) <= high


def test_places_cover_the_map_evenly() -> None:
    where = interior(places(0, range(4000), 2), 6, 6).reshape(-1, 2)
    counts = np.bincount((where[:, 0] - 1) * 4 + where[:, 1] - 1, minlength=16)
    assert counts.min() > 400 and counts.max() < 600


@pytest.mark.parametrize(
    "missing",
    [
        ["samples/00001.parquet"],
        ["samples/00000.parquet", "layers/00/00000.safetensors"],
        ["samples/00002.parquet", "notes/00002.json"],
    ],
)
def test_a_second_run_does_only_what_is_missing(
    whole: tuple[Stream, Path], tmp_path: Path, missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, folder = whole
    again = tmp_path / "store"
    shutil.copytree(folder, again)
    for name in missing:
        (again / name).unlink()
    (again / "layers" / "00" / f"00001.safetensors{pellucid.files.TEMPORARY}").write_text("left by a kill")
    with pytest.raises(PellucidError, match="not finished: 1 of 3 parts"):
        Store.open(again)
    seen = []
    batches = Stream.batches
    monkeypatch.setattr(
        Stream, "batches", lambda self, start, stop, **more: seen.append((start, stop)) or batches(self, start, stop, **more)
    )
    run(stream, again)
    number = int(missing[0][12])
    assert seen == [(4 * number, min(4 * number + 4, 11))]
    assert files(again) == files(folder)
    run(stream, again)
    assert len(seen) == 1


@pytest.mark.parametrize("after", range(1, 14, 2))
def test_killed_while_writing_and_started_again_gives_the_same_bytes(
    whole: tuple[Stream, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    stream, folder = whole
    left = [after]
    replace = Path.replace

    def dying(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            run(stream, tmp_path / "store")
    run(stream, tmp_path / "store")
    assert files(tmp_path / "store") == files(folder)


def test_other_settings_are_an_error_that_names_them(whole: tuple[Stream, Path], tmp_path: Path) -> None:
    stream, folder = whole
    before = files(folder)
    with pytest.raises(UsageError, match=r"seed was 3, is now 4; use"):
        run(stream, folder, seed=4)
    with pytest.raises(
        UsageError,
        match=r"observers was .*k=3, least=False, several=False.*, is now .*k=4, least=.*; "
        r"positions was 2, is now 1",
    ):
        run(stream, folder, positions=1, observers=[TopExamples(4)])
    with pytest.raises(UsageError, match=r"the pictures are others; use"):
        run(photos(tmp_path / "more", 11, ()), folder)
    model = network()
    with torch.no_grad():
        model.network[0].bias[0] += 1
    with pytest.raises(UsageError, match="the network is another one"):
        collect(model, stream, ["1", "3"], folder, positions=2, seed=3, part=4, batch=3, observers=[TopExamples(3)])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="not empty and holds no store"):
        run(stream, tmp_path / "other")
    assert files(folder) == before


def test_the_order_of_the_layers_does_not_matter(whole: tuple[Stream, Path]) -> None:
    stream, folder = whole
    assert collect(
        network(), stream, ["1", "3", "1"], folder, positions=2, seed=3, part=4, batch=3, observers=[TopExamples(3)]
    ).layers == {"1": 5, "3": 7}


def test_without_attributions_the_network_stops_early(tmp_path: Path) -> None:
    model = network()
    reached = []
    model.network[6].register_forward_hook(lambda *_: reached.append(1))
    model.layers  # noqa: B018
    reached.clear()
    store = collect(model, photos(tmp_path / "photos"), ["1"], tmp_path / "store", attributions=False)
    assert not reached and store.samples()["classes"].null_count == len(store)
    with pytest.raises(UsageError, match="without attributions"):
        store.attributions("1")
    with pytest.raises(NotFoundError, match="observer 'examples'"):
        store.extras("examples")


def test_a_part_in_which_all_is_broken_and_a_folder_in_which_all_is(tmp_path: Path) -> None:
    stream = photos(tmp_path / "photos", 9, (0, 1, 2, 3, 5, 8))
    store = run(stream, tmp_path / "store")
    assert len(store) == 6 and np.asarray(store.vectors("1")).shape == (6, 5) and store.attributions("1").shape == (6, 4)
    with pytest.raises(PellucidError, match=r"none of the 3 pictures could be read; the first, '00\.png': not a picture"):
        run(photos(tmp_path / "broken", 3, (0, 1, 2)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_pictures_that_are_there_twice_are_found_across_parts(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    for copy, first in (("03b.png", "03.png"), ("09b.png", "00.png"), ("11.png", "00.png")):
        shutil.copyfile(tmp_path / "photos" / first, tmp_path / "photos" / copy)
    store = run(open_stream(tmp_path / "photos", size=SIZE), tmp_path / "store")
    assert store.copies == [("03b.png", "03.png"), ("09b.png", "00.png"), ("11.png", "00.png")]


def test_pictures_without_a_label_are_found_where_others_have_one(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    assert run(open_stream(tmp_path / "photos", size=SIZE), tmp_path / "none").unlabelled == []
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n" + "".join(f"{index:02d}.png,x\n" for index in range(9)))
    store = run(open_stream(tmp_path / "photos", size=SIZE, labels=table), tmp_path / "store")
    assert store.unlabelled == ["09.png", "10.png"]


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("layers/01/00001.safetensors", lambda store: store.vectors("3")),
        ("samples/00001.parquet", lambda store: store.samples()),
        ("observers/examples/00001.safetensors", lambda store: store.extras("examples")),
        ("notes/00001.json", lambda store: store.skipped),
    ],
)
@pytest.mark.parametrize("left", [None, 0, 7, 100])
def test_a_damaged_file_is_one_line(
    whole: tuple[Stream, Path], tmp_path: Path, file: str, read: Callable[[Store], object], left: int | None
) -> None:
    """A file that is not there, is empty, or was cut off."""
    shutil.copytree(whole[1], tmp_path / "store")
    path = tmp_path / "store" / file
    content = path.read_bytes()
    path.unlink() if left is None else path.write_bytes(content[:left])
    if left == 100 and "notes" in file:
        path.write_bytes(b"[")
    with pytest.raises(PellucidError, match=r"store '.*store' is (damaged \(.*\): delete it|not finished)") as error:
        read(Store.open(tmp_path / "store"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_activations_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    model = network()
    with torch.no_grad():
        model.network[2].bias[3] = value
    with pytest.raises(PellucidError, match=r"layer '3' .* picture '00.png'"):
        collect(model, photos(tmp_path / "photos"), ["1", "3"], tmp_path / "store")
    assert not list((tmp_path / "store").rglob("*.parquet"))


def test_values_beyond_float16_are_cut_and_counted(tmp_path: Path) -> None:
    model = network()
    with torch.no_grad():
        model.network[2].bias[3] = 1e6
    store = collect(model, photos(tmp_path / "photos"), ["1", "3"], tmp_path / "store", attributions=False)
    assert store.clipped == {"1": 0, "3": 8} and (store.vectors("3")[:][:, 3] == 65504).all()


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "no permission")])
def test_a_full_disk_is_one_line_and_nothing_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    calls = [0]

    def full(file: int) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pellucid.data.store.os.fsync", full)
    with pytest.raises(PellucidError, match=words):
        run(photos(tmp_path / "photos"), tmp_path / "store")
    assert [path for path in files(tmp_path / "store") if path.endswith((".part", ".parquet"))] == []


@pytest.mark.parametrize("wrong", [{"positions": 0}, {"positions": 661}, {"part": 0}, {"batch": -1}])
def test_numbers_out_of_range_are_wrong_use(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))}="):
        run(photos(tmp_path / "photos"), tmp_path / "store", **wrong)


def test_layers_that_are_not_there(tmp_path: Path) -> None:
    stream = photos(tmp_path / "photos")
    with pytest.raises(NotFoundError):
        collect(network(), stream, ["conv9"], tmp_path / "store")
    with pytest.raises(UsageError, match="no layers"):
        collect(network(), stream, [], tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    with pytest.raises(UsageError, match=r"stream gives 3 x \(24, 24\) pictures, the model takes 3 x \(24, 32\)"):
        run(open_stream(tmp_path / "photos", size=(24, 24)), tmp_path / "store")


def test_layer_names_never_become_paths(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("/ä b", nn.Conv2d(3, 2, 3))

        def forward(self, x: Tensor) -> Tensor:
            return self._modules["/ä b"](x).mean((2, 3))  # pyright: ignore[reportOptionalCall]

    store = collect(models.load(Odd(), size=SIZE), photos(tmp_path / "photos"), ["/ä b"], tmp_path / "store")
    assert store.vectors("/ä b").shape == (8, 2) and sorted(path.name for path in tmp_path.iterdir()) == ["photos", "store"]


def test_progress_ends_at_the_number_of_pictures(tmp_path: Path) -> None:
    calls = []
    run(photos(tmp_path / "photos"), tmp_path / "store", progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls) and calls[-1] == (11, 11)


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    model = network()
    model.network.train()
    before = json.dumps({name: value.tolist() for name, value in model.network.state_dict().items()})
    run_stream = photos(tmp_path / "photos")
    collect(model, run_stream, ["1", "3"], tmp_path / "store")
    assert model.network.training and all(value.requires_grad for value in model.network.parameters())
    assert json.dumps({name: value.tolist() for name, value in model.network.state_dict().items()}) == before
    assert not any(each._forward_hooks for each in model.network.modules())


def test_decoding_goes_on_while_the_network_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = photos(tmp_path / "photos", 12, ())
    read, answer, ahead = stream.read, module.Fast.__call__, threading.Event()
    monkeypatch.setattr(stream, "read", lambda index: (index == 3 and ahead.set()) or read(index))
    # the network answers the first batch, pictures 0 and 1, only when picture 3 is being decoded
    monkeypatch.setattr(module.Fast, "__call__", lambda *given: answer(*given) if ahead.wait(20) else pytest.fail("nobody decodes"))
    collect(network(), stream, ["1"], tmp_path / "store", attributions=False, batch=2, part=12)
