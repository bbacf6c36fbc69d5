"""The threat model names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_every_named_test_is_there(path: str, test: str) -> None:
    """A threat without its test is no threat that is met."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not test or test in functions


def test_every_threat_is_spoken_of() -> None:
    """Each of the twenty has a heading, alone or in a range."""
    spoken: set[int] = set()
    for first, last in re.findall(r"^### T(\d+)(?:-T(\d+))?:", PAGE, re.MULTILINE):
        spoken.update(range(int(first), int(last or first) + 1))
    assert spoken == set(range(1, 21))
