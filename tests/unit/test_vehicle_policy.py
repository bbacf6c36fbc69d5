"""PolicyAllows, policy by policy: what is against work, whether it ends what runs, and what would change it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from parkade_api import vss
from parkade_api.wellknown import Condition, Effect, Reason
from parkade_core.vehicle import policy
from parkade_core.vehicle.consent import Consent
from parkade_core.vehicle.limits import OwnerLimits
from parkade_core.vehicle.objection import Objection
from parkade_core.vehicle.readings import Reading
from parkade_core.vehicle.rules import ConsentTerms, StopPolicy, Window
from support.facts import NOON, OWN, RULES, facts

NIGHT = Window("0 22 * * *", 8 * 3600)
LUNCH = Window("30 11 * * *", 3600, allows=False)
FOLDER = Window("0 11 * * *", 8 * 3600, "Europe")  # a folder of the time zone database
HOME = frozenset({"home"})
TERMS = ConsentTerms("3")
AGREED = Consent(1, "v1", "3", frozenset({"public-data"}), 0.0, 2e10)


def objections(rules: dict[str, Any], own: dict[str, Any]) -> tuple[Objection, ...]:
    """What is said against work by changed rules and facts of the vehicle."""
    return policy.objections(facts(replace(RULES, **rules), replace(OWN, **own)))


@pytest.mark.parametrize(
    ("rules", "own", "reason", "stops", "words", "remedy"),
    [
        ({"stop_policy": StopPolicy.HOLD}, {}, Reason.POOL_ON_HOLD, False, "home-garage is Hold", "wait"),
        ({"stop_policy": StopPolicy.HOLD_AND_DRAIN}, {}, Reason.POOL_ON_HOLD, True, "HoldAndDrain", "wait"),
        ({}, {"paused_because": "the owner paused: guests"}, Reason.OWNER_PAUSED, True, "guests", "resume"),
        ({}, {"problem": "limits.json: maxLanes"}, Reason.UNKNOWN, True, "maxLanes", "correct"),
        ({}, {"missing_layers": ("seccomp",)}, Reason.SANDBOX_INCOMPLETE, False, "seccomp", "allow"),
        (
            {"allowed_missing_layers": frozenset({"seccomp"})},
            {"missing_layers": ("seccomp",)},
            Reason.SANDBOX_INCOMPLETE,
            False,
            "lacks seccomp",
            "owner and pool",
        ),
        ({}, {"unkillable": "process 7"}, Reason.UNKILLABLE, True, "process 7", "restart"),
        ({}, {"trouble": "3 MiB are free"}, Reason.NO_SPACE, False, "3 MiB", "make room"),
        ({"windows": (NIGHT,)}, {}, Reason.OUTSIDE_WINDOW, False, "Sun 12:00", "wait 10 h"),
        ({"windows": (LUNCH,)}, {}, Reason.OUTSIDE_WINDOW, False, "the pool allows", "wait 30 min"),
        ({}, {"limits": OwnerLimits(hours=(NIGHT,))}, Reason.OUTSIDE_WINDOW, True, "the owner", "wait 10 h"),
        ({"windows": (FOLDER,)}, {}, Reason.OUTSIDE_WINDOW, False, "the pool allows", "correct the hours"),
        (
            {"windows": (replace(FOLDER, allows=False),)},
            {},
            Reason.OUTSIDE_WINDOW,
            False,
            "the pool allows",
            "correct the hours",
        ),
        ({"windows": (NIGHT,)}, {"wall": None}, Reason.OUTSIDE_WINDOW, False, "not known", "clock"),
        ({"places": HOME}, {"place": "work"}, Reason.OUTSIDE_PLACE, False, "at work", "park at home"),
        ({"places": HOME}, {"place": ""}, Reason.OUTSIDE_PLACE, False, "no place", "park at home"),
        (
            {},
            {"limits": OwnerLimits(places=HOME), "place": "work"},
            Reason.OUTSIDE_PLACE,
            True,
            "owner",
            "park",
        ),
        (
            {"max_energy_wh_per_day": 500},
            {"energy_wh_today": 500.0},
            Reason.ENERGY_USED_UP,
            True,
            "500 Wh",
            "",
        ),
        (
            {"max_energy_wh_per_day": 500},
            {"energy_wh_today": 310.0, "limits": OwnerLimits(max_energy_wh_per_day=300)},
            Reason.ENERGY_USED_UP,
            True,
            "the owner allows 300 Wh",
            "midnight",
        ),
        (
            {"max_energy_wh_per_day": 500, "consent": TERMS},
            {"energy_wh_today": 260.0, "consent": replace(AGREED, energy_share_percent=50)},
            Reason.ENERGY_USED_UP,
            True,
            "the consent allows 250 Wh",
            "midnight",
        ),
        (
            {},
            {"watts_per_lane": 10.0, "limits": OwnerLimits(max_power_watts=5)},
            Reason.POWER_LIMITED,
            True,
            "the owner allows 5 W, and one lane draws 10 W",
            "allow 10 W",
        ),
        (
            {"consent": TERMS},
            {"consent": replace(AGREED, hours=(NIGHT,))},
            Reason.OUTSIDE_WINDOW,
            True,
            "the consent",
            "wait 10 h",
        ),
        (
            {"consent": TERMS},
            {"consent": replace(AGREED, places=frozenset({"depot"}))},
            Reason.OUTSIDE_PLACE,
            True,
            "the consent allows depot",
            "park at depot",
        ),
    ],
)
def test_each_policy_objects_with_its_number(
    rules: dict[str, Any], own: dict[str, Any], reason: Reason, words: str, remedy: str, *, stops: bool
) -> None:
    """One thing is wrong, and one objection says which, whether work ends by it, and what helps."""
    (objection,) = objections(rules, own)
    assert (objection.reason, objection.stops) == (reason, stops)
    assert words in objection.message
    assert remedy in objection.remedy


@pytest.mark.parametrize(
    ("rules", "own"),
    [
        ({}, {}),
        ({}, {"wall": None, "place": "", "link": ""}),
        ({"windows": (Window("0 8 * * *", 8 * 3600),)}, {}),
        ({"windows": (NIGHT, Window("0 12 * * SUN", 60))}, {}),
        ({"places": HOME}, {}),
        ({"max_energy_wh_per_day": 500}, {"energy_wh_today": 499.9}),
        (
            {"allowed_missing_layers": frozenset({"seccomp"})},
            {
                "missing_layers": ("seccomp",),
                "limits": OwnerLimits(allowed_missing_layers=frozenset({"seccomp"})),
            },
        ),
        ({}, {"consent": replace(AGREED, hours=(NIGHT,), places=frozenset({"depot"}))}),
    ],
)
def test_nothing_is_said_without_need(rules: dict[str, Any], own: dict[str, Any]) -> None:
    """Caps that are kept, walls that the owner forgoes, and a consent that nobody asked for forbid nothing."""
    assert objections(rules, own) == ()


@pytest.mark.parametrize(
    ("moment", "window", "is_open"),
    [
        ("2026-11-22T21:59:59", NIGHT, False),
        ("2026-11-22T22:00:00", NIGHT, True),
        ("2026-11-23T05:59:59", NIGHT, True),
        ("2026-11-23T06:00:00", NIGHT, False),
        ("2026-11-23T10:00:00", Window("0 9 * * MON-FRI", 3 * 3600), True),
        ("2026-11-22T10:00:00", Window("0 9 * * MON-FRI", 3 * 3600), False),
        ("2026-11-22T10:00:00", Window("0 9 * * *", 3600, "America/New_York"), False),
        ("2026-11-22T15:30:00", Window("0 9 * * *", 3600, "America/New_York"), True),
        # The clock in Berlin jumps from 02:00 to 03:00: a window at 02:30 opens when that hour would have been.
        ("2026-03-29T03:10:00", Window("30 2 * * *", 1800), True),
        # And goes back from 03:00 to 02:00: nobody works for an hour more.
        ("2026-10-25T03:30:00", Window("0 2 * * *", 3600), False),
        # Whoever writes 22:00-06:00 means the clock on the wall, in both nights.
        ("2026-03-29T05:59:00", NIGHT, True),
        ("2026-03-29T06:00:00", NIGHT, False),
        ("2026-10-25T05:59:00", NIGHT, True),
        ("2026-10-25T06:00:00", NIGHT, False),
        # In a zone that is named, eight hours are eight hours.
        ("2026-03-29T06:59:00", replace(NIGHT, time_zone="Europe/Berlin"), True),
        ("2026-10-25T05:00:00", replace(NIGHT, time_zone="Europe/Berlin"), False),
        ("2026-11-22T10:00:00", Window("not cron", 3600), False),
        ("2026-11-22T10:00:00", Window("0 9 * * *", 3600, "Mars/Olympus"), False),
        ("2026-11-22T10:00:00", Window("0 0 30 2 *", 3600), False),
        ("2026-11-22T10:00:00", Window("not cron", 3600, allows=False), False),
    ],
)
def test_a_window_opens_by_its_schedule(moment: str, window: Window, *, is_open: bool) -> None:
    """In the zone that it names, else the vehicle's own; what cannot be read allows nothing and denies all."""
    wall = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert bool(objections({"windows": (window,)}, {"wall": wall})) is not is_open


