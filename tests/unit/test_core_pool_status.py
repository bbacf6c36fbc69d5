"""The status of a pool: counts, reclaims, and conditions that say why in a sentence."""

import pytest

from parkade_api.v1alpha1 import VehiclePool
from parkade_api.v1alpha1.vehiclepool_status import VehiclePoolStatus
from parkade_core.vehicle.census import PoolCount
from parkade_core.vehicle.pool_status import PoolReport, pool_status
from parkade_core.vehicle.reclaims import ReclaimFigures
from support.objects import BORN, LATER, Object, pool

REPORT = PoolReport(
    PoolCount(
        total=7,
        online=6,
        eligible=3,
        busy=2,
        offline=1,
        consented=5,
        quarantined=1,
        ineligible_reasons={"Driving": 2},
    ),
    ReclaimFigures(count=200, p50=0.0081, p99=0.25, violations=2),
)


def report(**counts: int) -> PoolReport:
    """A report with these counts and no reclaims."""
    return PoolReport(PoolCount(**counts))


def conditions(status: VehiclePoolStatus) -> dict[str, tuple[str, str, str]]:
    """Status, reason and lastTransitionTime by type."""
    return {
        item.type: (item.status, item.reason, item.last_transition_time) for item in status.conditions or []
    }


def said(spec: Object, told: PoolReport, condition: str) -> tuple[str, str, str]:
    """Status, reason and message of one condition of a pool with that spec."""
    made = VehiclePool.model_validate({"metadata": {"name": "home"}, "spec": {"selector": {}} | spec})
    found = {item.type: item for item in pool_status(made, told, BORN).conditions or []}[condition]
    return found.status, found.reason, found.message


def seen(status: VehiclePoolStatus) -> VehiclePool:
    """The pool as the API server shows it afterwards."""
    return pool().model_copy(update={"status": status})


def test_the_status_is_the_report() -> None:
    """Every number of it is in the status, with the generation that it speaks of; times are durations, rounded up."""
    status = pool_status(pool(), REPORT, LATER).model_dump(by_alias=True)
    counts = {
        "total": 7,
        "online": 6,
        "eligible": 3,
        "busy": 2,
        "offline": 1,
        "consented": 5,
        "quarantined": 1,
    }
    assert status["vehicles"] == counts
    assert status["reclaim"] == {"p50": "9ms", "p99": "250ms", "violations24h": 2}
    assert (status["ineligibleReasons"], status["observedGeneration"]) == ({"Driving": 2}, 3)
    assert conditions(pool_status(pool(), REPORT, LATER)) == {
        "Ready": ("True", "GatewayConnected", LATER),
        "ValidationSucceeded": ("True", "Valid", LATER),
        "CapacityAvailable": ("True", "VehiclesEligible", LATER),
        "ConsentCurrent": ("True", "NotAsked", LATER),
        "ReclaimSLOMet": ("True", "WithinTarget", LATER),
    }


def test_a_pool_that_the_gateway_has_not_reported_is_not_ready() -> None:
    """While the gateway is away nothing new is claimed, and what was told last stays."""
    status = pool_status(pool(), None, LATER)
    valid = {"ValidationSucceeded": ("True", "Valid", LATER)}
    assert conditions(status) == {"Ready": ("False", "GatewayUnreachable", LATER)} | valid
    assert (status.vehicles, status.reclaim) == (None, None)
    first = pool_status(pool(), REPORT, BORN)
    lost = pool_status(seen(first), None, LATER)
    assert conditions(lost)["Ready"] == ("False", "GatewayUnreachable", LATER)
    assert conditions(lost)["CapacityAvailable"] == ("True", "VehiclesEligible", BORN)
    told = (first.vehicles, first.ineligible_reasons, first.reclaim)
    assert (lost.vehicles, lost.ineligible_reasons, lost.reclaim) == told


def test_a_transition_of_a_pool_is_a_change_of_status() -> None:
    """Other counts leave lastTransitionTime; a condition that turns gets the time of the turn."""
    first = seen(pool_status(pool(), report(total=2, online=2, eligible=2), BORN))
    more = pool_status(first, report(total=3, online=3, eligible=3), LATER)
    assert {since for _, _, since in conditions(more).values()} == {BORN}
    messages = {item.type: item.message for item in more.conditions or []}
    assert messages["CapacityAvailable"] == "3 of 3 vehicles may work now"
    none = conditions(pool_status(first, report(total=2, online=2), LATER))
    assert (none["Ready"][2], none["CapacityAvailable"]) == (BORN, ("False", "NoVehicleEligible", LATER))


def test_an_unchanged_pool_has_an_unchanged_status() -> None:
    """The status of the same report is equal at any time, so nothing is written."""
    first = pool_status(pool(), REPORT, BORN)
    assert pool_status(seen(first), REPORT, LATER) == first


