"""The guard's decisions: start, run on, freeze, kill."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api import vss
from parkade_api.wellknown import Effect, Reason
from parkade_core.vehicle.appetite import plan_lease
from parkade_core.vehicle.facts import Facts, OwnFacts
from parkade_core.vehicle.guard import Action, GuardState, decide, initial
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import Charging, PoolRules

RULES = PoolRules("p", 1, 60, 65, Charging.REQUIRED, 75, 45, 0, 60, 30, 1.0)
GOOD: dict[str, Value] = {
    vss.SPEED: 0,
    vss.IS_MOVING: False,
    vss.PARK_LOCK: True,
    vss.LOW_VOLTAGE_STATE: "OFF",
    vss.STATE_OF_CHARGE: 80,
    vss.PLUGGED_IN: True,
    vss.BATTERY_CELSIUS: 25,
    vss.COMPUTE_CELSIUS: 40,
}


def readings(**changes: Value | None) -> dict[str, Reading]:
    """Fresh readings of a vehicle that may work, with some changed; None leaves a signal out."""
    values = GOOD | {getattr(vss, name): value for name, value in changes.items()}
    return {path: Reading(value, 0.0) for path, value in values.items() if value is not None}


def after(previous: GuardState | None, now: float, **changes: Value | None) -> GuardState:
    """The guard's next state under RULES."""
    return decide(Facts(readings(**changes), RULES, OwnFacts(link="wifi")), previous or initial(now), now)


def test_nothing_starts_without_rules() -> None:
    """Before the pool's rules are known the guard forbids every start."""
    state = decide(None, initial(0), 1)
    assert not state.may_start
    assert state.reasons == (Reason.UNKNOWN,)


def test_a_good_vehicle_may_start() -> None:
    """With rules and good signals a slot may start."""
    assert after(None, 1).may_start


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"IS_MOVING": True}, Reason.DRIVING),
        ({"IS_MOVING": None}, Reason.DRIVING),
        ({"LOW_VOLTAGE_STATE": "START"}, Reason.DRIVING),
        ({"STATE_OF_CHARGE": 59.9}, Reason.LOW_BATTERY),
        ({"COMPUTE_CELSIUS": 75.5}, Reason.TOO_HOT),
    ],
)
def test_it_freezes_at_once_and_kills_after_the_grace(
    changes: dict[str, Value | None], reason: Reason
) -> None:
    """Driver, charge and heat freeze immediately; what lasts for the grace kills, and stays killed."""
    frozen = after(after(None, 0), 10, **changes)
    assert (frozen.action, frozen.reasons, frozen.recheck_at) == (Action.FREEZE, (reason,), 11)
    assert after(frozen, 10.9, **changes).action is Action.FREEZE
    killed = after(frozen, 11, **changes)
    assert killed.action is Action.KILL
    assert after(killed, 50, **changes).action is Action.KILL


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PLUGGED_IN": False}, Reason.NOT_CHARGING),
        ({"STATE_OF_CHARGE": None}, Reason.UNKNOWN),
        ({"COMPUTE_CELSIUS": None}, Reason.UNKNOWN),
    ],
)
def test_it_forbids_new_work_and_lets_the_running_finish(
    changes: dict[str, Value | None], reason: Reason
) -> None:
    """A missing plug, or an unknown charge or heat, stops nothing that runs and starts nothing new."""
    state = after(after(None, 0), 10, **changes)
    assert (state.action, state.may_start, state.reasons) == (Action.RUN, False, (reason,))


@pytest.mark.parametrize("lost", ["STATE_OF_CHARGE", "COMPUTE_CELSIUS", "BATTERY_CELSIUS"])
def test_what_runs_blind_is_stopped(lost: str) -> None:
    """Nobody knows how low or how hot a vehicle is by now whose charge or heat is unknown for a minute."""
    blind = after(after(None, 0), 10, **{lost: None})
    assert (blind.action, blind.may_start) == (Action.RUN, False)
    assert blind.recheck_at is not None
    assert after(blind, 69.9, **{lost: None}).action is Action.RUN
    frozen = after(blind, 70, **{lost: None})
    assert (frozen.action, frozen.reasons) == (Action.FREEZE, (Reason.UNKNOWN,))
    assert after(frozen, 71, **{lost: None}).action is Action.KILL
    seen = after(blind, 69)
    assert after(seen, 75, **{lost: None}).action is Action.RUN


@pytest.mark.parametrize("changes", [{}, {"SPEED": 1}, {"PLUGGED_IN": False}])
def test_nothing_runs_on_without_rules(changes: dict[str, Value | None]) -> None:
    """A vehicle whose pool is gone ends what runs, and what was stopped."""
    gone = decide(None, after(after(None, 0), 10, **changes), 10.5)
    assert (gone.action, gone.reasons, gone.may_start) == (Action.KILL, (Reason.NO_POOL,), False)
    assert (gone.message, gone.causes[0].message) == ("the vehicle is in no pool any more",) * 2
    assert decide(None, gone, 11) is gone


