"""What a reading may say: every one is either a sane value or missing with a reason."""

from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect
from parkade_core.vehicle.assess import assess
from parkade_core.vehicle.facts import Facts
from parkade_core.vehicle.plausible import CLOCK_TOLERANCE, Stamps, Value, follow, kind_of, name_of
from parkade_core.vehicle.readings import Reading, flag, number, text, why_missing
from parkade_core.vehicle.rules import Charging, PoolRules

STALE_AFTER = 30.0


@pytest.mark.parametrize(
    ("path", "reading", "words"),
    [
        (vss.STATE_OF_CHARGE, Reading(80.0, 1), ""),
        (vss.STATE_OF_CHARGE, Reading(0, 29.9), ""),
        (vss.STATE_OF_CHARGE, Reading(140.0, 1), "StateOfCharge 140 % is outside 0..100"),
        (vss.STATE_OF_CHARGE, Reading(nan, 1), "StateOfCharge is no finite number"),
        (vss.STATE_OF_CHARGE, Reading(-inf, 1), "StateOfCharge is no finite number"),
        (vss.STATE_OF_CHARGE, Reading(10**400, 1), "StateOfCharge is no finite number"),
        (vss.STATE_OF_CHARGE, Reading(80.0, 30), "StateOfCharge was not heard for 30 s"),
        (vss.STATE_OF_CHARGE, Reading(80.0, inf), "StateOfCharge was not heard yet, only what it once was"),
        (vss.STATE_OF_CHARGE, Reading("full", 1), "StateOfCharge is a text and must be a number"),
        (vss.STATE_OF_CHARGE, Reading(True, 1), "StateOfCharge is true or false and must be a number"),
        (vss.STATE_OF_CHARGE, None, "no StateOfCharge is heard"),
        (vss.IS_MOVING, Reading(0.0, 1), "IsMoving is a number and must be true or false"),
        (vss.LOW_VOLTAGE_STATE, Reading("LOCK", 1), ""),
        (
            vss.LOW_VOLTAGE_STATE,
            Reading("lock", 1),
            "LowVoltageSystemState 'lock' is none of UNDEFINED, LOCK, OFF, ACC, ON, START",
        ),
        (vss.TIMER_TIME, Reading("2026-11-23T07:30:00Z", 1), ""),
        (vss.COMPUTE_LOAD, Reading(101.0, 1), "computer Utilization 101 % is outside 0..100"),
        (
            vss.SPEED,
            Reading(0.0, 1, "its clock went back by 3600 s"),
            "Speed is not believed: its clock went back",
        ),
        ("Vehicle.Unread", Reading(1.0, 1), "Vehicle.Unread is no signal that Parkade reads"),
    ],
)
def test_a_missing_value_has_its_reason(path: str, reading: Reading | None, words: str) -> None:
    """Absent, stale, out of range, of another type or not believed: each in words of its own."""
    readings = {} if reading is None else {path: reading}
    said = why_missing(readings, path, STALE_AFTER)
    assert said.startswith(words)
    assert bool(said) == bool(words)


VALUES: st.SearchStrategy[Value] = st.one_of(
    st.booleans(), st.floats(), st.integers(), st.text(max_size=80), st.sampled_from(["LOCK", "END_TIME"])
)
READINGS = st.dictionaries(
    st.sampled_from(sorted(vss.PATHS)),
    st.builds(Reading, VALUES, st.floats(min_value=0), st.sampled_from(["", "", "its clock went back"])),
)


@given(READINGS, st.sampled_from(sorted(vss.PATHS)))
def test_a_judge_gets_a_sane_value_or_a_reason(readings: dict[str, Reading], path: str) -> None:
    """Whatever is in a reading: exactly one of value and reason, and a value is of its type and in its range."""
    values = [ask(readings, path, STALE_AFTER) for ask in (flag, number, text)]
    given_values = [value for value in values if value is not None]
    assert bool(given_values) != bool(why_missing(readings, path, STALE_AFTER))
    for value in given_values:
        signal = vss.SIGNALS[path]
        assert kind_of(value) is signal.kind
        assert readings[path].age < STALE_AFTER
        if isinstance(value, float):
            assert isfinite(value)
            assert signal.least <= value <= signal.most


