"""Whether a vehicle's time of day is believed: a clock that was stepped is not, nor one that was set back meanwhile.

The floor is the highest time that was believed, and outlives the agent. Below it a clock is believed only when the
gateway's agrees with it, and then it becomes the floor: a clock that once ran ahead locks nobody out for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Final

MOST_STEP: Final = 60.0
"""Seconds by which the time of day may run away from the clock that never steps, or fall under the floor."""
NOTE_AFTER: Final = 3600.0
"""Seconds by which the floor that is remembered may be too low: it wears no disk out."""


@dataclass(frozen=True, slots=True)
class Daytime:
    """What a clock is held against.

    `started` and `told` are by how many seconds the time of day was ahead of the clock that never steps: when the
    agent started, and as the gateway told, None before it has. `floor` is in Unix seconds, infinite while nobody knows
    what was believed before: then the gateway must agree.
    """

    started: float
    told: float | None = None
    floor: float = inf


def believed(before: Daytime, unix: float, steady: float) -> Daytime | None:
    """*before* with a new floor, when a clock that shows *unix* can be believed; None when it cannot.

    *steady* is what the clock that never steps shows at the same moment.
    """
    ahead = unix - steady
    if before.told is not None and abs(ahead - before.told) <= MOST_STEP:
        return replace(before, floor=unix)
    if abs(ahead - before.started) <= MOST_STEP and unix >= before.floor - MOST_STEP:
        return replace(before, floor=max(unix, before.floor))
    return None


def must_be_noted(floor: float, noted: float, ends: Iterable[float]) -> bool:
    """Whether the journal, which has *noted*, must learn of *floor* now.

    It must from time to time, when the floor sank, and as soon as something ended, at one of the moments *ends*: a
    clock that is set back must not begin it anew.
    """
    is_old = floor >= noted + NOTE_AFTER
    return is_old or floor < noted - MOST_STEP or any(noted < end <= floor for end in ends)
