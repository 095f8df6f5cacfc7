"""The built viewer in the package is made from the sources in `web/`: found without Node."""

import hashlib
import re
from pathlib import Path

import pytest

from pellucid.site import files

WEB = Path(__file__).parents[2] / "web"
pytestmark = pytest.mark.skipif(not WEB.is_dir(), reason="the viewer's sources are not here")


def source_hash() -> str:
    """The same as `sourceHash` in web/build.mjs."""
    sources = [each for each in (WEB / "src").rglob("*") if each.is_file()]
    sources += [WEB / "build.mjs", WEB / "package-lock.json"]
    digest = hashlib.sha256()
    for name, path in sorted((each.relative_to(WEB).as_posix(), each) for each in sources):
        digest.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def test_the_built_viewer_is_current() -> None:
    first = (files.VIEWER / "viewer.js").read_text("utf-8").partition("\n")[0]
    match = re.fullmatch(r"/\* pellucid viewer; made from ([0-9a-f]{64}) \*/", first)
    assert match is not None, first
    assert match[1] == source_hash(), "the viewer is older than web/: run `make web`"


def test_the_page_is_the_source_page() -> None:
    assert (files.VIEWER / "index.html").read_text("utf-8") == (WEB / "src" / "index.html").read_text("utf-8")


def test_the_viewer_is_one_small_classic_script_that_asks_no_one() -> None:
    script = (files.VIEWER / "viewer.js").read_text("ascii")
    assert len(script) < 120_000
    for forbidden in (r"\bfetch\(", r"XMLHttpRequest", r"\bimport\(", r"\beval\(", r"new Worker", r"getImageData"):
        assert not re.search(forbidden, script), forbidden
    hosts = set(re.findall(r"https?://([^/\"'`\s]+)", script))
    assert hosts <= {"www.w3.org"}  # names of XML namespaces


def test_no_name_can_become_markup() -> None:
    for source in (WEB / "src").rglob("*.ts"):
        text = source.read_text("utf-8").replace("without innerHTML", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.html\(", text), source


def test_the_lock_file_names_no_registry() -> None:
    lock = (WEB / "package-lock.json").read_text("utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
