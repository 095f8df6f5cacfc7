"""A build with explained photos: their pages are made once, and stand among the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import build
from pellucid.arrays import to_image
from pellucid.data.stream import open_stream
from pellucid.errors import UsageError
from pellucid.models import load
from pellucid.schema import ClassScore, ExplainCard
from pellucid.site.explanation import Photo
from pellucid.site.files import Folder

from .test_explain_files import data

SMALL: dict[str, Any] = {"layers": ["mixed4a"], "units": 4, "steps": 1, "grids": [2], "positions": 1}


def test_explained_photos_are_on_the_site_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    broken: list[str] = []

    def explain_photo(
        site: Folder, id: str, model: Any, photo: Photo, settings: Any, *, icons: Any, pages: Any, **_: Any
    ) -> ExplainCard:
        if id == "1" and not broken:
            broken.append(id)
            raise KeyboardInterrupt
        calls.append(
            (site.root, id, photo.name, settings.layers, sorted(icons.known), pages["mixed4a"].layer, pages["mixed4a"].channels)
        )
        return ExplainCard(id, photo.name, f"photos/{id}.jpg", [ClassScore(3, 2.5, 0.5)])

    monkeypatch.setattr(build, "explain_photo", explain_photo)
    monkeypatch.setattr(build._Builder, "wall", lambda self, store: None)
    monkeypatch.setattr(build, "layout", lambda vectors, seed: np.linspace(0, 1, 2 * len(vectors), dtype=np.float32).reshape(-1, 2))
    model, scenes = load("terrarium"), open_stream("terrarium:16", size=(96, 96))
    for number in range(16):  # from a folder, whose concepts nobody knows
        (tmp_path / "scenes").mkdir(exist_ok=True)
        scenes.picture(number).save(tmp_path / "scenes" / f"{number}.png")
    stream = open_stream(str(tmp_path / "scenes"), size=(96, 96))
    photos = [Photo(f"{number}.png", to_image(stream.picture(number)), stream.picture(number)) for number in (5, 6)]
    plan = build.make_plan(model, stream, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        build.build_site(model, stream, tmp_path / "run", plan, photos=photos)
    for _ in range(2):
        build.build_site(model, stream, tmp_path / "run", plan, photos=photos)
    channels = build.spread(model.layer("mixed4a").channels, 4)
    assert [each[:3] for each in calls] == [(tmp_path / "run" / "site", "0", "5.png"), (tmp_path / "run" / "site", "1", "6.png")]
    for _, _, _, layers, known, page, linked in calls:
        assert (layers, page, linked) == (("mixed4a",), "0", channels)
        assert known == [("mixed4a", each) for each in channels]  # the pictures that the units have already
    explained = data(tmp_path / "run" / "site", "site")["explained"]
    assert [each["name"] for each in explained] == ["5.png", "6.png"]
    assert explained[0]["classes"] == [{"index": 3, "logit": 2.5, "probability": 0.5}]
    with pytest.raises(UsageError, match="other settings: the explained photos are others"):
        build.build_site(model, stream, tmp_path / "run", plan, photos=photos[:1])