@given(st.sampled_from(sorted(vss.PLACE)), VALUES, st.floats(min_value=0))
def test_no_reason_tells_where_the_vehicle_is(path: str, value: Value, age: float) -> None:
    """Reasons travel to the cluster: those of a coordinate hold none of its digits."""
    said = why_missing({path: Reading(value, age)}, path, STALE_AFTER)
    allowed = said.replace("-90..90", "").replace("-180..180", "").replace("30 s", "")
    assert not any(letter.isdigit() for letter in allowed)


def test_a_fault_closes_the_vehicle_with_its_words() -> None:
    """What the vehicle does not believe, the gateway does not either: it counts as driving, and the Node says why."""
    rules = PoolRules("p", 1, 60, 65, Charging.REQUIRED, 75, 45, 0, 60, STALE_AFTER, 1.0)
    values: dict[str, Value] = {
        vss.SPEED: 0.0,
        vss.IS_MOVING: False,
        vss.PARK_LOCK: True,
        vss.LOW_VOLTAGE_STATE: "OFF",
    }
    readings = {path: Reading(value, 1.0) for path, value in values.items()}
    readings[vss.SPEED] = Reading(0.0, 1.0, "its clock went back by 3600 s")
    verdict = assess(Facts(readings, rules), None, 0, connected=True).verdict(Condition.VEHICLE_PARKED)
    assert (verdict.holds, verdict.effect) == (False, Effect.NO_EXECUTE)
    assert verdict.message == "Speed is not believed: its clock went back by 3600 s"


def heard(*steps: tuple[float, float]) -> list[str]:
    """What is said of each step's stamp, steps being (stamp, when it came on our clock)."""
    stamps: Stamps | None = None
    said = []
    for stamp, now in steps:
        stamps, words = follow(stamps, stamp, now)
        said.append(words)
    return said


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(1000, 0), (1001, 1), (1060, 60)], ["", "", ""]),
        ([(1000, 0), (1000, 1)], ["", ""]),
        ([(1000, 0), (1001, 20), (1021, 21)], ["", "", ""]),
        ([(1000, 0), (-2599, 1), (-2598, 2)], ["", "its clock went back by 3599 s", ""]),
        ([(1000, 0), (4601, 1), (4602, 2)], ["", "its clock jumped ahead by 3600 s", ""]),
        ([(1000, 0), (1001 + CLOCK_TOLERANCE, 1)], ["", ""]),
        (
            [(1000, 0), (4601, 1), (1002, 2), (1003, 3)],
            ["", "its clock jumped ahead by 3600 s", "its clock went back by 3599 s", ""],
        ),
    ],
    ids=["even", "repeated", "late", "back an hour", "ahead an hour", "tolerated", "there and back"],
)
def test_a_clock_that_was_set_is_noticed_once(steps: list[tuple[float, float]], said: list[str]) -> None:
    """A slow way is no fault; a step back or ahead costs the reading that shows it, and no other."""
    assert heard(*steps) == said


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1), st.floats(-1e9, 1e9))
def test_a_true_clock_never_jumps(steps: list[tuple[float, float]], lead: float) -> None:
    """Stamps in order of a clock that runs like ours, each any time on its way, are all believed after the first."""
    now, stamp, said = 0.0, lead, []
    stamps: Stamps | None = None
    for seconds, way in steps:
        stamp += seconds
        now = max(now, stamp - lead + way)
        if stamps is None:
            now = stamp - lead  # the first one came at once
        stamps, words = follow(stamps, stamp, now)
        said.append(words)
    assert not any(said)


def test_every_path_has_a_name_of_its_own() -> None:
    """In a sentence for people no two signals are confused."""
    assert len({name_of(path) for path in vss.PATHS}) == len(vss.PATHS)
