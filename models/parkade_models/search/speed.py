"""How much faster a candidate's graph runs than float32's: turns of both, one thread, one record a run, CPU time."""

import statistics
import time
from collections.abc import Sequence
from typing import Final

from parkade_models.recipes import Feeds
from parkade_models.session import Session

ROUNDS: Final = 7
_TURN_SECONDS: Final = 0.4  # in float32


def speed_ratio(reference: Session, candidate: Session, feeds: Sequence[Feeds]) -> float:
    """Runs a CPU second of *candidate* over *reference*, the median of several rounds over the same feeds.

    In a round each graph has one turn of all feeds: neighbours on the machine disturb both alike, and the caches are
    its own, as they are in a vehicle.
    """
    used = feeds[: _count(reference, feeds)]
    _turn(candidate, used[:1])
    return statistics.median(_turn(reference, used) / _turn(candidate, used) for _ in range(ROUNDS))


def _count(session: Session, feeds: Sequence[Feeds]) -> int:
    """How many of the feeds a turn takes, so that a slow model does not take all day."""
    _turn(session, feeds[:1])
    return max(1, min(len(feeds), int(_TURN_SECONDS / max(_turn(session, feeds[:1]), 1e-6))))


def _turn(session: Session, feeds: Sequence[Feeds]) -> float:
    """CPU seconds of one run for each of the feeds."""
    outputs = [spec.name for spec in session.outputs]
    begun = time.thread_time()
    for each in feeds:
        session.run(outputs, each)
    return time.thread_time() - begun
