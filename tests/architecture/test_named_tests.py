"""The pages of threats and faults name tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THREATS, FAULTS = (
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("threat-model.md", "faults.md")
)
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
NAMED = sorted({*TEST.findall(THREATS), *TEST.findall(FAULTS)})


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_every_named_test_is_there(path: str, test: str) -> None:
    """A threat without its test is no threat that is met, and a fault no fault that is survived."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not test or test in functions


def test_every_threat_is_spoken_of() -> None:
    """Each of the twenty has a heading, alone or in a range."""
    spoken: set[int] = set()
    for first, last in re.findall(r"^### T(\d+)(?:-T(\d+))?:", THREATS, re.MULTILINE):
        spoken.update(range(int(first), int(last or first) + 1))
    assert spoken == set(range(1, 21))


def test_every_fault_of_a_vehicle_has_its_test() -> None:
    """The first nine are of driver, link and power, the others of disk, programs, clock and certificate."""
    rows = dict(re.findall(r"^\| F(\d+) \|(.*)$", FAULTS, re.MULTILINE))
    assert [int(number) for number in rows] == [*range(1, 10), *range(29, 34)]
    assert all(TEST.search(row) for row in rows.values())
