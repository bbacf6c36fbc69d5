"""One line that says what is being built: rewritten on a terminal, repeated now and then in a log."""

import sys
from typing import TextIO

REPEAT_SECONDS = 20.0


class ProgressLine:
    """Writes a changing line to *stream*; in a log file only when it is new or `REPEAT_SECONDS` old."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._rewrites = self._stream.isatty()
        self._said_at = float("-inf")
        self._step = ""

    def show(self, step: str, detail: str, now: float) -> None:
        """Shows *step* and *detail*; *now* is a monotonic time in seconds."""
        if self._rewrites:
            self._stream.write(f"\r\x1b[2K{step}, {detail}")
        elif step != self._step or now - self._said_at >= REPEAT_SECONDS:
            self._stream.write(f"{step}, {detail}\n")
            self._said_at = now
        self._step = step
        self._stream.flush()

    def end(self, sentence: str) -> None:
        """Leaves *sentence* as the last word on the line."""
        self._stream.write(f"\r\x1b[2K{sentence}\n" if self._rewrites else f"{sentence}\n")
        self._stream.flush()
