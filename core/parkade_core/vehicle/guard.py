"""The vehicle's own word: may work start, run on, or must it stop now? No network is asked.

Driver back, low battery or heat freeze at once and kill after the grace if they last; a freeze thaws only
when its reason is gone. A missing plug forbids new work and lets running work finish. Missing parking signals
count as driving.
"""

from dataclasses import dataclass
from enum import StrEnum

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle.assess import JUDGES
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.verdict import Verdict, earliest


class Action(StrEnum):
    """What the guard does to the slot's processes."""

    RUN = "Run"
    FREEZE = "Freeze"
    KILL = "Kill"


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why the vehicle does not earn, or earns less: the number that failed, and what would change it."""

    condition: Condition
    reason: Reason
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class GuardState:
    """The guard's decision, why, since when, and when to decide again although no signal changed."""

    action: Action
    reasons: tuple[Reason, ...]
    message: str
    since: float
    recheck_at: float | None
    verdicts: tuple[Verdict, ...] = ()
    lanes: int | None = None  # most records at once; None: as many as the vehicle lends
    causes: tuple[Cause, ...] = ()

    @property
    def may_start(self) -> bool:
        """Whether a slot may start now."""
        return self.action is Action.RUN and not self.reasons

    @property
    def edge(self) -> tuple[object, ...]:
        """What the cluster is told at once when it changes; the rest waits for the next beat."""
        return (self.action, *((verdict.holds, verdict.effect, verdict.reason) for verdict in self.verdicts))


def initial(now: float) -> GuardState:
    """The state before the first decision: nothing runs and nothing may start."""
    return GuardState(Action.RUN, (Reason.UNKNOWN,), "no pool rules yet", now, None)


def decide(facts: Facts | None, previous: GuardState, now: float) -> GuardState:
    """The guard's next state. *now* and the times in it are seconds on one monotonic clock.

    *facts* is None while the vehicle has no rules of a pool.
    """
    if facts is None:
        return initial(now) if previous.verdicts else previous
    before = {verdict.condition: verdict for verdict in previous.verdicts}
    # The minimum hold spares the cluster; the guard follows the signals themselves.
    verdicts = tuple(judge(facts, before.get(condition), now, 0.0) for condition, judge in JUDGES.items())
    failing = tuple(verdict for verdict in verdicts if not verdict.holds)
    stopping = tuple(verdict for verdict in failing if _stops(verdict))
    action, since, kill_at = _act(bool(stopping), previous, now, facts.rules.driver_return_grace)
    return GuardState(
        action=action,
        reasons=tuple(
            dict.fromkeys(_reason(verdict) for verdict in (*stopping, *failing)),
        ),
        message="; ".join(verdict.message for verdict in stopping or failing),
        since=since,
        recheck_at=earliest((*(verdict.recheck_at for verdict in verdicts), kill_at)),
        verdicts=verdicts,
    )


def _stops(verdict: Verdict) -> bool:
    return verdict.effect is Effect.NO_EXECUTE and verdict.reason is not Reason.NOT_PARKED_LONG_ENOUGH


def _reason(verdict: Verdict) -> Reason:
    if verdict.condition is Condition.VEHICLE_PARKED and _stops(verdict):
        return Reason.DRIVING
    return verdict.reason or Reason.UNKNOWN


def _act(
    must_stop: bool,  # noqa: FBT001 - a fact
    previous: GuardState,
    now: float,
    grace: float,
) -> tuple[Action, float, float | None]:
    """Action, since when, and when a freeze becomes a kill."""
    if not must_stop:
        return Action.RUN, previous.since if previous.action is Action.RUN else now, None
    if previous.action is Action.KILL:
        return Action.KILL, previous.since, None
    frozen_at = previous.since if previous.action is Action.FREEZE else now
    if now >= frozen_at + grace:
        return Action.KILL, now, None
    return Action.FREEZE, frozen_at, frozen_at + grace
