"""The owner's caps, reserve, cold, link and lanes: what tightens the pool's rules, and by how much."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle import battery, link, thermal, trusted
from parkade_core.vehicle.guard import Action, GuardState, decide, initial
from parkade_core.vehicle.limits import NO_LIMITS, OwnerLimits
from parkade_core.vehicle.readings import Reading
from parkade_core.vehicle.throttle import Lanes, allow, wanted_cores
from parkade_core.vehicle.tightened import tightened
from parkade_core.vehicle.usage import Usage, noted, recalled, used, watt_hours
from support.facts import OWN, RULES, facts

CAPS = st.none() | st.floats(0, 100)


@given(CAPS, CAPS, CAPS)
def test_an_owner_only_tightens(charge: float | None, compute: float | None, cells: float | None) -> None:
    """Whatever the caps are, no rule of the pool becomes looser, and every cap holds."""
    limits = OwnerLimits(
        min_state_of_charge_percent=charge, max_compute_celsius=compute, max_battery_celsius=cells
    )
    rules = tightened(RULES, limits)
    assert rules.reserve_state_of_charge_percent >= max(RULES.reserve_state_of_charge_percent, charge or 0)
    assert rules.max_compute_celsius <= min(RULES.max_compute_celsius, 1000 if compute is None else compute)
    assert rules.max_battery_celsius <= min(RULES.max_battery_celsius, 1000 if cells is None else cells)
    assert tightened(RULES, NO_LIMITS) is RULES


@pytest.mark.parametrize(
    ("floor", "charge", "was_low", "words"),
    [
        (None, 61, False, None),
        (80, 79, False, "under the reserve of 80 %"),
        (80, 80, False, None),
        (80, 84, True, "under the resume point of 85 %"),
        (80, 85, True, None),
        (98, 99, True, "under the resume point of 100 %"),
        (98, 100, True, None),
        (50, 59, False, "under the floor of 60 %"),
    ],
)
def test_the_reserve_keeps_the_gap_of_the_floor(
    floor: float | None, charge: float, words: str | None, *, was_low: bool
) -> None:
    """The owner's floor, or the charge that the next trip needs, stops work under it and lets it in as far above."""
    rules = tightened(RULES, OwnerLimits(min_state_of_charge_percent=floor))
    low = battery.judge(facts(rules, STATE_OF_CHARGE=10), None, 0, 60)
    verdict = battery.judge(facts(rules, STATE_OF_CHARGE=charge), low if was_low else None, 100, 60)
    assert verdict.holds == (words is None)
    assert words is None or words in verdict.message
    assert words is None or verdict.remedy.startswith("charge to ")


PERCENTS = st.integers(0, 100)


@given(PERCENTS, PERCENTS, PERCENTS, PERCENTS, st.lists(PERCENTS, min_size=2, max_size=6))
def test_no_policy_lifts_the_owners_floor(
    floor: int, resume: int, reserve: int, owners: int, charges: list[int]
) -> None:
    """Whatever a pool asks, in or out of its schema: under the highest of the floors nothing starts or runs."""
    asked = replace(
        RULES,
        min_state_of_charge_percent=floor,
        resume_state_of_charge_percent=resume,
        reserve_state_of_charge_percent=reserve,
    )
    own = replace(OWN, limits=OwnerLimits(min_state_of_charge_percent=owners))
    state = initial(0)
    for minute, charge in enumerate(charges, start=1):
        state = decide(facts(asked, own, STATE_OF_CHARGE=charge), state, 61.0 * minute)
        if charge < max(floor, reserve, owners):
            assert state.action is not Action.RUN
            assert not state.may_start


@pytest.mark.parametrize(
    ("signals", "limits", "reason", "words"),
    [
        ({"BATTERY_CELSIUS": -0.5}, NO_LIMITS, Reason.TOO_COLD, "-0.5 C is under the limit of 0 C"),
        ({"BATTERY_CELSIUS": 5}, OwnerLimits(min_battery_celsius=8), Reason.TOO_COLD, "limit of 8 C"),
        ({"BATTERY_CELSIUS": 5}, OwnerLimits(min_battery_celsius=-10), None, ""),
        ({"COMPUTE_CELSIUS": -21}, NO_LIMITS, Reason.TOO_COLD, "computer -21 C"),
        ({"COLDEST_CELL_CELSIUS": -1}, NO_LIMITS, Reason.TOO_COLD, "traction battery -1 C"),
        ({"HOTTEST_CELL_CELSIUS": 46}, NO_LIMITS, Reason.TOO_HOT, "traction battery 46 C"),
        ({"COMPUTE_CELSIUS": 65}, OwnerLimits(max_compute_celsius=60), Reason.TOO_HOT, "limit of 60 C"),
        ({"COMPUTE_CELSIUS": None, "BATTERY_CELSIUS": 50}, NO_LIMITS, Reason.TOO_HOT, "50 C"),
        ({"COMPUTE_CELSIUS": None}, NO_LIMITS, Reason.UNKNOWN, "computer"),
    ],
)
def test_cold_stops_as_heat_does(
    signals: dict[str, Any], limits: OwnerLimits, reason: Reason | None, words: str
) -> None:
    """By the pool's limits and the owner's, of the hottest and the coldest cell; one sensor is enough to stop."""
    state = decide(facts(RULES, replace(OWN, limits=limits), **signals), initial(0), 1)
    (verdict,) = (found for found in state.verdicts if found.condition is Condition.THERMAL_OK)
    assert verdict.reason is reason
    assert words in verdict.message
    assert (verdict.effect is Effect.NO_EXECUTE) == (reason in {Reason.TOO_COLD, Reason.TOO_HOT})


