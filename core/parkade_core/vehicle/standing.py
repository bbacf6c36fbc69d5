"""Since when a vehicle is parked, as its agent tells the next one: what a killed agent saw must not be waited for anew.

Nobody watches while no agent runs, and a driver may come and go. So the word counts only in the same boot, and only
for a few seconds after it was last seen to be true: for whoever restarts an agent, not for whoever starts a vehicle.
"""

from dataclasses import dataclass, replace
from typing import Final

from parkade_api.wellknown import Condition
from parkade_core.vehicle.guard import GuardState
from parkade_core.vehicle.verdict import blank

MOST_UNSEEN: Final = 30.0
"""Seconds for which nobody may have looked."""
NOTE_AFTER: Final = 10.0
"""Seconds after which it is noted anew while a slot works: what is left of MOST_UNSEEN is for the restart."""
_SAME: Final = 0.5
"""Seconds by which one moment differs when it is read from two clocks."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Parked since `since`, as last seen at `seen`: seconds of the clock of that `boot` which never steps."""

    boot: str
    since: float
    seen: float


def parked_since(state: GuardState) -> float | None:
    """Since when the guard sees the vehicle parked without a break; None while it does not. Monotonic seconds."""
    verdicts = (each for each in state.verdicts if each.condition is Condition.VEHICLE_PARKED)
    return next((verdict.clear_since for verdict in verdicts), None)


def resumed(state: GuardState, since: float) -> GuardState:
    """*state* of a guard that has not decided under a pool's rules yet, and knows since when the vehicle is parked."""
    parked = replace(blank(Condition.VEHICLE_PARKED, "seen by an earlier agent"), clear_since=since)
    return replace(state, verdicts=(parked,))


def stood_for(standing: Standing | None, boot: str, now: float) -> float | None:
    """For how many seconds the vehicle is parked at *now*, on the clock of *boot*; None when nobody can say."""
    if standing is None or standing.boot != boot or not boot:
        return None
    is_in_order = standing.since <= standing.seen <= now
    return now - standing.since if is_in_order and now - standing.seen <= MOST_UNSEEN else None


def is_broken(noted: Standing | None, seen: Standing | None) -> bool:
    """Whether what was noted is true no more: the vehicle was driven since, or may have been. *seen* is what is now."""
    return noted is not None and (seen is None or abs(seen.since - noted.since) > _SAME)


def is_due(noted: Standing | None, seen: Standing) -> bool:
    """Whether what is *seen* must be noted for the next agent."""
    return noted is None or seen.seen >= noted.seen + NOTE_AFTER


def noted(standing: Standing) -> str:
    """*standing* as a line to remember."""
    return f"{standing.boot} {standing.since:.3f} {standing.seen:.3f}"


def recalled(line: str | None) -> Standing | None:
    """What was remembered; None before the first time, and for the empty line by which it was taken back.

    Raises ValueError for what `noted` does not write.
    """
    if not line:
        return None
    boot, since, seen = line.split()
    return Standing(boot, float(since), float(seen))
