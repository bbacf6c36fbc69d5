"""docs/owner.md shows lines and files that work."""

import re
import shlex
from pathlib import Path

import pytest

from parkade_agent.owner.command import parser
from parkade_agent.owner.limits import read_limits, read_places

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "owner.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\$ parkade-agent (.+)$", PAGE, re.MULTILINE)


def test_the_page_shows_every_kind_of_line() -> None:
    """Key, consent in all its forms, and what the owner sees."""
    verbs = {" ".join(line.split()[: 2 if line.startswith(("consent", "owner")) else 1]) for line in LINES}
    assert verbs == {
        "owner init",
        "explain",
        *(f"consent {verb}" for verb in ("grant", "show", "narrow", "renew", "revoke")),
    }


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_understood(line: str) -> None:
    """Whoever types it after the page gets what it says."""
    assert callable(parser().parse_args(shlex.split(line, comments=True)).verb)


def test_the_limits_of_the_page_can_be_kept() -> None:
    """Every field that there is, with a value that makes sense."""
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert read_limits(block.encode()).max_lanes == 2
    (places,) = re.findall(r'`(\{"home".*?\}\})`', PAGE)
    assert [place.name for place in read_places(places.encode())] == ["home"]