def test_cold_opens_after_its_dead_band() -> None:
    """Two degrees above the limit, and for the pool's cooldown; it says all the time that it was cold."""
    cold = thermal.judge(facts(BATTERY_CELSIUS=-1), None, 0, 60)
    near = thermal.judge(facts(BATTERY_CELSIUS=1.5), cold, 100, 60)
    warmer = thermal.judge(facts(BATTERY_CELSIUS=2), near, 200, 60)
    assert (near.reason, near.remedy) == (Reason.TOO_COLD, "let the traction battery warm to 2 C")
    assert (warmer.reason, warmer.remedy) == (Reason.TOO_COLD, "wait 60 s")
    assert thermal.judge(facts(BATTERY_CELSIUS=2), warmer, 260, 60).holds


@pytest.mark.parametrize(
    ("signals", "links", "own", "reason"),
    [
        ({}, (), {"link": "ethernet"}, None),
        ({}, (), {"link": ""}, Reason.METERED_LINK),
        ({}, (), {"link": "", "limits": OwnerLimits(allow_metered_link=True)}, None),
        ({}, (), {"link": "cellular"}, Reason.METERED_LINK),
        ({}, (), {"link": "cellular", "limits": OwnerLimits(allow_metered_link=True)}, None),
        ({}, ("wifi",), {"link": "ethernet"}, Reason.METERED_LINK),
        ({}, ("wifi",), {"link": ""}, Reason.METERED_LINK),
        ({"IS_CONNECTED": False}, (), {}, Reason.SILENT),
        ({"IS_CONNECTED": True}, (), {}, None),
        ({"IS_CONNECTED": "yes"}, (), {}, Reason.UNKNOWN),
    ],
)
def test_a_link_must_be_there_and_allowed(
    signals: dict[str, Any], links: tuple[str, ...], own: dict[str, Any], reason: Reason | None
) -> None:
    """By the pool and, when it costs by the byte, by the owner; what runs goes on without it."""
    seen = facts(replace(RULES, links=frozenset(links)), replace(OWN, **own), **signals)
    verdict = link.judge(seen, None, 0, 60)
    assert verdict.reason is reason
    assert verdict.effect is (None if reason is None else Effect.NO_SCHEDULE)
    is_to_be_told = reason is Reason.METERED_LINK and not own["link"]
    assert ("PARKADE_LINK" in verdict.message, "PARKADE_LINK" in verdict.remedy) == (is_to_be_told,) * 2


def test_a_link_that_was_told_and_fell_silent_closes() -> None:
    """The guard looks again when the last word is too old; a path that was never told is missed by nobody."""
    told = Reading(True, 10.0)
    fresh = link.judge(replace(facts(), readings={vss.IS_CONNECTED: told}), None, 100, 60)
    assert (fresh.holds, fresh.recheck_at) == (True, 120)
    silent = replace(facts(), readings={vss.IS_CONNECTED: replace(told, age=30.0)})
    verdict = link.judge(silent, fresh, 120, 60)
    assert (verdict.reason, verdict.effect) == (Reason.UNKNOWN, Effect.NO_SCHEDULE)
    assert verdict.message == "IsConnectivityAvailable was not heard for 30 s"
    assert link.judge(facts(), None, 100, 60).holds


def test_quarantine_is_the_clusters_word() -> None:
    """It forbids new work and lets what runs finish."""
    verdict = trusted.judge(replace(facts(), quarantined_because="forged results"), None, 0, 60)
    assert (verdict.reason, verdict.effect) == (Reason.QUARANTINED, Effect.NO_SCHEDULE)
    assert verdict.message == "forged results"


