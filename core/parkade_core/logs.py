"""Which part of a container's log its reader asked for.

A log is kept as stamped lines, `<RFC 3339 in UTC, to the nanosecond> <line>`: every stamp has the same width, so that
stamps compare as text and a line without its stamp is a slice.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

STAMP_WIDTH = len("2026-11-22T09:35:10.123456789Z ")
LONGEST_LINE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What `kubectl logs` can ask for; None asks for everything."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_unix_milliseconds: int | None = None
    limit_bytes: int | None = None


def problem_of(options: LogOptions) -> str | None:
    """Why nobody can answer these options; None when they can be answered."""
    if options.tail_lines is not None and options.tail_lines < 0:
        return "tailLines must not be negative"
    if options.limit_bytes is not None and options.limit_bytes < 1:
        return "limitBytes must be at least 1"
    return None


def select(lines: Iterable[bytes], since: bytes, tail_lines: int | None) -> list[bytes]:
    """Those of the stamped *lines* that are not older than the stamp *since*, and of these the last few.

    From the first line that is young enough on, every line counts: a clock that was set back hides nothing.
    """
    kept: deque[bytes] = deque(maxlen=tail_lines)
    is_young = not since
    for line in lines:
        is_young = is_young or line >= since
        if is_young:
            kept.append(line)
    return list(kept)


def shown(line: bytes, *, timestamps: bool) -> bytes:
    """A stamped line as its reader wants it."""
    return line if timestamps else line[STAMP_WIDTH:]


def split(rest: bytes, data: bytes) -> tuple[list[bytes], bytes]:
    """The lines that are whole once *data* follows *rest*, each with its line feed, and the new rest.

    A program that never ends its line gets one wherever LONGEST_LINE_BYTES are full.
    """
    *whole, rest = (rest + data).split(b"\n")
    lines = [part + b"\n" for line in whole for part in _cut(line)]
    *full, rest = _cut(rest)
    return lines + [part + b"\n" for part in full], rest


def _cut(line: bytes) -> list[bytes]:
    starts = range(0, max(1, len(line)), LONGEST_LINE_BYTES)
    return [line[start : start + LONGEST_LINE_BYTES] for start in starts]
