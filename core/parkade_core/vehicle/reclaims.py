"""How fast owners got their vehicles back: the newest reclaims of a pool, and what they say of its promise."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 24 * 3600.0
MOST_RECLAIMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ReclaimFigures:
    """Times in seconds; *violations* are the reclaims that took longer than they should.

    *is_partial* says that not all of the last day was heard: figures that may be worse, and prove no promise kept.
    """

    count: int
    p50: float
    p99: float
    violations: int
    is_partial: bool = False


class ReclaimWindow:
    """The reclaims of the last day, of many only the newest. All times are seconds on one monotonic clock.

    *began* is since when every reclaim would have been heard of.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._newest: deque[tuple[float, float]] = deque()  # when it was heard, how long it took
        self._by_length: list[float] = []

    def add(self, seconds: float, now: float) -> None:
        """A reclaim that took *seconds* was heard of."""
        self._newest.append((now, seconds))
        insort(self._by_length, seconds)
        if len(self._newest) > MOST_RECLAIMS:
            self._forget_oldest()

    def figures(self, target: float, now: float) -> ReclaimFigures | None:
        """What the window says of *target* at *now*; None while it is empty and does not yet reach back a day."""
        while self._newest and self._newest[0][0] <= now - WINDOW_SECONDS:
            self._forget_oldest()
        lengths = self._by_length
        is_partial = now - self._began < WINDOW_SECONDS
        if not lengths:
            return None if is_partial else ReclaimFigures(0, 0.0, 0.0, 0)
        late = len(lengths) - bisect_right(lengths, target)
        p50, p99 = _quantile(lengths, 50), _quantile(lengths, 99)
        return ReclaimFigures(len(lengths), p50, p99, late, is_partial)

    def _forget_oldest(self) -> None:
        _, seconds = self._newest.popleft()
        del self._by_length[bisect_left(self._by_length, seconds)]


def _quantile(ordered: list[float], percent: int) -> float:
    """The least of *ordered* that at least *percent* of them do not exceed (the nearest rank)."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]