@pytest.mark.parametrize(
    ("target", "figures", "expected"),
    [
        (
            "250ms",
            ReclaimFigures(0, 0.0, 0.0, 0),
            ("True", "NoReclaims", "No owner took a vehicle back from work in the last 24 hours"),
        ),
        (
            "250ms",
            ReclaimFigures(14, 0.008, 0.0123, 0),
            (
                "True",
                "WithinTarget",
                (
                    "99 of 100 owners had their vehicle back within 13ms, the target is 250ms; "
                    "0 of 14 reclaims of the last 24 hours took longer"
                ),
            ),
        ),
        (
            "100ms",
            ReclaimFigures(200, 0.008, 0.101, 3),
            (
                "False",
                "TooSlow",
                (
                    "99 of 100 owners had their vehicle back within 101ms, the target is 100ms; "
                    "3 of 200 reclaims of the last 24 hours took longer"
                ),
            ),
        ),
    ],
)
def test_the_promise_to_owners_is_judged_by_its_target(
    target: str, figures: ReclaimFigures, expected: tuple[str, str, str]
) -> None:
    """The 99th of 100 reclaims decides; a pool without any has broken no promise."""
    spec = {"disruption": {"driverReturn": {"reclaimTarget": target}}}
    assert said(spec, PoolReport(PoolCount(), figures), "ReclaimSLOMet") == expected


def test_a_new_gateway_does_not_make_a_broken_promise_good() -> None:
    """What was told of reclaims stays until a whole day was heard, and ends with one that kept the promise."""
    slow = PoolReport(PoolCount(), ReclaimFigures(1, 3.0, 3.0, 1))
    broken = pool_status(pool(), slow, BORN)
    still = pool_status(seen(broken), report(), LATER)
    assert conditions(still)["ReclaimSLOMet"] == ("False", "TooSlow", BORN)
    assert still.reclaim == broken.reclaim is not None
    partly = PoolReport(PoolCount(), ReclaimFigures(1, 0.01, 0.01, 0, is_partial=True))
    assert pool_status(seen(broken), partly, LATER) == still
    assert conditions(pool_status(pool(), partly, LATER))["ReclaimSLOMet"][0] == "True"
    quiet = PoolReport(PoolCount(), ReclaimFigures(0, 0.0, 0.0, 0))
    later = pool_status(seen(still), quiet, LATER)
    assert conditions(later)["ReclaimSLOMet"] == ("True", "NoReclaims", LATER)
    assert later.reclaim is None
    assert "ReclaimSLOMet" not in conditions(pool_status(pool(), report(), BORN))


@pytest.mark.parametrize(
    ("consented", "expected"),
    [
        (3, ("True", "AllAgreed", "3 of 3 owners have agreed to terms 2")),
        (1, ("False", "ConsentMissing", "1 of 3 owners have agreed to terms 2")),
    ],
)
def test_missing_consent_is_counted(consented: int, expected: tuple[str, str, str]) -> None:
    """A pool that asks says how many owners have agreed to what it asks now."""
    spec = {"consent": {"termsVersion": "2", "scopes": ["public-data"]}}
    assert said(spec, report(total=3, consented=consented), "ConsentCurrent") == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"windows": [{"schedule": "0 25 * * *", "duration": "8h"}]},
            "windows[0]: schedule '0 25 * * *' cannot be read (Bad hour), so it never allows work",
        ),
        (
            {"windows": [{"schedule": "0 0 31 2 *", "duration": "8h", "mode": "Deny"}]},
            "windows[0]: schedule '0 0 31 2 *' cannot be read (Bad day-of-month), so it denies work at all times",
        ),
        (
            {"windows": [{"schedule": "0 22 * * *", "duration": "8h", "timeZone": "Europe/Atlantis"}]},
            "windows[0]: Europe/Atlantis is no time zone that is known here, so it never allows work",
        ),
        (
            {"energy": {"departure": {"reserveStateOfCharge": 70}}},
            "energy.departure: reserveStateOfCharge and quietBefore do nothing while respectSchedule is false",
        ),
        (
            {"autonomy": {"duration": "30s"}},
            (
                "eligibility.telemetryStaleAfter (30s) is not shorter than autonomy.duration (30s): "
                "a vehicle is removed as soon as it counts as silent"
            ),
        ),
    ],
)
def test_a_policy_that_cannot_be_meant_is_told(spec: Object, words: str) -> None:
    """The schema lets it pass; the pool's condition names the field and what follows from it."""
    assert said(spec, REPORT, "ValidationSucceeded") == ("False", "Contradictory", words)


def test_several_contradictions_are_all_told() -> None:
    """Nobody mends one only to hear of the next."""
    spec = {"autonomy": {"duration": "1s"}, "energy": {"departure": {"quietBefore": "5m"}}}
    assert said(spec, REPORT, "ValidationSucceeded")[2].count(";") == 1
