"""What a slot's programs print: captured through a pipe, stamped line by line as it comes, kept in bounded files.

The agent writes and reads in one event loop, so that a reader never sees half a line, and hears of every new one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.runtime.pipe import Pipe
from parkade_core.logs import split

MOST_FILE_BYTES: Final = 1 << 20
"""A run's log has two such files: the older one goes when the newer one is full."""
_RUNS: Final = 2
_NANOSECONDS: Final = 1_000_000_000
_log = structlog.get_logger()


def stamp(nanoseconds: int) -> bytes:
    """A Unix time as the lines of a log begin with it."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z ".encode()


class Output:
    """The output of one run of a program, in the event loop.

    `generation` grows with every change of files, `is_over` tells that nothing more will come.
    """

    def __init__(
        self, path: Path, most_bytes: int = MOST_FILE_BYTES, now: Callable[[], int] = time.time_ns
    ) -> None:
        self.path = path
        self.older = path.with_name(f"{path.name}.1")
        self.generation = 0
        self.is_over = False
        self._most_bytes = most_bytes
        self._now = now
        self._file = path.open("wb")
        self._size = 0
        self._rest = b""
        self._last_stamp = 0
        self._pipe = Pipe(self.write)
        self._is_lossy = False
        self._changed = asyncio.Event()

    def inlet(self) -> AbstractContextManager[int]:
        """The descriptor that a program is started with; this process's own copy is closed at the end."""
        return self._pipe.inlet()

    def close(self) -> None:
        """The program has ended: takes what it left in the pipe."""
        self._pipe.close()
        if self._rest:
            self.write(b"\n")
        with suppress(OSError):  # A full disk again: the last words are lost.
            self._file.close()
        self.is_over = True
        self._notify()

    def remove(self) -> None:
        """Deletes the files; whoever reads them goes on."""
        self.path.unlink(missing_ok=True)
        self.older.unlink(missing_ok=True)

    def next(self) -> asyncio.Event:
        """What is set at the next change. Take it before you look, so that a change after the look is never missed."""
        return self._changed

    def write(self, data: bytes) -> None:
        """Takes what the program printed now."""
        # A clock that is set back must not put younger lines before older ones.
        self._last_stamp = max(self._last_stamp, self._now())
        begin = stamp(self._last_stamp)
        lines, self._rest = split(self._rest, data)
        try:
            for line in lines:
                self._append(begin + line)
            if lines:
                self._file.flush()
        except OSError as error:
            # The program is not held up by a full disk; its words are lost.
            if not self._is_lossy:
                _log.warning("log lines lost", file=self.path.name, error=str(error))
            self._is_lossy = True
        self._notify()

    def _append(self, line: bytes) -> None:
        # After a disk that was full, the file may be closed, and gone.
        if self._file.closed or self._size + len(line) > self._most_bytes:
            self._file.close()
            with suppress(FileNotFoundError):
                self.path.replace(self.older)
            self._file, self._size, self.generation = self.path.open("wb"), 0, self.generation + 1
        self._file.write(line)
        self._size += len(line)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ContainerLog:
    """The outputs of one container of a slot: its run now, and the one before it."""

    def __init__(
        self,
        folder: Path,
        name: str,
        most_bytes: int = MOST_FILE_BYTES,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._name = name
        self._limits = (most_bytes, now)
        self._count = 0
        self._runs: deque[Output] = deque()

    def begin(self) -> Output:
        """The output of a new run; the oldest one goes. Raises OSError."""
        if len(self._runs) == _RUNS:
            self._runs.popleft().remove()
        output = Output(self._folder / f"{self._name}.{self._count}.log", *self._limits)
        self._count += 1
        self._runs.append(output)
        return output

    def run(self, *, previous: bool) -> Output | None:
        """The output of the newest run, or of the one before it; None when there is none."""
        back = 2 if previous else 1
        return self._runs[-back] if len(self._runs) >= back else None
