"""How fast a batch is worked on, over the last minute."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60.0


class Rate:
    """Records a second; times are seconds on the caller's monotonic clock."""

    def __init__(self, now: float) -> None:
        self._start = now
        self._done: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, records: int, now: float) -> None:
        """Note that *records* were committed."""
        self._done.append((now, records))
        self._sum += records

    def per_second(self, now: float) -> float:
        """Records committed a second over the window, or since the start when that is shorter."""
        while self._done and self._done[0][0] <= now - WINDOW_SECONDS:
            self._sum -= self._done.popleft()[1]
        span = min(now - self._start, WINDOW_SECONDS)
        return self._sum / span if span > 0 else 0.0
