"""docs/benchmarks.md: each part of the benchmark writes the section of its title and leaves the others alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from parkade_hack.paths import ROOT

PLACE: Final = ROOT / "docs" / "benchmarks.md"
_HEAD: Final = """# Benchmarks

`make bench-sidecar` measures all of this and writes this page; `ARGS="--only ready,stop"` measures parts of it and
writes their sections. Every figure is a ratio of contenders that took turns in one run, or a time of ours; wall rates
of one machine tell nothing about another. Ranges are the middle half of the rounds.
"""


def write_section(title: str, body: str, place: Path = PLACE) -> None:
    """Replaces the section called *title*, or appends it."""
    text = place.read_text() if place.exists() else _HEAD
    head, *sections = text.split("\n## ")
    kept = {section.partition("\n")[0]: section.partition("\n")[2].strip() for section in sections}
    kept[title] = body.strip()
    place.write_text(head.strip() + "\n" + "".join(f"\n## {name}\n\n{kept[name]}\n" for name in kept))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; all columns but the first are aligned right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"
