"""The vehicle's own word: may work start, run on, or must it stop now, and with how many lanes? No network is asked.

Whatever has the effect NoExecute (driver back, low battery, heat or cold, the owner's word) freezes at once and kills
after the pool's grace; a consent or a pool that is gone kills at once. Other reasons forbid new work and let what runs
finish. Closing never waits, opening waits out the minimum hold, so what oscillates is stopped and stays so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle import consent_ok, link, policy, throttle, trusted
from parkade_core.vehicle.assess import JUDGES, Judge
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.throttle import Lanes
from parkade_core.vehicle.tightened import tightened
from parkade_core.vehicle.verdict import MINIMUM_HOLD, Verdict, blank, earliest

# In the order of conditions, which is that of reasons.
VEHICLE_JUDGES: Final[Mapping[Condition, Judge]] = {
    **JUDGES,
    Condition.CONNECTIVITY_OK: link.judge,
    Condition.POLICY_ALLOWS: policy.judge,
    Condition.CONSENT_CURRENT: consent_ok.judge,
    Condition.TRUSTED: trusted.judge,
}


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
    """The guard's decision, why, since when, and when to decide again although no signal changed.

    `rules` names the pool and the generation that it was decided under, empty without a pool.
    """

    action: Action
    reasons: tuple[Reason, ...]
    message: str
    since: float
    recheck_at: float | None
    verdicts: tuple[Verdict, ...] = ()
    lanes: int | None = None  # most records at once; None: as many as the vehicle lends
    causes: tuple[Cause, ...] = ()
    throttle: Lanes | None = None
    rules: str = ""

    @property
    def may_start(self) -> bool:
        """Whether a slot may start now."""
        return self.action is Action.RUN and not self.reasons

    @property
    def has_rules(self) -> bool:
        """Whether it was decided under the rules of a pool."""
        return bool(self.verdicts) and Reason.NO_POOL not in self.reasons

    @property
    def edge(self) -> tuple[object, ...]:
        """What the cluster is told at once when it changes; the rest waits for the next beat."""
        verdicts = ((verdict.holds, verdict.effect, verdict.reason) for verdict in self.verdicts)
        return (self.action, self.lanes, *verdicts)


def initial(now: float) -> GuardState:
    """The state before the first decision: nothing runs and nothing may start."""
    words = "no pool rules yet"
    cause = Cause(
        Condition.POLICY_ALLOWS,
        Reason.UNKNOWN,
        words,
        "wait for the gateway, or have the vehicle put in a pool",
    )
    return GuardState(Action.RUN, (Reason.UNKNOWN,), words, now, None, causes=(cause,))


def decide(facts: Facts | None, previous: GuardState, now: float) -> GuardState:
    """The guard's next state. *now* and the times in it are seconds on one monotonic clock.

    *facts* is None while the vehicle has no rules of a pool: whatever ran under the last ones ends at once.
    """
    if facts is None:
        return _without_pool(previous, now) if previous.has_rules else previous
    if facts.own is not None:
        facts = replace(facts, rules=tightened(facts.rules, facts.own.limits))
    before = {verdict.condition: verdict for verdict in previous.verdicts}
    verdicts = tuple(
        judge(facts, before.get(condition), now, MINIMUM_HOLD) for condition, judge in VEHICLE_JUDGES.items()
    )
    stopping = tuple(verdict for verdict in verdicts if verdict.effect is Effect.NO_EXECUTE)
    failing = tuple(verdict for verdict in verdicts if not verdict.holds)
    action, since, kill_at = _act(stopping, previous, now, facts.rules.driver_return_grace)
    lanes = _lanes(facts, verdicts, previous, now)
    return GuardState(
        action=action,
        reasons=tuple(dict.fromkeys(_reason(verdict) for verdict in (*stopping, *failing))),
        message="; ".join(verdict.message for verdict in stopping or failing),
        since=since,
        recheck_at=earliest((*(verdict.recheck_at for verdict in verdicts), kill_at, lanes.recheck_at)),
        verdicts=verdicts,
        lanes=None if facts.own is None or lanes.count >= facts.own.lanes else lanes.count,
        causes=_causes(facts, verdicts),
        throttle=lanes,
        rules=f"pool {facts.rules.pool}, generation {facts.rules.generation}",
    )


def refused(state: GuardState, because: str) -> GuardState:
    """*state* of a vehicle that has no rules, when its pool's were refused *because* of what a sentence says."""
    cause = Cause(Condition.POLICY_ALLOWS, state.reasons[0], because, policy.CORRECT_RULES)
    return replace(state, message=because, causes=(cause,))


