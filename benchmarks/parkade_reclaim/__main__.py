"""`make bench-reclaim`: the driver returns while the gateway is unreachable, and the agent itself is killed.

The last line of stdout is one JSON object. Before it stands every promise not held, and then the exit code is 1.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from parkade_api.logs import configure_logs
from parkade_bench.bench import Bench
from parkade_bench.document import write_section
from parkade_bench.errors import BenchError
from parkade_bench.machine import machine
from parkade_hack.paths import ROOT
from parkade_hack.tools.bubblewrap import VARIABLE, ensure_bubblewrap
from parkade_hack.tools.progress import ProgressLine
from parkade_reclaim.deaths import kill_often
from parkade_reclaim.idle import rest
from parkade_reclaim.interference import probe_of_memory, probes_of_timing
from parkade_reclaim.promises import broken_promises
from parkade_reclaim.report import Found, figures, section
from parkade_reclaim.scene import Stage
from parkade_reclaim.stops import stop_often
from support.vehicles import certificates

_PLACE: Final = ROOT / "docs" / "reclaim.md"
_PROBE_SECONDS: Final = 16
_PROBE_ROUNDS: Final = 3


class Telling:
    """Shows what is measured and how long the part still takes."""

    def __init__(self) -> None:
        self._line = ProgressLine()
        self._begun = time.monotonic()

    def say(self, what: str, number: int, total: int) -> None:
        """The round *number* of *total* begins."""
        if not number:
            self._begun = time.monotonic()
        passed = time.monotonic() - self._begun
        left = f", about {passed / number * (total - number):.0f} s left" if number else ""
        self._line.show(what, f"{number + 1} of {total}{left}", time.monotonic())


async def measure(bench: Bench, stops: int, deaths: int) -> Found:
    """Everything, one after the other."""
    stage = Stage(bench.texts.bundle, bench.texts.shard.read_bytes(), certificates(bench.folder("pki")))
    idle = await rest(stage, bench.less(_PROBE_SECONDS))
    stopped = await stop_often(stage, stops, bench.say)
    bench.say("timing", 0, 1)
    alone, beside = await probes_of_timing(stage, bench.less(_PROBE_SECONDS), _PROBE_ROUNDS)
    died = await kill_often(stage, deaths, bench.say)
    bench.say("memory bomb", 0, 1)
    bombed, lived = await probe_of_memory(stage, bench.folder("bomb"), _PROBE_SECONDS)
    return Found(stopped, died, alone, beside, bombed, lived, idle)


def main() -> None:
    """Measures, prints, writes the page when it was a whole run, and ends with 1 when a promise was not held."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the agent is ended
    configure_logs("bench-reclaim")
    os.environ[VARIABLE] = str(ensure_bubblewrap())  # agents find it so
    with tempfile.TemporaryDirectory(prefix="pk-bench-") as scratch:
        bench = Bench(Path(scratch), 1, arguments.quick, Telling().say)
        try:
            found = asyncio.run(measure(bench, bench.less(arguments.stops), bench.less(arguments.deaths)))
        except BenchError as error:
            sys.exit(f"not measured: {error}")
    text = section(found)
    sys.stdout.write(text)
    if not arguments.quick:
        write_section("Measured", f"{_on()}\n\n{text}", _PLACE)
    measured = figures(found)
    broken = broken_promises(measured)
    sys.stdout.write("".join(f"{sentence}\n" for sentence in broken))
    sys.stdout.write(json.dumps(measured | {"machine": machine()}) + "\n")
    sys.exit(1 if broken else 0)


def _on() -> str:
    facts = machine()
    return f"`make bench-reclaim` on {facts['cores']} cores of {facts['CPU']}, Linux {facts['kernel']}."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-reclaim", description=__doc__)
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--deaths", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="an eighth of everything: shows that it works")
    return parser.parse_args()


if __name__ == "__main__":
    main()
