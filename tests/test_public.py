import ast
import subprocess
import sys
from pathlib import Path

import pellucid

SOURCE = Path(pellucid.__file__)
ORDER = [
    "errors",
    "files",
    "settings",
    "arrays",
    "schema",
    "kernels",
    "run",
    "terrarium",
    "models",
    "vis",
    "data",
    "analysis",
    "atlas",
    "explain",
    "figures",
    "site",
    "build",
    "cli",
]


def test_every_public_name_is_there_and_declared_for_type_checkers() -> None:
    tree = ast.parse(SOURCE.read_text())
    declared = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names} - {None}
    assert declared == set(pellucid.__all__)
    for name in pellucid.__all__:
        assert getattr(getattr(pellucid, name), "__name__", name) == name  # a mapping has none


def test_importing_costs_nothing() -> None:
    code = "import sys, pellucid; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_imports_only_point_up_the_page() -> None:
    rooms = {room: place for place, room in enumerate(ORDER)}
    wrong = []
    for path in SOURCE.parent.rglob("*.py"):
        room = path.relative_to(SOURCE.parent).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pellucid."):
                other = (node.module or "").split(".")[1]
                if rooms[other] > rooms[room] or (room, other) in {("data", "vis"), ("vis", "data")}:
                    wrong.append(f"{path.relative_to(SOURCE.parent)} imports {node.module}")
    assert wrong == []