@pytest.mark.parametrize(
    ("left", "quiet_before", "stops"),
    [
        (7200, 900, None),
        (900, 900, False),
        (121, 900, False),
        (120, 900, True),
        (0, 900, True),
        (-3599, 900, True),
        (-3600, 900, None),
        (100, 0, True),
    ],
)
def test_it_is_quiet_before_the_departure(left: float, quiet_before: float, *, stops: bool | None) -> None:
    """Nothing new starts in the quiet time, what runs ends two minutes before, and a plan is over an hour later."""
    when = datetime.fromtimestamp(NOON.timestamp() + left, UTC).isoformat()
    found = _before_departure(quiet_before, {vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: when})
    assert [(each.reason, each.stops) for each in found] == (
        [] if stops is None else [(Reason.DEPARTURE_NEAR, stops)]
    )


@pytest.mark.parametrize(
    ("signals", "own", "words"),
    [
        ({}, {}, None),
        ({vss.TIMER_MODE: "INACTIVE"}, {}, None),
        ({vss.TIMER_MODE: "START_TIME", vss.TIMER_TIME: "2026-11-22T12:01:00Z"}, {}, None),
        ({vss.TIMER_TIME: "2026-11-22T12:01:00"}, {}, "leaves at 12:01, in 60 s"),
        ({vss.TIMER_MODE: "END_TIME"}, {}, "no time of departure"),
        ({vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: "tomorrow"}, {}, "no time of departure"),
        ({vss.TIMER_MODE: "SOON", vss.TIMER_TIME: "2026-11-23T12:00:00Z"}, {}, "none of INACTIVE"),
        ({vss.TIMER_MODE: "END_TIME", vss.TIMER_TIME: "2026-11-23T12:00:00Z"}, {"wall": None}, "not known"),
    ],
)
def test_a_plan_that_cannot_be_read_is_near(
    signals: dict[str, str], own: dict[str, Any], words: str | None
) -> None:
    """A vehicle without a charging timer has no plan; one whose plan is not understood does not start anything."""
    found = _before_departure(900, signals, **own)
    assert (words is None) == (not found)
    assert words is None or words in found[0].message
    assert words is None or found[0].stops == (own != {} or "leaves" in words)


