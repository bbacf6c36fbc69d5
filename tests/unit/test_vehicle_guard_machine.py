"""Whatever happens to a vehicle, in whatever order: nothing computes while a reason forbids it.

What forbids work is said here once more, in the plainest words, from what the vehicle was put into.
"""

from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from parkade_api import vss
from parkade_core.vehicle.guard import Action, GuardState, decide, initial
from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.readings import Value
from parkade_core.vehicle.rules import Charging, PoolRules, StopPolicy
from support.facts import GOOD, OWN, RULES
from support.situation import NIGHT, TERMS, Situation, consent, forbids, stops

LEAST_STEPS = 20_000
ASKING = replace(RULES, consent=TERMS, parked_for=90, max_energy_wh_per_day=500)
POOLS: list[PoolRules | None] = [
    None,
    RULES,
    ASKING,
    replace(
        RULES,
        charging=Charging.NOT_REQUIRED,
        cooldown=5,
        reserve_state_of_charge_percent=75,
        max_energy_wh_per_day=500,
    ),
    replace(RULES, windows=(NIGHT,), places=frozenset({"home"}), links=frozenset({"wifi"})),
    replace(RULES, stop_policy=StopPolicy.HOLD),
    replace(RULES, stop_policy=StopPolicy.HOLD_AND_DRAIN),
]
LIMITS = [
    NO_LIMITS,
    OwnerLimits(min_state_of_charge_percent=70, max_lanes=2),
    OwnerLimits(max_compute_celsius=60, max_battery_celsius=35, min_battery_celsius=10),
    OwnerLimits(hours=(NIGHT,)),
    OwnerLimits(places=frozenset({"home", "depot"})),
    OwnerLimits(max_energy_wh_per_day=300, allow_metered_link=True),
]
SIGNALS: dict[str, list[Value | None]] = {
    vss.SPEED: [0, 30.0, float("nan"), None],
    vss.IS_MOVING: [True, None],
    vss.PARKING_BRAKE: [False, "on"],
    vss.LOW_VOLTAGE_STATE: ["OFF", "ACC", "START"],
    vss.STATE_OF_CHARGE: [80, 72, 62, 62, 55, 140, None],
    vss.PLUGGED_IN: [True, False, None],
    vss.BATTERY_CELSIUS: [25, 36, 42, 46, 46, 5, -3, None],
    vss.COMPUTE_CELSIUS: [40, 62, 72, 80, -30, None, None],
    vss.IS_CONNECTED: [True, False],
}
OTHERS: dict[str, list[object]] = {
    "paused_because": ["", "the owner paused"],
    "problem": ["", "limits.json: not JSON"],
    "trouble": ["", "the disk is full"],
    "missing_layers": [(), ("seccomp",)],
    "place": ["home", "work", ""],
    "link": ["wifi", "cellular", ""],
    "wanted_cores": [0, 2],
    "energy_wh_today": [0.0, 310.0, 550.0],
}
PATH_AND_VALUE = st.sampled_from([(path, value) for path, values in SIGNALS.items() for value in values])
PAUSES = st.sampled_from([0.0, 0.5, 0.5, 7.0, 40.0, 61.0])  # binary fractions: sums of them are exact
CONSENTS = ["none", "granted", "granted", "home only", "old terms", "expired", "revoked"]


