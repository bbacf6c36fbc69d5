"""How much faster a candidate's graph runs than float32's: runs in turn, one thread, one record each, CPU time."""

import statistics
import time
from collections.abc import Sequence
from typing import Final

from parkade_models.recipes import Feeds
from parkade_models.session import Session

ROUNDS: Final = 7
_ROUND_SECONDS: Final = 0.5


def speed_ratio(reference: Session, candidate: Session, feeds: Sequence[Feeds]) -> float:
    """Runs a CPU second of *candidate* over *reference*, the median of several rounds over the same feeds.

    CPU time and turns, because neighbours on the machine disturb both graphs alike.
    """
    used = feeds[: _count(reference, feeds)]
    for session in (reference, candidate):
        _seconds(session, used[0])
    return statistics.median(_round(reference, candidate, used) for _ in range(ROUNDS))


def _round(reference: Session, candidate: Session, feeds: Sequence[Feeds]) -> float:
    pairs = [(_seconds(reference, each), _seconds(candidate, each)) for each in feeds]
    return sum(slow for slow, _ in pairs) / sum(fast for _, fast in pairs)


def _count(session: Session, feeds: Sequence[Feeds]) -> int:
    """How many of the feeds a round takes, so that a slow model does not take all day."""
    return max(1, min(len(feeds), int(_ROUND_SECONDS / max(_seconds(session, feeds[0]), 1e-6))))


def _seconds(session: Session, feeds: Feeds) -> float:
    outputs = [spec.name for spec in session.outputs]
    begun = time.thread_time()
    session.run(outputs, feeds)
    return time.thread_time() - begun