@pytest.mark.parametrize(
    ("reading", "found"),
    [
        (None, None),
        (Reading(False, 1), None),
        (Reading(True, 1), (Reason.BROKEN_DOWN, True)),
        (Reading(False, 31), (Reason.UNKNOWN, False)),
        (Reading("yes", 1), (Reason.UNKNOWN, False)),
    ],
)
def test_a_vehicle_that_broke_down_is_not_lent(
    reading: Reading | None, found: tuple[Reason, bool] | None
) -> None:
    """What runs ends when it says so; what it said once and repeats no more forbids new work."""
    seen = facts()
    told = {} if reading is None else {vss.IS_BROKEN_DOWN: reading}
    against = policy.objections(replace(seen, readings={**seen.readings, **told}))
    assert [(each.reason, each.stops) for each in against] == ([] if found is None else [found])


def _before_departure(quiet_before: float, signals: dict[str, str], **own: Any) -> tuple[Objection, ...]:
    rules = replace(RULES, respect_schedule=True, quiet_before=quiet_before)
    seen = facts(rules, replace(OWN, **own))
    told = {path: Reading(value, 0.0) for path, value in signals.items()}
    return policy.objections(replace(seen, readings={**seen.readings, **told}))


def test_the_gateway_judges_the_stop_policy_alone() -> None:
    """What only the vehicle knows is no matter of the cluster's own judgement."""
    rules = replace(
        RULES, windows=(NIGHT,), places=frozenset({"depot"}), stop_policy=StopPolicy.HOLD_AND_DRAIN
    )
    (held,) = policy.objections(facts(rules, None))
    assert held.reason is Reason.POOL_ON_HOLD


def test_the_gravest_objection_gives_the_effect() -> None:
    """Of a wish of the pool and a word of the owner, the one that ends work is told."""
    rules = replace(RULES, windows=(NIGHT,))
    verdict = policy.judge(facts(rules, replace(OWN, paused_because="the owner paused")), None, 0, 60)
    assert (verdict.condition, verdict.holds) == (Condition.POLICY_ALLOWS, False)
    assert (verdict.reason, verdict.effect) == (Reason.OWNER_PAUSED, Effect.NO_EXECUTE)


@pytest.mark.parametrize(("second", "recheck_at"), [(0, 160.0), (45, 115.0)])
def test_it_looks_again_at_the_next_minute(second: int, recheck_at: float) -> None:
    """Windows open and close with the minutes of the vehicle's clock."""
    own = replace(OWN, wall=NOON.replace(second=second))
    assert policy.judge(facts(RULES, own), None, 100.0, 60).recheck_at == recheck_at
