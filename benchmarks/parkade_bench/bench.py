"""What the parts of a benchmark share: where to work, how thorough to be, and models, built when first asked for."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from parkade_api.bundle import Precision
from parkade_bench.document import write_section
from parkade_bench.workload import Workload, write_shard, write_texts
from parkade_models import digits, minilm
from parkade_models.digits_data import Digit, load
from parkade_models.minilm_source import NAME as MINILM

Figures = dict[str, Any]
Say = Callable[[str, int, int], None]
"""Hears what is measured now, and which of how many it is."""

_QUICKER: Final = 8  # times less is done in a quick run
_TEXTS: Final = 512
_IMAGES: Final = 1024


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark."""

    scratch: Path
    rounds: int
    is_quick: bool
    say: Say

    def less(self, count: int) -> int:
        """*count*, or a small part of it in a quick run."""
        return count // _QUICKER if self.is_quick else count

    def write(self, title: str, body: str) -> None:
        """Prints a section; a full measurement also puts it on the page."""
        sys.stdout.write(f"## {title}\n\n{body}\n")
        if not self.is_quick:
            write_section(title, body)

    def folder(self, name: str) -> Path:
        """A new folder of one part."""
        place = self.scratch / name
        place.mkdir()
        return place

    @cached_property
    def texts(self) -> Workload:
        """MiniLM on texts."""
        shard = self.scratch / "texts.jsonl"
        write_texts(shard, self.less(_TEXTS))
        return Workload("MiniLM-L3 INT8", MINILM, self.minilm("INT8"), shard, (1,))

    @cached_property
    def images(self) -> Workload:
        """The CNN on digits that it was not trained on."""
        shard = self.scratch / "images.jsonl"
        inputs = [digit.example().input for digit in self.held_out]
        write_shard(shard, [{"input": inputs[at % len(inputs)]} for at in range(self.less(_IMAGES))])
        return Workload("digits CNN INT8", digits.NAME, self.digits("INT8"), shard, (1, 8))

    @cached_property
    def held_out(self) -> list[Digit]:
        """Labelled digits that the CNN was not trained on."""
        return load().held_out

    def first_items(self, workload: Workload, count: int) -> Path:
        """A shard of the first *count* items of a workload."""
        shard = workload.shard.with_suffix(".first")
        shard.write_bytes(b"".join(workload.shard.read_bytes().splitlines(keepends=True)[:count]))
        return shard

    def minilm(self, precision: Precision) -> Path:
        """The bundle of MiniLM in that precision."""
        return self._built(MINILM, minilm.build, precision)

    def digits(self, precision: Precision) -> Path:
        """The bundle of the digits CNN in that precision."""
        return self._built(digits.NAME, digits.build, precision)

    def _built(self, name: str, build: Callable[[Path, Precision], str], precision: Precision) -> Path:
        place = self.scratch / f"{name}-{precision}"
        if not place.exists():
            build(place, precision)
        return place
