import json
from pathlib import Path

import pytest

from pellucid.schema import ClassValue, Sprites, to_json, typescript

WEB = Path(__file__).parents[1] / "web" / "src" / "schema.ts"


def test_the_viewer_has_the_same_types() -> None:
    assert WEB.read_text() == typescript(), "run: python -m pellucid.schema > web/src/schema.ts"


def test_json_is_ascii_and_ordered_and_refuses_what_json_has_not() -> None:
    text = to_json(Sprites(sheets=["ä\u2028.png"], tile=8, columns=2, per_sheet=4, count=1))
    assert text.isascii()
    assert list(json.loads(text)) == ["columns", "count", "per_sheet", "sheets", "tile"]
    with pytest.raises(ValueError, match=r"nan|NaN|Out of range"):
        to_json(ClassValue(0, float("nan")))
    with pytest.raises(TypeError, match="set has no form"):
        to_json({"a": {1}})
