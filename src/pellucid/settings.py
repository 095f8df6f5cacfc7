"""What differs between the settings of what is there and of what is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping

HASHES = {  # what people need not read
    "model": "the network is another one, or has other weights",
    "stream": "the pictures are others",
    "images": "the pictures are others",
    "explained": "the explained photos are others",
    "classes": "the names of the classes are others",
}


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """What differs between two settings, for people; empty where nothing does.

    >>> differences({"steps": 64, "seed": 0, "model": "5e1f"}, {"steps": 128, "seed": 0, "model": "07ab"})
    'the network is another one, or has other weights; steps was 64, is now 128'
    """
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    said = [HASHES.get(key, f"{key} was {_short(old.get(key))}, is now {_short(new.get(key))}") for key in changed]
    return "; ".join(dict.fromkeys(said))


def _short(value: object) -> str:
    text = "not set" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:24]}…{text[-24:]}"
