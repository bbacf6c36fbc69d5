"""Counts of vehicles."""

from parkade_api.wellknown import Reason
from parkade_core.vehicle.census import PoolCount, VehicleView, add_up, count_pool

FLEET = [
    VehicleView("home", online=True, eligible=True, reason=None, busy_with="batch-1"),
    VehicleView("home", online=True, eligible=True, reason=None, busy_with="batch-2"),
    VehicleView("home", online=True, eligible=True, reason=None),
    VehicleView("home", online=True, eligible=False, reason=Reason.DRIVING, has_consent=False),
    VehicleView("home", online=True, eligible=False, reason=Reason.DRIVING, busy_with="batch-1"),
    VehicleView("home", online=True, eligible=False, reason=None, in_quarantine=True),
    VehicleView("home", online=False, eligible=False, reason=Reason.SILENT, busy_with="batch-1"),
    VehicleView("depot", online=True, eligible=True, reason=None),
    VehicleView(None, online=True, eligible=False, reason=Reason.UNKNOWN),
]


def test_a_pool_counts_its_own_vehicles() -> None:
    """A silent vehicle is neither online nor busy; every one that may not work has a reason."""
    assert count_pool("home", FLEET) == PoolCount(
        total=7,
        online=6,
        eligible=3,
        busy=3,
        offline=1,
        free=1,
        consented=6,
        quarantined=1,
        ineligible_reasons={"Driving": 2, "Unknown": 1, "Silent": 1},
    )
    assert count_pool("empty", FLEET) == PoolCount()


def test_pools_add_up() -> None:
    """Every number of several pools is the sum of theirs, reason by reason; of none it is zero."""
    home, depot = count_pool("home", FLEET), count_pool("depot", FLEET)
    both = add_up([home, depot])
    assert (both.total, both.online, both.eligible, both.busy, both.offline, both.free) == (8, 7, 4, 3, 1, 2)
    assert (both.consented, both.quarantined) == (7, 1)
    assert both.ineligible_reasons == {"Driving": 2, "Unknown": 1, "Silent": 1}
    assert add_up([home, home]).ineligible_reasons == {"Driving": 4, "Unknown": 2, "Silent": 2}
    assert add_up([]) == PoolCount()
