"""`python -m parkade_bench.peers.compare SHARD RUNTIME=BUNDLE...`: graphs side by side, one thread, one item a run.

The graphs take turns in one process every 128 items, so neighbours on the machine disturb all of them alike, and yet
a graph finds its own weights in the CPU's caches, as it does alone. A worker: answers each line with the seconds of
CPU that each graph took for all items, tokenizer and decoder excluded, in the order of the arguments.
"""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parkade_bench.peers.runtimes import open_run
from parkade_bench.peers.work import Rows, Run, Work, open_work, read_items

_TURN = 128  # items


@dataclass(slots=True)
class Timed:
    """A graph's runs, and the seconds of CPU that they took."""

    run: Run
    seconds: float = 0.0

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> Rows:
        """Runs the graph."""
        begun = time.process_time()
        rows = self.run(feeds)
        self.seconds += time.process_time() - begun
        return rows


def main(shard: str, *graphs: str) -> None:
    """Answers until the input ends."""
    timed: list[Timed] = []
    works: list[Work] = []
    for graph in graphs:
        runtime, _, bundle = graph.partition("=")

        def open_timed(model: Path, output: str, runtime: str = runtime) -> Run:
            timed.append(Timed(open_run(runtime, model, output)))
            return timed[-1]

        works.append(open_work(Path(bundle), open_timed))
    items = read_items(Path(graphs[0].partition("=")[2]), Path(shard))
    _round(works, timed, items)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({"seconds": _round(works, timed, items)}), flush=True)


def _round(works: list[Work], timed: list[Timed], items: list[bytes]) -> list[float]:
    for each in timed:
        each.seconds = 0.0
    for start in range(0, len(items), _TURN):
        for work in works:
            for item in items[start : start + _TURN]:
                work.answer([item])
    return [each.seconds for each in timed]


if __name__ == "__main__":
    main(*sys.argv[1:])
