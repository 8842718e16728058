"""Files and functions stay small, say what they are for, and keep to their room."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tensorhub"
SOFT_LINES = 400
HARD_LINES = 600
FUNCTION_LINES = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "misc"}

# Files above the soft limit, each with the reason why it is better in one piece.
LONG_FILES: dict[str, str] = {
    "src/tensorhub/errors.py": "the whole tree in one place, mostly its drawing and one-line classes",
    "src/tensorhub/store/ingest.py": "one pipeline whose stages share its state; the first pass stands apart",
    "src/tensorhub/store/reader.py": "one class: records, packs, chunk cache and decoding share their locks",
    "src/tensorhub/store/transaction.py": "one class whose docstrings are the contract of the only way in",
    "src/tensorhub/store/store.py": "the face that callers hold: a flat list of calls, mostly their documentation",
    "src/tensorhub/store/values.py": "one flat list of results without logic, nearly all of it documentation",
}
# Functions above the limit, as file::function, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}


def list_python(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def list_native() -> list[Path]:
    return sorted(path for path in (ROOT / "native").rglob("*") if path.suffix in (".cpp", ".hpp", ".h"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


ALL_SOURCES = list_python("src", "tests", "benchmarks", "examples") + list_native()


@pytest.mark.parametrize("path", ALL_SOURCES, ids=name_of)
def test_file_length(path: Path) -> None:
    """A file has at most 400 lines, 600 where a reason is listed."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= HARD_LINES, f"{name_of(path)} has {lines} lines; split it"
    if lines > SOFT_LINES:
        assert name_of(path) in LONG_FILES, f"{name_of(path)} has {lines} lines; split it, or list the reason"


def test_exemptions_are_needed() -> None:
    """No exemption outlives its file or its need."""
    for name in LONG_FILES:
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > SOFT_LINES, name
    for name in LONG_FUNCTIONS:
        assert (ROOT / name.partition("::")[0]).is_file(), name


@pytest.mark.parametrize("path", list_python("src"), ids=name_of)
def test_function_length(path: Path) -> None:
    """A function has at most 60 lines of code; its docstring does not count."""
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0]
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            lines -= (first.end_lineno or first.lineno) - first.lineno + 1
        name = f"{name_of(path)}::{node.name}"
        assert lines <= FUNCTION_LINES or name in LONG_FUNCTIONS, f"{name} has {lines} lines"


@pytest.mark.parametrize("path", list_python("src", "tests", "benchmarks", "examples"), ids=name_of)
def test_module_docstring(path: Path) -> None:
    """Every module says what it is for."""
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(parse(path)), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", ALL_SOURCES, ids=name_of)
def test_file_name(path: Path) -> None:
    """No file has a name that says nothing."""
    assert path.stem.strip("_") not in BANNED_NAMES


@pytest.mark.parametrize("path", list_python("src"), ids=name_of)
def test_no_assert_in_sources(path: Path) -> None:
    """Checks in the product are errors of the tree; only the conformance suites assert."""
    if path.is_relative_to(PACKAGE / "testing"):
        return
    lines = [node.lineno for node in ast.walk(parse(path)) if isinstance(node, ast.Assert)]
    assert not lines, f"{name_of(path)} asserts in lines {lines}"


@pytest.mark.parametrize("path", list_native(), ids=name_of)
def test_only_bindings_know_python(path: Path) -> None:
    """Nothing but native/bindings includes nanobind or Python."""
    if path.is_relative_to(ROOT / "native" / "bindings"):
        return
    includes = re.findall(
        r"^\s*#\s*include\s*[<\"](?:nanobind|Python\.h)", path.read_text(encoding="utf-8"), re.M
    )
    assert not includes, f"{name_of(path)} knows Python"
