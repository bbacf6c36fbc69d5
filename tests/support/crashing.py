"""Runs a real process of ours with a death wish: SIGKILL before or after the writes that a list names.

`CRASH_FOLDER=<folder> python -m support.crashing <module>` is the process itself; only the functions through which
every write goes are wrapped (`crash_cluster_writes`, `crash_agent_writes`). A write is known by its kind, such as
`PATCH pods/status` or `create log data`. Files in the folder: `seen` (every kind that was met), `armed` (the points
that shall kill, written by the test), `hit` (those that did, with the moment and whom they killed), and `lock`, held
while these two are compared or changed. Worker processes of the gateway are wrapped too: one can die alone or take
the gateway along.
"""

import contextlib
import fcntl
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = "CRASH_FOLDER"
# The name by which the test knows the program.
PROGRAM: Final = "CRASH_PROGRAM"
WORKER: Final = "worker"
# The gateway, killed by its worker in the middle of the worker's write.
GATEWAY_OF_WORKER: Final = "gateway of worker"

_CLUSTER: Final = "support.crash_cluster_writes"
_WRAPPED: Final = {
    "parkade_operator.gateway": ("gateway", _CLUSTER),
    "parkade_operator.controllers": ("operator", _CLUSTER),
    "parkade_agent": ("agent", "support.crash_agent_writes"),
}


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """Where a process can be killed: `before` or `after` the writes of one kind."""

    process: str
    kind: str
    side: str

    def line(self) -> str:
        """The point as the files in the folder hold it."""
        return f"{self.process}\t{self.kind}\t{self.side}"


@dataclass(frozen=True, slots=True)
class Hit:
    """What a point has killed: when, as Unix time, and whom. A worker's is the gateway's where both died."""

    at: float
    program: str
    pid: int


class Points:
    """The folder that the test and the processes share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def arm(self, points: Iterable[Point]) -> None:
        """Exactly these points kill from now on, each once; whoever another one has killed is in `hits` by then."""
        with self._locked():
            (self.folder / "armed").write_text("".join(point.line() + "\n" for point in points))

    def seen(self) -> set[tuple[str, str]]:
        """Process and kind of every write that was met."""
        return {(process, kind) for process, kind in self._rows("seen")}

    def hits(self) -> dict[Point, Hit]:
        """The points that have killed, in their order."""
        rows = self._rows("hit")
        return {Point(*row[:3]): Hit(float(row[3]), row[4], int(row[5])) for row in rows}

    def note(self, process: str, kind: str) -> None:
        """Called by a process: it writes such a thing."""
        self._append("seen", f"{process}\t{kind}")

    def is_due(self, point: Point, pid: int) -> bool:
        """Called by a process: whether *pid* dies here; the kill is noted first, as nothing can be afterwards."""
        with self._locked():
            if tuple(point.line().split("\t")) not in self._rows("armed") or point in self.hits():
                return False
            self._append("hit", f"{point.line()}\t{time.time()}\t{os.environ.get(PROGRAM, '')}\t{pid}")
            return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two processes at one point are not both killed by it, and none at a point that is disarmed by then."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _rows(self, name: str) -> list[tuple[str, ...]]:
        place = self.folder / name
        lines = place.read_text().splitlines() if place.exists() else []
        return [tuple(line.split("\t")) for line in lines]

    def _append(self, name: str, line: str) -> None:
        # One write of a short line: lines of several processes never mix.
        with (self.folder / name).open("a") as file:
            file.write(line + "\n")


class Reaper:
    """What the wrapped functions of one process call; *victims*: by name, the pids that die at its points."""

    def __init__(self, points: Points, victims: Mapping[str, Sequence[int]]) -> None:
        self._points = points
        self._victims = victims
        self._met: set[str] = set()

    def reach(self, kind: str, side: str) -> None:
        """Returns, or does not."""
        if kind not in self._met:
            self._met.add(kind)
            for process in self._victims:
                self._points.note(process, kind)
        for process, pids in self._victims.items():
            if self._points.is_due(Point(process, kind, side), pids[0]):
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)


def main(module: str) -> None:
    """Runs *module*'s `main` in this process, wrapped."""
    process, writes = _WRAPPED[module]
    importlib.import_module(writes).wrap(Reaper(_points(), {process: [os.getpid()]}))
    sys.argv = [module]
    importlib.import_module(f"{module}.__main__").main()


def _points() -> Points:
    return Points(Path(os.environ[FOLDER]))


if __name__ == "__main__":
    main(sys.argv[1])
elif __name__ == "__mp_main__":
    # A worker of the gateway: multiprocessing imports the main module anew in each.
    _pids = {WORKER: [os.getpid()], GATEWAY_OF_WORKER: [os.getppid(), os.getpid()]}
    importlib.import_module(_CLUSTER).wrap(Reaper(_points(), _pids))
