"""The shape of the tree: what the house style promises, held by tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT_FOLDERS = ("api", "core", "operator", "agent", "models", "cli", "hack", "benchmarks")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not path.stem.endswith(("_pb2", "_pb2_grpc")))


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("folder", [*PROJECT_FOLDERS, "tests"])
def test_project_folders_are_no_packages(folder: str) -> None:
    """A top folder with an `__init__.py` would shadow a package, as `operator` the standard library's."""
    assert not (ROOT / folder / "__init__.py").exists()
    if folder != "tests":
        assert not list((ROOT / folder).glob("*.py"))


def test_test_folders_are_no_packages() -> None:
    """Tests are found by path, so a folder `tests/unit/operator` can never be imported as `operator`."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_files_are_short() -> None:
    """No file has more than 300 lines."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _sources(*PROJECT_FOLDERS, "tests", "examples")
        if (lines := len(path.read_text().splitlines())) > MAX_FILE_LINES
    }
    assert not long


def test_functions_are_short() -> None:
    """No function has more than 40 lines."""
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": lines
        for path in _sources(*PROJECT_FOLDERS, "tests", "examples")
        for function in _functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not long


def test_modules_say_why_they_exist() -> None:
    """Every module begins with a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources(*PROJECT_FOLDERS, "tests", "examples")
        if path.read_text() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent


def test_every_test_says_the_behaviour() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in _sources("tests")
        if path.stem.startswith("test_")
        for function in _functions(path)
        if function.name.startswith("test_") and ast.get_docstring(function) is None
    ]
    assert not silent


def test_nothing_is_mocked() -> None:
    """No test replaces our code by a mock: tests run the real thing."""
    mocked = [
        str(path.relative_to(ROOT))
        for path in _sources(*PROJECT_FOLDERS, "tests")
        if any(
            name.split(".")[:2] == ["unittest", "mock"] or name.startswith("mock") for name in _imported(path)
        )
    ]
    assert not mocked
