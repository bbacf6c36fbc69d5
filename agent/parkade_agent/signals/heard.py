"""What was heard of each path of a live source: its value, when by our own clock, and how its stamps ran."""

import time
from collections.abc import Container
from dataclasses import dataclass
from math import inf

from parkade_core.vehicle.plausible import Stamps, Value, follow
from parkade_core.vehicle.readings import Reading, Readings

QUIET_SECONDS = 0.9
"""A repeated value is news only after so long: a bus repeats itself many times a second."""


def boottime() -> float:
    """Seconds on a clock that never steps and that a computer's sleep does not stop: what was heard before is old."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def slept() -> float:
    """For how many seconds the computer has slept since it was switched on."""
    return boottime() - time.monotonic()


@dataclass(frozen=True, slots=True)
class _Word:
    value: Value
    heard_at: float | None  # None: told as stored, so nobody knows how old it is
    stamps: Stamps
    fault: str


class Heard:
    """Keeps the newest word of each path. Not for two threads at once."""

    def __init__(self) -> None:
        self._words: dict[str, _Word] = {}

    def forget(self, path: str) -> bool:
        """Takes back *path*, because its source has no value any more; true when there was one."""
        return self._words.pop(path, None) is not None

    def keep(self, paths: Container[str]) -> None:
        """Takes back every path that is not among *paths*."""
        self._words = {path: word for path, word in self._words.items() if path in paths}

    def take(self, path: str, value: Value, stamp: float, now: float, *, is_stored: bool) -> bool:
        """Takes a value with its source's *stamp*; true when that is news.

        A stored value, told because somebody asked, makes nothing fresh: its provider may be long dead. The same
        value with the same stamp is the same word again.
        """
        before = self._words.get(path)
        if before is not None and (before.value, before.stamps.newest) == (value, stamp):
            return False
        stamps, fault = follow(before.stamps if before else None, stamp, now)
        last = before.heard_at if before else None
        word = self._words[path] = _Word(value, last if is_stored else now, stamps, fault)
        was_quiet = last is None or now - last >= QUIET_SECONDS
        return before is None or (word.value, word.fault) != (before.value, before.fault) or was_quiet

    def readings(self, now: float) -> Readings:
        """Every path's reading at *now*."""
        return {
            path: Reading(word.value, inf if word.heard_at is None else now - word.heard_at, word.fault)
            for path, word in self._words.items()
        }
