"""`make bench-sidecar`: what serving costs and what INT8 gains, ours and others' in the same run.

The last line of stdout is one JSON object; a figure that was not measured is null.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from parkade_bench.bench import Bench, Figures
from parkade_bench.document import PLACE
from parkade_bench.errors import BenchError
from parkade_bench.parts import PARTS, the_machine
from parkade_hack.tools.progress import ProgressLine

_ROUNDS: Final = 11
_PROMISED: Final = (
    "reference_over_raw",
    "oip_batch8_over_raw",
    "int8_over_fp32_minilm",
    "int8_over_fp32_cnn",
    "stop_p99_ms_batch8",
    "best_peer_over_raw",
)


class Telling:
    """Shows what is measured and how long the part still takes."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._begun = time.monotonic()
        self._part = ""

    def part(self, name: str) -> None:
        """A part begins."""
        self._part = name
        self._line.show(name, "preparing", time.monotonic())

    def say(self, what: str, number: int, total: int) -> None:
        """The pass *number* of *total* of the part begins."""
        if not number:
            self._begun = time.monotonic()  # what was prepared before says nothing of the passes
        passed = time.monotonic() - self._begun
        left = f", about {passed / number * (total - number):.0f} s left" if number else ""
        self._line.show(self._part, f"{number + 1} of {total}: {what}{left}", time.monotonic())


def main() -> None:
    """Runs the parts that were asked for."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that servers are ended
    if arguments.only == list(PARTS) and not arguments.quick:
        PLACE.unlink(missing_ok=True)  # a whole run writes the whole page, in order
    figures: Figures = dict.fromkeys(_PROMISED)
    telling = Telling()
    with tempfile.TemporaryDirectory(prefix="pk-bench-") as scratch:
        bench = Bench(Path(scratch), arguments.rounds, arguments.quick, telling.say)
        figures |= the_machine(bench)
        for name in arguments.only:
            telling.part(name)
            try:
                figures |= PARTS[name](bench)
            except BenchError as error:
                sys.stderr.write(f"{name} is not measured: {error}\n")
                figures[f"{name}_not_measured"] = str(error)
    sys.stdout.write(json.dumps(figures) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-sidecar", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--quick", action="store_true", help="an eighth of everything: shows that it works")
    return parser.parse_args()


def _names(words: str) -> list[str]:
    names = words.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name} is no part; parts are {', '.join(PARTS)}")
    return names


if __name__ == "__main__":
    main()
