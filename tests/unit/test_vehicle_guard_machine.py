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
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from parkade_api import vss
from parkade_core.vehicle.guard import Action, GuardState, decide, initial
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.readings import Value
from parkade_core.vehicle.rules import PoolRules
from parkade_core.vehicle.standing import parked_since, resumed
from support.facts import GOOD
from support.forbidding import forbids, look, most_lanes, stops
from support.happenings import CONSENTS, LIMITS, OTHERS, PAUSES, POOLS, SIGNALS, WAVES
from support.situation import LENDING, Past, Situation, consent

LEAST_STEPS = 20_000
CHANGES = st.sampled_from([(path, value) for path, values in SIGNALS.items() for value in values])
PATHS = st.sampled_from(sorted({*GOOD, *SIGNALS}))
PAUSE = st.sampled_from(PAUSES)


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

    @rule(signals=st.lists(CHANGES, min_size=1, max_size=2), pause=PAUSE)
    def signals_change(self, signals: list[tuple[str, Value | None]], pause: float) -> None:
        """To a good value, a bad one, an impossible one, or nothing."""
        for path, value in signals:
            self.seen.hear(path, value)
        self.wait(pause)

    @rule(wave=st.sampled_from(WAVES))
    def charge_or_heat_wavers(self, wave: tuple[str, Value | None, Value | None]) -> None:
        """All else is good, and each value stays for long enough to open what it closed."""
        path, *values = wave
        self.all_is_good_again()
        for value in values:
            self.seen.hear(path, value)
            self.wait(61.0)

    @rule(path=PATHS, pause=PAUSE)
    def a_signal_falls_silent(self, path: str, pause: float) -> None:
        """Its last value stays and grows old."""
        self.seen.silent.setdefault(path, self.seen.now)
        self.wait(pause)

    @rule(path=PATHS, pause=PAUSE)
    def the_clock_of_a_source_is_set(self, path: str, pause: float) -> None:
        """What it told last is not believed, however fresh it is."""
        self.seen.disbelieved.add(path)
        self.wait(pause)

    @rule(pause=PAUSE)
    def the_bus_repeats_itself(self, pause: float) -> None:
        """All is heard again."""
        self.seen.silent.clear()
        self.seen.disbelieved.clear()
        self.wait(pause)

    @rule()
    def all_is_good_again(self) -> None:
        """Under the same rules, limits and consent: so that the next change has something to stop."""
        kept = self.seen
        own = replace(LENDING, limits=kept.own.limits, consent=kept.own.consent)
        self.seen = Situation(
            kept.now, rules=kept.rules, own=own, consents=kept.consents, ahead=kept.ahead, past=kept.past
        )
        self.wait(122.0)

    @rule(rules=st.sampled_from(POOLS), pause=PAUSE)
    def the_pool_changes(self, rules: PoolRules | None, pause: float) -> None:
        """Its rules, or which pool the vehicle is in."""
        self.seen.rules = rules
        self.wait(pause)

    @rule(limits=st.sampled_from(LIMITS), pause=PAUSE)
    def the_owner_sets_limits(self, limits: OwnerLimits, pause: float) -> None:
        """Tighter, looser, other ones."""
        self.seen.own = replace(self.seen.own, limits=limits)
        self.wait(pause)

    @rule(kind=st.sampled_from(CONSENTS), pause=PAUSE)
    def the_owner_decides_on_consent(self, kind: str, pause: float) -> None:
        """Grants, narrows, renews, revokes, or lets it run out."""
        self.seen.consents = kind
        self.seen.own = replace(self.seen.own, consent=consent(kind))
        self.wait(pause)

    @rule(
        change=st.sampled_from([{name: value} for name, values in OTHERS.items() for value in values]),
        pause=PAUSE,
    )
    def something_else_happens(self, change: dict[str, Any], pause: float) -> None:
        """In the vehicle, to its owner's mind, or around it."""
        self.seen.own = replace(self.seen.own, **change)
        self.wait(pause)

    @rule(ahead=st.sampled_from([0.0, 0.0, -3600.0, 10 * 3600.0]), believed=st.booleans(), pause=PAUSE)
    def the_clock_steps(self, ahead: float, believed: bool, pause: float) -> None:  # noqa: FBT001 - drawn
        """And may not be believed any more."""
        self.seen.ahead, self.seen.is_believed = ahead, believed
        self.wait(pause)

    @rule(seconds=st.one_of(st.none(), st.sampled_from([60.0, 600.0, 30_000.0])), pause=PAUSE)
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

    @rule(why=st.sampled_from(["", "forged results"]), pause=PAUSE)
    def the_cluster_speaks(self, why: str, pause: float) -> None:
        """It trusts the vehicle, or not."""
        self.seen.quarantined = why
        self.wait(pause)

    @rule()
    def the_agent_restarts(self) -> None:
        """It remembers no verdict, and its slot died with it."""
        self.restart(initial(self.seen.now))

    @precondition(lambda self: self.seen.rules is not None and parked_since(self.state) is not None)
    @rule()
    def the_agent_is_back_at_once(self) -> None:
        """It remembers since when the vehicle stands, and nothing else."""
        since = parked_since(self.state)
        assert since is not None
        self.restart(resumed(initial(self.seen.now), since))

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
        own = replace(LENDING, limits=limits, consent=consent(kind))
        now, past = self.seen.now, self.seen.past
        self.seen = Situation(now, rules=rules, own=own, consents=kind, ahead=ahead, past=past)
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

    def restart(self, state: GuardState) -> None:
        """A new agent begins with *state*; what counts later of the past is only since when the vehicle stands."""
        self.state, self.is_alive = state, False
        self.changes.clear()
        self.seen.past = Past(parked_since=self.seen.past.parked_since)
        self.look()

    def look(self) -> None:
        """One decision, and what the slot does about it."""
        GuardMachine.decisions += 1
        before, now = self.state, self.seen.now
        look(self.seen)
        self.state = decide(self.seen.facts(), before, now)
        assert self.state.recheck_at is None or self.state.recheck_at > now
        self.is_alive = (self.is_alive and self.state.action is not Action.KILL) or self.state.may_start
        self._hold_the_promise(before)
        self._note_change(before)

    def _hold_the_promise(self, before: GuardState) -> None:
        """Nothing computes that must not, on more lanes than it may, or starts; only consent kills without a grace."""
        stopping = stops(self.seen)
        GuardMachine.worked += self.is_alive and self.state.action is Action.RUN
        assert not (stopping and self.state.action is Action.RUN), stopping
        forbidding = stopping or forbids(self.seen)
        assert not (self.state.may_start and forbidding), forbidding
        lanes = self.seen.own.lanes if self.state.lanes is None else self.state.lanes
        assert self.state.action is not Action.RUN or not self.is_alive or lanes <= most_lanes(self.seen.own)
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


@pytest.mark.long(30)
def test_nothing_computes_while_a_reason_forbids_it() -> None:
    """Over at least 20,000 steps, in whatever order signals, rules, owner and clock change."""
    GuardMachine.steps = GuardMachine.decisions = GuardMachine.worked = 0
    chosen = settings(max_examples=280, stateful_step_count=100, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(GuardMachine, settings=chosen)
    print(GuardMachine.steps, "steps", GuardMachine.decisions, "decisions", GuardMachine.worked, "at work")  # noqa: T201
    assert GuardMachine.steps >= LEAST_STEPS
    assert GuardMachine.worked >= GuardMachine.decisions / 20, (
        "a guard that never lets work run proves nothing"
    )