@pytest.mark.parametrize(
    ("own", "is_warm", "count", "because"),
    [
        ({}, False, 4, ""),
        ({}, True, 2, "warm"),
        ({"lanes": 1}, True, 1, ""),
        ({"wanted_cores": 1}, False, 3, "want 1 cores"),
        ({"wanted_cores": 4}, False, 1, "want 4 cores"),
        ({"wanted_cores": None}, False, 1, "not known what the owner's programs want"),
        ({"limits": OwnerLimits(max_lanes=3)}, False, 3, "the owner allows 3"),
        ({"limits": OwnerLimits(max_lanes=9)}, False, 4, ""),
        ({"limits": OwnerLimits(max_power_watts=25), "watts_per_lane": 10.0}, False, 2, "25 W"),
        ({"limits": OwnerLimits(max_lanes=3)}, True, 2, "warm"),
    ],
)
def test_lanes_are_taken_at_once(own: dict[str, Any], count: int, because: str, *, is_warm: bool) -> None:
    """The one who wants fewest is obeyed and named; one lane stays, which takes nothing that is wanted."""
    lanes = allow(replace(OWN, **own), None, 0, is_warm=is_warm)
    assert lanes.count == count
    assert because in lanes.because


def test_lanes_come_back_one_a_minute() -> None:
    """However long they were gone; taken away they are at any time."""
    lanes, seen = allow(replace(OWN, wanted_cores=4), None, 0.0, is_warm=False), []
    for now in (10.0, 59.0, 60.0, 61.0, 120.0, 180.0, 500.0):
        lanes = allow(OWN, lanes, now, is_warm=False)
        seen.append((now, lanes.count, lanes.recheck_at))
    assert [count for _, count, _ in seen] == [1, 1, 2, 2, 3, 4, 4]
    assert [again for _, _, again in seen] == [60, 60, 120, 120, 180, None, None]
    assert allow(OWN, lanes, 501.0, is_warm=True) == Lanes(2, "the vehicle is warm", 501.0)


def test_the_guard_tells_lanes_only_when_they_are_fewer() -> None:
    """As many as the vehicle lends is no number."""
    ready = decide(facts(), initial(0), 1)
    warm = decide(facts(COMPUTE_CELSIUS=72), ready, 2)
    assert (ready.lanes, warm.lanes, warm.may_start) == (None, 2, True)
    assert [(cause.reason, cause.remedy) for cause in warm.causes] == [
        (Reason.TOO_HOT, "let the computer cool to 70 C")
    ]
    assert _lanes_after(warm, 30) == 2
    assert decide(facts(), warm, 62).lanes == 3


def _lanes_after(state: GuardState, now: float) -> int | None:
    return decide(facts(), state, now).lanes


@pytest.mark.parametrize(
    ("load", "cores", "ours", "lent", "wanted"),
    [
        (100, 4, 4.0, 4, 0),
        (100, 4, 2.0, 4, 2),
        (50, 4, 2.0, 2, 0),
        (100, 4, 1.0, 2, 1),
        (100, 4, 0.0, 2, 2),
        (0, 4, 0.0, 4, 0),
        (60, 4, 2.0, 4, 0),
    ],
)
def test_cores_are_wanted_by_what_others_use(
    load: float, cores: int, ours: float, lent: int, wanted: int
) -> None:
    """What others use beyond the cores that were never lent, from half a core on."""
    assert wanted_cores(load, cores, ours, lent) == wanted


@pytest.mark.parametrize(
    ("before", "today", "after"),
    [
        (Usage(), "", Usage("", 5)),
        (Usage("", 7), "2026-11-22", Usage("2026-11-22", 12)),
        (Usage("2026-11-22", 7), "2026-11-22", Usage("2026-11-22", 12)),
        (Usage("2026-11-22", 7), "2026-11-23", Usage("2026-11-23", 5)),
        (Usage("2026-11-22", 7), "2026-11-21", Usage("2026-11-22", 12)),
        (Usage("2026-11-22", 7), "", Usage("2026-11-22", 12)),
    ],
)
def test_a_day_begins_by_a_clock_that_is_believed(before: Usage, today: str, after: Usage) -> None:
    """One that is not, or that goes back, gives nobody a second day's energy."""
    assert used(before, 5, today) == after
    assert recalled(noted(after)) == after


@pytest.mark.parametrize(
    ("cpu_seconds", "watts", "wh"),
    [(3600, None, 8), (3600, 30, 30), (0, 30, 0), (1800, None, 4), (0, None, 0)],
)
def test_energy_is_measured_or_reckoned(cpu_seconds: float, watts: float | None, wh: float) -> None:
    """All of what the platform measures counts while work runs, else the stated watts of each core."""
    assert watt_hours(3600, cpu_seconds, watts, 8) == wh


@pytest.mark.parametrize("path", [vss.HOTTEST_CELL_CELSIUS, vss.COLDEST_CELL_CELSIUS])
def test_a_cell_that_falls_silent_is_missed(path: str) -> None:
    """Also while the average is heard: where a vehicle tells its hottest and coldest cell, they count."""
    seen = facts()
    first = thermal.judge(replace(seen, readings={**seen.readings, path: Reading(25, 29)}), None, 100, 60)
    assert (first.holds, first.recheck_at) == (True, 101)
    silent = thermal.judge(replace(seen, readings={**seen.readings, path: Reading(25, 30)}), first, 101, 60)
    assert (silent.reason, silent.effect) == (Reason.UNKNOWN, Effect.NO_SCHEDULE)
