"""What a vehicle's Node says, from signals and rules."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason, Taint
from parkade_core.vehicle.assess import Assessment, assess
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.readings import Reading, Value
from parkade_core.vehicle.rules import Charging, PoolRules
from support.facts import RULES, readings


def look(previous: Assessment | None = None, now: float = 0.0, **changes: Value | None) -> Assessment:
    """Assesses a connected vehicle under RULES."""
    return assess(Facts(readings(**changes), RULES), previous, now, connected=True)


def test_a_good_vehicle_is_eligible_at_once() -> None:
    """A parked, plugged, charged and cool vehicle gets no taint on the first look."""
    seen = look()
    assert seen.eligible
    assert seen.taints == seen.reasons == ()
    assert [verdict.condition for verdict in seen.verdicts] == list(Condition)


@pytest.mark.parametrize(
    ("changes", "reason", "taint", "words"),
    [
        ({"IS_MOVING": True}, Reason.DRIVING, (Taint.DRIVING, "", Effect.NO_EXECUTE), "IsMoving is true"),
        ({"SPEED": 12.5}, Reason.DRIVING, (Taint.DRIVING, "", Effect.NO_EXECUTE), "Speed 12.5 km/h"),
        ({"PARKING_BRAKE": False}, Reason.DRIVING, (Taint.DRIVING, "", Effect.NO_EXECUTE), "neither"),
        (
            {"LOW_VOLTAGE_STATE": "ACC"},
            Reason.DRIVING,
            (Taint.DRIVING, "", Effect.NO_EXECUTE),
            "LowVoltageSystemState ACC is not LOCK or OFF",
        ),
        (
            {"LOW_VOLTAGE_STATE": "ON"},
            Reason.DRIVING,
            (Taint.DRIVING, "", Effect.NO_EXECUTE),
            "LowVoltageSystemState ON",
        ),
        ({"IS_MOVING": None}, Reason.UNKNOWN, (Taint.DRIVING, "", Effect.NO_EXECUTE), "no IsMoving is heard"),
        ({"SPEED": "fast"}, Reason.UNKNOWN, (Taint.DRIVING, "", Effect.NO_EXECUTE), "must be a number"),
        ({"SPEED": float("nan")}, Reason.UNKNOWN, (Taint.DRIVING, "", Effect.NO_EXECUTE), "no finite number"),
        (
            {"PLUGGED_IN": False},
            Reason.NOT_CHARGING,
            (Taint.CHARGING, "", Effect.NO_SCHEDULE),
            "cable is not connected",
        ),
        (
            {"STATE_OF_CHARGE": 41},
            Reason.LOW_BATTERY,
            (Taint.BATTERY, "", Effect.NO_EXECUTE),
            "StateOfCharge 41 % is under the floor of 60 %",
        ),
        (
            {"STATE_OF_CHARGE": None},
            Reason.UNKNOWN,
            (Taint.BATTERY, "", Effect.NO_SCHEDULE),
            "no StateOfCharge is heard",
        ),
        (
            {"COMPUTE_CELSIUS": 76},
            Reason.TOO_HOT,
            (Taint.THERMAL, "hot", Effect.NO_EXECUTE),
            "computer 76 C is over the limit of 75 C",
        ),
        (
            {"BATTERY_CELSIUS": 46},
            Reason.TOO_HOT,
            (Taint.THERMAL, "hot", Effect.NO_EXECUTE),
            "traction battery 46 C is over the limit of 45 C",
        ),
        (
            {"COMPUTE_CELSIUS": None},
            Reason.UNKNOWN,
            (Taint.THERMAL, "", Effect.NO_SCHEDULE),
            "no computer Temperature is heard",
        ),
    ],
)
def test_one_bad_signal_closes_with_its_number(
    changes: dict[str, Value | None], reason: Reason, taint: tuple[Taint, str, Effect], words: str
) -> None:
    """Each signal out of bounds gives its own reason, taint and a message with the number that failed."""
    seen = look(**changes)
    assert not seen.eligible
    assert seen.reasons == (reason,)
    assert seen.taints == (taint,)
    assert words in next(verdict.message for verdict in seen.verdicts if not verdict.holds)


def test_warm_asks_for_less_work_and_stays_eligible() -> None:
    """Within five degrees of a limit the Node is avoided, not closed."""
    seen = look(COMPUTE_CELSIUS=72)
    assert seen.eligible
    assert seen.taints == ((Taint.THERMAL, "warm", Effect.PREFER_NO_SCHEDULE),)


@pytest.mark.parametrize("rule", [Charging.PREFERRED_ABOVE_FLOOR, Charging.NOT_REQUIRED])
def test_plug_is_asked_for_only_when_required(rule: Charging) -> None:
    """An unplugged vehicle works in a pool that does not require the plug."""
    unplugged = readings(PLUGGED_IN=False)
    assert assess(Facts(unplugged, replace(RULES, charging=rule)), None, 0, connected=True).eligible


@pytest.mark.parametrize("rules", [None, RULES])
def test_nothing_known_gives_only_the_unknown_taint(rules: PoolRules | None) -> None:
    """Without rules or without any reading nothing that runs is evicted."""
    seen = assess(None if rules is None else Facts({}, rules), None, 0, connected=True)
    assert not seen.eligible
    assert seen.taints == ((Taint.UNKNOWN, "", Effect.NO_SCHEDULE),)


def test_silence_keeps_what_was_known() -> None:
    """A vehicle that cannot be heard keeps its other verdicts: it is not gone."""
    before = look(STATE_OF_CHARGE=41)
    seen = assess(Facts(readings(age=500), RULES), before, 10, connected=False)
    assert seen.reasons == (Reason.LOW_BATTERY, Reason.SILENT)
    assert seen.taints[-1] == (Taint.CONNECTIVITY, "offline", Effect.NO_SCHEDULE)
    assert seen.verdicts[:4] == tuple(replace(verdict, recheck_at=None) for verdict in before.verdicts[:4])


def test_a_session_without_fresh_telemetry_is_silent() -> None:
    """An open connection that says nothing counts as silence."""
    seen = assess(Facts(readings(age=30), RULES), look(), 30, connected=True)
    assert seen.reasons == (Reason.SILENT,)


def test_stale_signal_is_noticed_by_time_alone() -> None:
    """`recheck_at` is when the first signal that is still fresh becomes stale, and then the verdict closes."""
    old = readings() | {vss.SPEED: Reading(0.0, 29)}
    first = assess(Facts(old, RULES), None, 100, connected=True)
    assert first.eligible
    assert first.recheck_at == 101
    later = readings(age=1) | {vss.SPEED: Reading(0.0, 30)}
    assert assess(Facts(later, RULES), first, 101, connected=True).reasons == (Reason.UNKNOWN,)


def test_battery_opens_at_the_resume_point() -> None:
    """Once under the floor, the floor is not enough to open again; a vehicle never stopped needs only the floor."""
    assert look(STATE_OF_CHARGE=62).eligible
    low = look(STATE_OF_CHARGE=59)
    between = look(low, 100, STATE_OF_CHARGE=62)
    assert between.reasons == (Reason.LOW_BATTERY,)
    assert "under the resume point of 65 %" in between.verdict(Condition.BATTERY_OK).message
    unknown = look(between, 200, STATE_OF_CHARGE=None)
    assert look(unknown, 300, STATE_OF_CHARGE=62).reasons == (Reason.LOW_BATTERY,)
    assert look(unknown, 300, STATE_OF_CHARGE=65).eligible


def test_heat_opens_after_dead_band_and_cooldown() -> None:
    """Too hot stays closed until five degrees under the limit, and for the cooldown after that."""
    hot = look(COMPUTE_CELSIUS=80)
    near = look(hot, 100, COMPUTE_CELSIUS=71)
    cool = look(near, 200, COMPUTE_CELSIUS=65)
    assert hot.reasons == near.reasons == cool.reasons == (Reason.TOO_HOT,)
    assert (
        cool.verdict(Condition.THERMAL_OK).recheck_at == 230
    )  # a signal goes stale before the cooldown ends
    assert not look(cool, 259, COMPUTE_CELSIUS=65).eligible
    assert look(cool, 260, COMPUTE_CELSIUS=65).eligible


def test_parked_for_counts_from_the_first_parked_look() -> None:
    """A vehicle must be parked for as long as the pool asks, and until then nothing that runs is evicted."""
    rules = replace(RULES, parked_for=20)
    first = assess(Facts(readings(), rules), None, 0, connected=True)
    assert first.reasons == (Reason.NOT_PARKED_LONG_ENOUGH,)
    assert first.taints == ((Taint.DRIVING, "", Effect.NO_SCHEDULE),)
    assert first.recheck_at == 20
    assert assess(Facts(readings(), rules), first, 20, connected=True).eligible


def test_a_driver_who_left_again_waits_out_the_minimum_hold() -> None:
    """After a drive the Node opens a minute after it closed, and says when."""
    driving = look(look(), 5, IS_MOVING=True)
    parked = look(driving, 10)
    assert parked.reasons == (Reason.NOT_PARKED_LONG_ENOUGH,)
    assert parked.taints == ((Taint.DRIVING, "", Effect.NO_EXECUTE),)
    assert not look(parked, 64.9).eligible
    assert look(parked, 65).eligible


def test_a_warm_vehicle_without_a_thermometer_is_stopped() -> None:
    """Its temperature may rise unseen; one that was cool only gets no new work."""
    warm = look(None, 0, BATTERY_CELSIUS=43)
    assert look(warm, 1, BATTERY_CELSIUS=None).taints[0][2] is Effect.NO_EXECUTE
    cool = look(None, 0)
    assert look(cool, 1, BATTERY_CELSIUS=None).taints[0][2] is Effect.NO_SCHEDULE


SIGNALS = st.fixed_dictionaries(
    {},
    optional={
        "IS_MOVING": st.sampled_from([True, False, None]),
        "SPEED": st.sampled_from([0.0, 30.0]),
        "PLUGGED_IN": st.sampled_from([True, False, None]),
        "STATE_OF_CHARGE": st.sampled_from([58, 62, 66, None]),
        "COMPUTE_CELSIUS": st.sampled_from([60, 68, 72, 76, None]),
        "BATTERY_CELSIUS": st.sampled_from([30, 43, 46]),
    },
)
STEPS = st.lists(
    st.tuples(st.floats(0.01, 40), SIGNALS, st.booleans(), st.sampled_from([0.0, 0.0, 29.0, 31.0])),
    min_size=1,
    max_size=60,
)


@given(STEPS)
@example([(1.0, {"STATE_OF_CHARGE": percent}, True, 0.0) for percent in (58, 80, None, 58)])
def test_no_taint_changes_more_than_twice_a_minute(
    steps: list[tuple[float, dict[str, Value | None], bool, float]],
) -> None:
    """However signals, sessions and ages flap, one taint changes at most twice in any minute."""
    now, previous = 0.0, None
    changes: dict[Taint, list[float]] = {}
    for seconds, changed, connected, age in steps:
        now += seconds
        seen = assess(Facts(readings(age, **changed), RULES), previous, now, connected=connected)
        for key in Taint:
            before = [taint for taint in previous.taints if taint[0] is key] if previous else None
            if before is not None and before != [taint for taint in seen.taints if taint[0] is key]:
                changes.setdefault(key, []).append(now)
        previous = seen
    for times in changes.values():
        assert all(third - first >= 59.999 for first, third in zip(times, times[2:], strict=False))


@given(SIGNALS, SIGNALS, st.floats(0, 500))
def test_closing_is_immediate(
    before: dict[str, Value | None], after: dict[str, Value | None], seconds: float
) -> None:
    """What a first look would close for, a later look closes for at once, whatever was seen before."""
    fresh = look(None, seconds, **after)
    seen = look(look(None, 0, **before), seconds, **after)
    for verdict in fresh.verdicts:
        if not verdict.holds:
            assert not seen.verdict(verdict.condition).holds
    assert {taint[0] for taint in fresh.taints if taint[2] is not Effect.PREFER_NO_SCHEDULE} <= {
        taint[0] for taint in seen.taints
    }


@given(STEPS)
def test_recheck_is_in_the_future_and_reasons_fit(
    steps: list[tuple[float, dict[str, Value | None], bool, float]],
) -> None:
    """A recheck never asks for the past; eligible means no reason and no closing taint."""
    now, previous = 0.0, None
    for seconds, changed, connected, age in steps:
        now += seconds
        previous = assess(Facts(readings(age, **changed), RULES), previous, now, connected=connected)
        assert previous.recheck_at is None or previous.recheck_at > now
        assert previous.eligible == (not previous.reasons)
        closing = [taint for taint in previous.taints if taint[2] is not Effect.PREFER_NO_SCHEDULE]
        assert previous.eligible == (not closing)
