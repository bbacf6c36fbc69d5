"""Counts of vehicles, and the status of a pool that follows from them."""

from parkade_api.v1alpha1.vehiclepool_status import VehiclePoolStatus
from parkade_api.wellknown import Reason
from parkade_core.vehicle.census import PoolCount, VehicleView, add_up, count_pool, pool_status
from support.objects import BORN, LATER, pool

FLEET = [
    VehicleView("home", online=True, eligible=True, reason=None, busy_with="batch-1"),
    VehicleView("home", online=True, eligible=True, reason=None, busy_with="batch-2"),
    VehicleView("home", online=True, eligible=True, reason=None),
    VehicleView("home", online=True, eligible=False, reason=Reason.DRIVING),
    VehicleView("home", online=True, eligible=False, reason=Reason.DRIVING, busy_with="batch-1"),
    VehicleView("home", online=True, eligible=False, reason=None),
    VehicleView("home", online=False, eligible=False, reason=Reason.SILENT, busy_with="batch-1"),
    VehicleView("depot", online=True, eligible=True, reason=None),
    VehicleView(None, online=True, eligible=False, reason=Reason.UNKNOWN),
]


def conditions(status: VehiclePoolStatus) -> dict[str, tuple[str, str, str]]:
    """Status, reason and lastTransitionTime by type."""
    return {
        item.type: (item.status, item.reason, item.last_transition_time) for item in status.conditions or []
    }


def test_a_pool_counts_its_own_vehicles() -> None:
    """A silent vehicle is neither online nor busy; every one that may not work has a reason."""
    assert count_pool("home", FLEET) == PoolCount(
        total=7,
        online=6,
        eligible=3,
        busy=3,
        offline=1,
        free=1,
        ineligible_reasons={"Driving": 2, "Unknown": 1, "Silent": 1},
    )
    assert count_pool("empty", FLEET) == PoolCount()


def test_pools_add_up() -> None:
    """Every number of several pools is the sum of theirs, reason by reason; of none it is zero."""
    home, depot = count_pool("home", FLEET), count_pool("depot", FLEET)
    both = add_up([home, depot])
    assert (both.total, both.online, both.eligible, both.busy, both.offline, both.free) == (8, 7, 4, 3, 1, 2)
    assert both.ineligible_reasons == {"Driving": 2, "Unknown": 1, "Silent": 1}
    assert add_up([home, home]).ineligible_reasons == {"Driving": 4, "Unknown": 2, "Silent": 2}
    assert add_up([]) == PoolCount()


def test_the_status_is_the_count() -> None:
    """Every number of the count is in the status, with the generation that it speaks of."""
    status = pool_status(pool(), count_pool("home", FLEET), LATER)
    assert status.vehicles is not None
    numbers = status.vehicles
    assert (numbers.total, numbers.online, numbers.eligible, numbers.busy, numbers.offline) == (7, 6, 3, 3, 1)
    assert status.ineligible_reasons == {"Driving": 2, "Unknown": 1, "Silent": 1}
    assert status.observed_generation == 3
    assert conditions(status) == {
        "Ready": ("True", "GatewayConnected", LATER),
        "CapacityAvailable": ("True", "VehiclesEligible", LATER),
    }


def test_a_pool_that_the_gateway_has_not_reported_is_not_ready() -> None:
    """While the gateway is away nothing new is claimed, and what was counted last stays."""
    status = pool_status(pool(), None, LATER)
    assert conditions(status) == {"Ready": ("False", "GatewayUnreachable", LATER)}
    assert status.vehicles is None
    first = pool_status(pool(), count_pool("home", FLEET), BORN)
    lost = pool_status(pool().model_copy(update={"status": first}), None, LATER)
    assert conditions(lost) == {
        "Ready": ("False", "GatewayUnreachable", LATER),
        "CapacityAvailable": ("True", "VehiclesEligible", BORN),
    }
    assert (lost.vehicles, lost.ineligible_reasons) == (first.vehicles, first.ineligible_reasons)


def test_a_transition_of_a_pool_is_a_change_of_status() -> None:
    """Other counts leave lastTransitionTime; a condition that turns gets the time of the turn."""
    first = pool_status(pool(), PoolCount(total=2, online=2, eligible=2), BORN)
    seen = pool().model_copy(update={"status": first})
    more = pool_status(seen, PoolCount(total=3, online=3, eligible=3), LATER)
    assert {since for _, _, since in conditions(more).values()} == {BORN}
    assert {item.type: item for item in more.conditions or []}[
        "CapacityAvailable"
    ].message == "3 of 3 vehicles may work now"
    none = conditions(pool_status(seen, PoolCount(total=2, online=2), LATER))
    assert (none["Ready"][2], none["CapacityAvailable"]) == (BORN, ("False", "NoVehicleEligible", LATER))


def test_an_unchanged_pool_has_an_unchanged_status() -> None:
    """The status of the same count is equal at any time, so nothing is written."""
    count = count_pool("home", FLEET)
    first = pool_status(pool(), count, BORN)
    assert pool_status(pool().model_copy(update={"status": first}), count, LATER) == first
