"""Signals from a script: a file of JSON lines that is followed, so an appended line is a new reading.

A line is `{"signals": {path: value}, "after": seconds, "silent": [path, ...]}`; all parts are optional, and it counts
once its newline is written. `after` waits since the line before. A recording stamps its lines with `"at": seconds`
instead, on any clock: they are played as far apart as their stamps are, and each must be later than the one before.
A parked vehicle's bus repeats its values: readings stay fresh until a line silences their path.

A line that is broken, out of order, or has the stamp of the one before is skipped, and told with its number.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictStr,
    ValidationError,
    model_validator,
)

from parkade_agent.signals.watch import Watch
from parkade_core.vehicle.readings import Reading, Readings

READ_BYTES = 64 * 1024
_log = structlog.get_logger()


class Line(BaseModel):
    """One line of the script."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signals: dict[str, StrictBool | StrictFloat | StrictStr] = Field(default_factory=dict)
    after: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Seconds since the previous line."
    )
    at: float | None = Field(
        default=None, allow_inf_nan=False, description="Seconds on the recording's clock."
    )
    silent: list[str] = Field(default_factory=list, description="Paths that the bus no longer repeats.")

    @model_validator(mode="after")
    def _has_one_time(self) -> Self:
        if self.at is not None and self.after:
            raise ValueError("a line has `at` or `after`, not both")
        return self


class ScriptedSignals:
    """A `SignalSource` that plays and follows the script at *path*, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._tail = _Tail(path)
        self._watch = Watch(path)
        self._values: dict[str, float | bool | str] = {}
        self._silent_since: dict[str, float] = {}
        self._lines: deque[Line] = deque()
        self._applied_at = time.monotonic()
        self._is_stopped = False
        self._ended_at: float | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        """Begins to play; *on_change* is called after every line that changed something."""
        self._thread = threading.Thread(target=self._play, args=(on_change,), name="signals", daemon=True)
        self._thread.start()

    def readings(self) -> Readings:
        """The newest value of each path; the age is the time since the bus last repeated it."""
        now = time.monotonic()
        with self._lock:
            told_at = now if self._ended_at is None else self._ended_at
            return {
                path: Reading(value, now - self._silent_since.get(path, told_at))
                for path, value in self._values.items()
            }

    def stop(self) -> None:
        """Ends the thread; readings age from then on."""
        self._is_stopped = True
        self._watch.wake()
        if self._thread is not None:
            self._thread.join()
        self._watch.close()

    def _play(self, on_change: Callable[[], None]) -> None:
        try:
            while not self._is_stopped:
                if self._advance(time.monotonic()):
                    on_change()
                self._watch.wait(self._patience(time.monotonic()))
        finally:
            self._ended_at = time.monotonic()  # however it ended: nothing is fresh any more

    def _advance(self, now: float) -> bool:
        """Applies every line that is due; true when one was."""
        changed = False
        while self._is_due(now):
            self._apply(self._lines.popleft(), now)
            changed = True
        return changed

    def _is_due(self, now: float) -> bool:
        if not self._lines:
            self._lines.extend(self._tail.next_lines())
        return bool(self._lines) and now >= self._due_at()

    def _due_at(self) -> float:
        return self._applied_at + self._lines[0].after

    def _patience(self, now: float) -> float | None:
        return max(0.0, self._due_at() - now) if self._lines else None

    def _apply(self, line: Line, now: float) -> None:
        # A recording keeps to its stamps: a line that is played late moves no other.
        self._applied_at = self._applied_at + line.after if line.at is not None and line.after else now
        with self._lock:
            self._values.update(line.signals)
            for path in line.signals:
                self._silent_since.pop(path, None)
            for path in line.silent:
                self._silent_since.setdefault(path, now)


class _Tail:
    """Reads the complete lines of a file that grows, some at a time: a recording may be of a year."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._number = 0
        self._stamp: float | None = None
        self.skipped = 0

    def next_lines(self) -> list[Line]:
        """The next lines that can be played; none when the file has no more yet."""
        while complete := self._read():
            self._offset += sum(map(len, complete))
            if lines := [line for line in map(self._parse, complete) if line is not None]:
                return lines
        return []

    def _read(self) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                return [line for line in file.readlines(READ_BYTES) if line.endswith(b"\n")]
        except FileNotFoundError:
            return []

    def _parse(self, raw: bytes) -> Line | None:
        self._number += 1
        if not raw.strip():
            return None
        try:
            return self._timed(Line.model_validate_json(raw))
        except ValidationError as error:
            self._skip(error.errors()[0]["msg"])
            return None

    def _timed(self, line: Line) -> Line | None:
        """The *line* with the seconds after the one before; None when its stamp is not later."""
        if line.at is None:
            return line
        last = line.at if self._stamp is None else self._stamp
        if self._stamp is not None and line.at <= last:
            kind = "is the same stamp as" if line.at == last else "is earlier than"
            self._skip(f"`at` {line.at:.16g} {kind} {last:.16g} of the line before")
            return None
        self._stamp = line.at
        return line.model_copy(update={"after": line.at - last})

    def _skip(self, problem: str) -> None:
        self.skipped += 1
        _log.warning(
            "a line of the script of signals is skipped",
            line=self._number,
            problem=problem,
            skipped=self.skipped,
        )