class GuardMachine(RuleBasedStateMachine):
    """One vehicle, its owner, its pool, and a slot that starts whenever it may."""

    steps: ClassVar[int] = 0
    decisions: ClassVar[int] = 0
    worked: ClassVar[int] = 0  # decisions after which the slot computed

    @initialize()
    def begin(self) -> None:
        """A vehicle as good as any, under a pool's rules."""
        self.seen = Situation()
        self.state = initial(self.seen.now)
        self.is_alive = False
        self.changes: deque[float] = deque(maxlen=3)
        self.look()

    @rule(signals=st.lists(PATH_AND_VALUE, min_size=1, max_size=2), pause=PAUSES)
    def signals_change(self, signals: list[tuple[str, Value | None]], pause: float) -> None:
        """To a good value, a bad one, an impossible one, or nothing."""
        for path, value in signals:
            self.seen.silent.pop(path, None)
            others = {other: said for other, said in self.seen.values.items() if other != path}
            self.seen.values = others if value is None else {**others, path: value}
        self.wait(pause)

    @rule(path=st.sampled_from(sorted(GOOD)), pause=PAUSES)
    def a_signal_falls_silent(self, path: str, pause: float) -> None:
        """Its last value stays and grows old."""
        self.seen.silent.setdefault(path, self.seen.now)
        self.wait(pause)

    @rule(pause=PAUSES)
    def the_bus_repeats_itself(self, pause: float) -> None:
        """All is heard again."""
        self.seen.silent.clear()
        self.wait(pause)

    @rule()
    def all_is_good_again(self) -> None:
        """Under the same rules, limits and consent: so that the next change has something to stop."""
        kept = self.seen
        own = replace(OWN, limits=kept.own.limits, consent=kept.own.consent)
        self.seen = Situation(kept.now, rules=kept.rules, own=own, consents=kept.consents, ahead=kept.ahead)
        self.wait(122.0)

    @rule(rules=st.sampled_from(POOLS), pause=PAUSES)
    def the_pool_changes(self, rules: PoolRules | None, pause: float) -> None:
        """Its rules, or which pool the vehicle is in."""
        self.seen.rules = rules
        self.wait(pause)

    @rule(limits=st.sampled_from(LIMITS), pause=PAUSES)
    def the_owner_sets_limits(self, limits: OwnerLimits, pause: float) -> None:
        """Tighter, looser, other ones."""
        self.seen.own = replace(self.seen.own, limits=limits)
        self.wait(pause)

    @rule(kind=st.sampled_from(CONSENTS), pause=PAUSES)
    def the_owner_decides_on_consent(self, kind: str, pause: float) -> None:
        """Grants, narrows, renews, revokes, or lets it run out."""
        self.seen.consents = kind
        self.seen.own = replace(self.seen.own, consent=consent(kind))
        self.wait(pause)

    @rule(
        change=st.sampled_from([{name: value} for name, values in OTHERS.items() for value in values]),
        pause=PAUSES,
    )
    def something_else_happens(self, change: dict[str, Any], pause: float) -> None:
        """In the vehicle, to its owner's mind, or around it."""
        self.seen.own = replace(self.seen.own, **change)
        self.wait(pause)

    @rule(ahead=st.sampled_from([0.0, 0.0, -3600.0, 10 * 3600.0]), believed=st.booleans(), pause=PAUSES)
    def the_clock_steps(self, ahead: float, believed: bool, pause: float) -> None:  # noqa: FBT001 - drawn
        """And may not be believed any more."""
        self.seen.ahead, self.seen.is_believed = ahead, believed
        self.wait(pause)

    @rule(seconds=st.one_of(st.none(), st.sampled_from([60.0, 600.0, 30_000.0])), pause=PAUSES)
    def the_owner_plans_to_leave(self, seconds: float | None, pause: float) -> None:
        """So many seconds from now, or not at all, under a pool that minds."""
        if self.seen.rules is not None:
            self.seen.rules = replace(self.seen.rules, respect_schedule=True, quiet_before=900)
        plan: dict[str, Value] = {vss.TIMER_MODE: "INACTIVE"}
        if seconds is not None:
            moment = self.seen.clock + timedelta(seconds=seconds)
            plan = {vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: moment.isoformat()}
        self.seen.values = {**self.seen.values, **plan}
        self.wait(pause)

    @rule(why=st.sampled_from(["", "forged results"]), pause=PAUSES)
    def the_cluster_speaks(self, why: str, pause: float) -> None:
        """It trusts the vehicle, or not."""
        self.seen.quarantined = why
        self.wait(pause)

    @rule()
    def the_agent_restarts(self) -> None:
        """It remembers no verdict, and its slot died with it."""
        self.state, self.is_alive = initial(self.seen.now), False
        self.changes.clear()
        self.seen.blind.clear()
        self.look()

    @rule(
        rules=st.sampled_from(POOLS),
        limits=st.sampled_from(LIMITS),
        kind=st.sampled_from(CONSENTS),
        ahead=st.sampled_from([0.0, 11 * 3600.0]),
    )
    def nothing_happens_for_long(
        self, rules: PoolRules | None, limits: OwnerLimits, kind: str, ahead: float
    ) -> None:
        """With good signals work may start, unless a rule or a limit forbids it: a guard that never opens is none."""
        own = replace(OWN, limits=limits, consent=consent(kind))
        self.seen = Situation(self.seen.now, rules=rules, own=own, consents=kind, ahead=ahead)
        self.wait(200.0)
        forbidding = stops(self.seen) or forbids(self.seen)
        assert self.state.may_start == (not forbidding), (forbidding, self.state)

    @invariant()
    def it_says_why(self) -> None:
        """Every closed door has its cause and its remedy; nobody is killed without a reason."""
        GuardMachine.steps += 1
        state = self.state
        assert state.action is not Action.KILL or state.reasons
        if not state.may_start:
            assert state.causes
            assert all(cause.message and cause.remedy for cause in state.causes), state.causes
            assert set(state.reasons) <= {cause.reason for cause in state.causes}, state
        assert state.lanes is None or 1 <= state.lanes < self.seen.own.lanes

    def wait(self, seconds: float) -> None:
        """Lets time pass; the guard decides at once, and whenever it asked to."""
        until = self.seen.now + seconds
        self.look()
        while self.state.recheck_at is not None and self.state.recheck_at <= until:
            self.seen.now = self.state.recheck_at
            self.look()
        self.seen.now = until

    def look(self) -> None:
        """One decision, and what the slot does about it."""
        GuardMachine.decisions += 1
        before, now = self.state, self.seen.now
        self.seen.look()
        self.state = decide(self.seen.facts(), before, now)
        assert self.state.recheck_at is None or self.state.recheck_at > now
        self.is_alive = (self.is_alive and self.state.action is not Action.KILL) or self.state.may_start
        self._hold_the_promise(before)
        self._note_change(before)

    def _hold_the_promise(self, before: GuardState) -> None:
        """Nothing computes that must not, nothing starts that may not, and only consent kills without a grace."""
        stopping = stops(self.seen)
        GuardMachine.worked += self.is_alive and self.state.action is Action.RUN
        assert not (stopping and self.state.action is Action.RUN), stopping
        forbidding = stopping or forbids(self.seen)
        assert not (self.state.may_start and forbidding), forbidding
        if self.seen.rules is None:
            assert not self.is_alive
        elif self.seen.lacks_consent():
            assert self.state.action is Action.KILL
        elif before.action is Action.RUN:
            assert self.state.action is not Action.KILL

    def _note_change(self, before: GuardState) -> None:
        """Of any three changes of whether work may start, the last is a minute after the first."""
        if not self.state.has_rules or not before.has_rules:
            self.changes.clear()
        elif self.state.may_start != before.may_start:
            self.changes.append(self.seen.now)
            if len(self.changes) == 3:
                assert self.changes[2] - self.changes[0] >= 59.999, self.changes


@pytest.mark.long(20)
def test_nothing_computes_while_a_reason_forbids_it() -> None:
    """Over at least 20,000 steps, in whatever order signals, rules, owner and clock change."""
    GuardMachine.steps = GuardMachine.decisions = GuardMachine.worked = 0
    chosen = settings(
        max_examples=250, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(GuardMachine, settings=chosen)
    print(GuardMachine.steps, "steps", GuardMachine.decisions, "decisions", GuardMachine.worked, "at work")  # noqa: T201
    assert GuardMachine.steps >= LEAST_STEPS
    assert GuardMachine.worked >= GuardMachine.decisions / 20, (
        "a guard that never lets work run proves nothing"
    )
