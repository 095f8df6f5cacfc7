"""The table of techniques names what there is: calls, command lines, tests and figures. Read without importing what they need."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest

from pellucid.cli import cli

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "techniques.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| T\d", line)]
SPANS = re.findall(r"`([^`]+)`", TEXT)
GIVEN = {
    "pellucid",
    "model",
    "images",
    "labels",
    "photo",
    "photos",
    "painting",
    "stream",
    "store",
    "vectors",
    "points",
}  # what the preface says is there


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def found(module: str, name: str) -> ast.stmt | None:
    """What defines a name of a module, or of the module that this one has it from."""
    path = ROOT.joinpath("src", *module.split("."))
    for node in ast.walk(parsed(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return node
        if isinstance(node, ast.ImportFrom) and name in {each.asname or each.name for each in node.names}:
            return found(str(node.module), name)
    return None


def parameters(node: ast.stmt) -> tuple[list[str], list[str]]:
    """The names that a function or a dataclass takes by position, and by keyword."""
    if isinstance(node, ast.FunctionDef):
        first = [each.arg for each in node.args.args]
        return first, first + [each.arg for each in node.args.kwonlyargs]
    assert isinstance(node, ast.ClassDef)
    fields = [each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]
    return fields, fields


def needed(node: ast.stmt) -> set[str]:
    """The names of what has to be given."""
    if isinstance(node, ast.FunctionDef):
        first, named = node.args, zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        without = first.args[: len(first.args) - len(first.defaults)]
        return {each.arg for each in without} | {each.arg for each, default in named if default is None}
    assert isinstance(node, ast.ClassDef)
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    return {ast.unparse(each.target) for each in fields if each.value is None}


def homes(program: ast.Module) -> dict[str, ast.stmt]:
    """What defines each name of pellucid in a program, as it is written there."""
    there: dict[str, ast.stmt] = {}
    for node in ast.walk(program):
        if isinstance(node, ast.ImportFrom):
            names = {each.name: (str(node.module), each.name) for each in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pellucid":
            names = {f"pellucid.{node.attr}": ("pellucid", node.attr)}
        else:
            continue
        for written, (module, name) in names.items():
            definition = found(module, name)
            assert definition is not None, f"{module} has no {name}"
            there[written] = definition
    return there


def test_every_technique_has_one_row() -> None:
    assert [row[0].split()[0] for row in ROWS] == [f"T{number}" for number in range(1, 47)]
    assert all(len(row) == 4 and all(row) for row in ROWS)


def test_every_test_exists() -> None:
    named = [each for each in SPANS if "::" in each]
    assert len(named) > len(ROWS)
    for each in named:
        path, _, name = each.partition("::")
        assert name.startswith("test_") and (ROOT / path).exists(), each
        assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in parsed(ROOT / path).body), each


def test_every_call_names_what_there_is() -> None:
    for cell in [TEXT.partition("\n## ")[0], *(row[1] for row in ROWS)]:
        spans = re.findall(r"`([^`]+)`", cell)
        program = ast.parse("\n".join(each for each in spans if each.startswith("from ") or "(" in each))
        there = homes(program)
        for node in ast.walk(program):
            if isinstance(node, ast.Name):
                assert node.id in there or node.id in GIVEN, node.id
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called in there, called
                first, every = parameters(there[called])
                assert len(node.args) <= len(first), ast.unparse(node)
                named = {each.arg for each in node.keywords}
                assert named <= set(every), ast.unparse(node)
                assert needed(there[called]) <= named | set(first[: len(node.args)]), ast.unparse(node)


@pytest.mark.parametrize("line", sorted({each for each in SPANS if each.startswith("pellucid ")}))
def test_every_command_line_is_understood(line: str) -> None:
    _, verb, *arguments = shlex.split(line)
    assert verb in cli.commands, verb
    try:
        cli.commands[verb].make_context(verb, arguments, parent=click.Context(cli, **cli.context_settings))
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")


def test_every_figure_exists() -> None:
    keys = {key for path in (ROOT / "src/pellucid/figures").glob("*.py") for key in re.findall(r'key="(\w+)"', path.read_text())}
    named = set(re.findall(r"[Ff]igure `([^`]+)`", TEXT))
    assert named and named <= keys, named - keys
