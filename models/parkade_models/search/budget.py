"""What a bundle takes at most, measured in a process of its own: `python -m parkade_models.search.budget FOLDER`.

Request bodies come on standard input, one a line; the budget goes to standard output as JSON.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from parkade_api.bundle import Budget
from parkade_models.bundle import load_bundle
from parkade_models.errors import BuildError
from parkade_models.tasks import open_task
from parkade_models.tasks.task import Task

_STEP: Final = 16 << 20  # memory is rounded up to this, so that pages more or less are no other budget


def main() -> None:
    """Measures the bundle named on the command line."""
    parser = argparse.ArgumentParser(description="Peak memory and CPU seconds a record of a bundle.")
    parser.add_argument("folder", type=Path)
    task = open_task(load_bundle(parser.parse_args().folder))
    task.warm_up()
    seconds = max(_seconds(task, orjson.loads(line)) for line in sys.stdin.buffer)
    budget = Budget(memoryBytes=-(-_peak() // _STEP) * _STEP, secondsPerRecord=float(f"{seconds:.2g}"))
    sys.stdout.write(budget.model_dump_json() + "\n")


def _seconds(task: Task, body: Mapping[str, Any]) -> float:
    begun = time.thread_time()
    task.answers([body])
    return time.thread_time() - begun


def _peak() -> int:
    """Bytes of this process's memory at its peak; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) << 10


def measure_budget(folder: Path, bodies: Iterable[Mapping[str, Any]]) -> Budget:
    """The budget of the bundle in *folder* over *bodies*. Raises BuildError when the measuring process fails."""
    lines = b"\n".join(orjson.dumps(body) for body in bodies)
    command: Sequence[str] = (sys.executable, "-m", __name__, str(folder))
    done = subprocess.run(command, input=lines, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BuildError(f"the bundle could not be measured: {last or f'exit code {done.returncode}'}")
    return Budget.model_validate_json(done.stdout)


if __name__ == "__main__":
    main()