@pytest.mark.parametrize(
    ("closing", "meanwhile", "opens_at"),
    [
        ({}, {}, 12),
        ({"STATE_OF_CHARGE": 59}, {"STATE_OF_CHARGE": 61}, None),
        ({"STATE_OF_CHARGE": 59}, {}, 70),
        ({"SPEED": 1}, {}, 70),
        ({"PLUGGED_IN": False}, {}, 70),
        ({"COMPUTE_CELSIUS": 76}, {}, 72),  # the cool-down begins anew: nobody has looked
    ],
)
def test_a_pool_that_is_made_anew_opens_nothing_early(
    closing: dict[str, Value | None], meanwhile: dict[str, Value | None], opens_at: float | None
) -> None:
    """What was closed stays so until it would have opened, latches and minimum holds; what was open may start."""
    gone = decide(None, after(after(None, 0), 10, **closing), 10.5)
    state, starts = gone, list[int]()
    for now in range(12, 200):
        state = after(state, now, **meanwhile)
        starts += [now] if state.may_start else []
    assert starts[:1] == ([] if opens_at is None else [opens_at])


def test_a_short_fright_ends_the_work() -> None:
    """A sign of driving that is gone within the grace kills all the same: what flaps shall not run in between."""
    frozen = after(after(None, 0), 10, SPEED=1)
    assert after(frozen, 10.5).action is Action.FREEZE
    killed = after(frozen, 11)
    assert killed.action is Action.KILL
    assert not after(killed, 69.9).may_start
    assert after(killed, 70).may_start


def test_parked_again_may_not_start_before_its_time() -> None:
    """After a drive new work waits for the pool's parked-for, and says for how long."""
    rules = replace(RULES, parked_for=200)
    driving = decide(Facts(readings(SPEED=3), rules, OwnFacts(link="wifi")), initial(0), 1)
    parked = decide(Facts(readings(), rules, OwnFacts(link="wifi")), driving, 2)
    assert (parked.reasons, parked.causes[0].remedy) == ((Reason.NOT_PARKED_LONG_ENOUGH,), "wait 4 min")
    assert not decide(Facts(readings(), rules, OwnFacts(link="wifi")), parked, 201).may_start
    assert decide(Facts(readings(), rules, OwnFacts(link="wifi")), parked, 202).may_start


def test_heat_that_becomes_invisible_stays_heat() -> None:
    """A sensor lost while it was too hot does not thaw what heat froze."""
    hot = after(after(None, 0), 10, COMPUTE_CELSIUS=90)
    assert after(hot, 10.5, COMPUTE_CELSIUS=None).action is Action.FREEZE


SIGNALS = st.fixed_dictionaries(
    {},
    optional={
        "IS_MOVING": st.sampled_from([True, False, None]),
        "STATE_OF_CHARGE": st.sampled_from([55, 62, 70, None]),
        "COMPUTE_CELSIUS": st.sampled_from([50, 72, 80, None]),
        "PLUGGED_IN": st.booleans(),
    },
)


@given(st.lists(st.tuples(st.floats(0, 3), SIGNALS), max_size=40))
def test_it_never_runs_while_a_stopping_reason_holds(
    steps: list[tuple[float, dict[str, Value | None]]],
) -> None:
    """Whatever the signals do: no running under a stopping verdict, no freeze beyond the grace, no early kill."""
    now, state = 0.0, initial(0)
    for seconds, changed in steps:
        before, now = state, now + seconds
        state = after(before, now, **changed)
        stopping = [verdict for verdict in state.verdicts if verdict.effect is Effect.NO_EXECUTE]
        assert (state.action is Action.RUN) == (not stopping)
        assert state.action is not Action.FREEZE or now - state.since < RULES.driver_return_grace
        assert not (before.action is Action.RUN and state.action is Action.KILL)
        assert not state.may_start or all(verdict.holds for verdict in state.verdicts)
        assert state.recheck_at is None or state.recheck_at > now


@pytest.mark.parametrize(
    ("in_hand", "pace", "want"),
    [
        (0, None, 2),
        (1, None, 1),
        (2, None, 0),
        (0, 0.5, 4),
        (3, 0.5, 0),
        (2, 0.5, 2),
        (0, 0.0, 64),
        (0, 900.0, 2),
    ],
)
def test_a_vehicle_leases_a_little_ahead_of_its_pace(in_hand: int, pace: float | None, want: int) -> None:
    """Two shards at first, then about two seconds of work, asked for when half of it is used up."""
    assert plan_lease(in_hand, pace) == want