def _without_pool(previous: GuardState, now: float) -> GuardState:
    """The state of a vehicle that was in a pool and is in none any more: nobody is left to say that work may go on.

    The next pool may be the same one, made anew: what was closed under the last one does not open earlier for it.
    """
    words = "the vehicle is in no pool any more"
    remedy = "have the vehicle put in a pool"
    cause = Cause(Condition.POLICY_ALLOWS, Reason.NO_POOL, words, remedy)
    verdicts = tuple(_remembered(verdict, words) for verdict in previous.verdicts)
    return GuardState(Action.KILL, (Reason.NO_POOL,), words, now, None, verdicts, causes=(cause,))


def _remembered(verdict: Verdict, words: str) -> Verdict:
    """A verdict while there are no rules: its latch and its minimum hold stay."""
    unknown = blank(verdict.condition, words, verdict)
    return replace(unknown, effect=verdict.effect, reason=verdict.reason or Reason.UNKNOWN)


def _lanes(facts: Facts, verdicts: tuple[Verdict, ...], previous: GuardState, now: float) -> Lanes:
    """How many lanes; work is halved while a verdict asks for less of it because of heat."""
    if facts.own is None:
        return Lanes(0)
    is_warm = any(
        verdict.condition is Condition.THERMAL_OK and verdict.effect is Effect.PREFER_NO_SCHEDULE
        for verdict in verdicts
    )
    return throttle.allow(facts.own, previous.throttle, now, is_warm=is_warm)


def _reason(verdict: Verdict) -> Reason:
    """The reason as the slot hears it: parking signals that are missing count as driving."""
    stops = verdict.effect is Effect.NO_EXECUTE
    if verdict.condition is Condition.VEHICLE_PARKED and stops and verdict.reason is Reason.UNKNOWN:
        return Reason.DRIVING
    return verdict.reason or Reason.UNKNOWN


def _act(
    stopping: tuple[Verdict, ...], previous: GuardState, now: float, grace: float
) -> tuple[Action, float, float | None]:
    """Action, since when, and when a freeze becomes a kill."""
    if not stopping:
        return Action.RUN, previous.since if previous.action is Action.RUN else now, None
    if previous.action is Action.KILL:
        return Action.KILL, previous.since, None
    frozen_at = previous.since if previous.action is Action.FREEZE else now
    revoked = any(verdict.condition is Condition.CONSENT_CURRENT for verdict in stopping)
    if revoked or now >= frozen_at + grace:
        return Action.KILL, now, None
    return Action.FREEZE, frozen_at, frozen_at + grace


def _causes(facts: Facts, verdicts: tuple[Verdict, ...]) -> tuple[Cause, ...]:
    """Every reason: first what stops work, then what forbids new work, then what makes it less."""
    found = [cause for verdict in verdicts for cause in _causes_of(facts, verdict)]
    return tuple(cause for _, cause in sorted(found, key=lambda weighed: weighed[0]))


def _causes_of(facts: Facts, verdict: Verdict) -> list[tuple[int, Cause]]:
    """The causes behind one verdict, each with its weight: 0 stops, 1 forbids, 2 makes less."""
    if verdict.holds:
        less = _LESS.get(verdict.condition) if verdict.effect is Effect.PREFER_NO_SCHEDULE else None
        return [(2, Cause(verdict.condition, less, verdict.message, verdict.remedy))] if less else []
    objections_of = _OBJECTIONS.get(verdict.condition)
    if objections_of is not None and (objections := objections_of(facts)):
        return [
            (0 if each.stops else 1, Cause(verdict.condition, each.reason, each.message, each.remedy))
            for each in objections
        ]
    weight = 0 if verdict.effect is Effect.NO_EXECUTE else 1
    return [(weight, Cause(verdict.condition, _reason(verdict), verdict.message, verdict.remedy))]


_OBJECTIONS: Final[Mapping[Condition, Callable[[Facts], tuple[Objection, ...]]]] = {
    Condition.POLICY_ALLOWS: policy.objections,
    Condition.CONSENT_CURRENT: consent_ok.objections,
}
"""Whose words for the owner are others than a verdict's, which the cluster hears."""
_LESS: Final = {Condition.CHARGING_OK: Reason.NOT_CHARGING, Condition.THERMAL_OK: Reason.TOO_HOT}
