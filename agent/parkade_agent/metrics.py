"""What one vehicle's agent tells Prometheus. Runner and sidecar have no network: their figures are here, too.

A real vehicle is behind a mobile network and nobody scrapes it: what the fleet must know travels as telemetry and is
on the gateway's page. This page is for simulated vehicles and for whoever sits beside the vehicle.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from parkade_api import vss
from parkade_api.figures import Figure, Reading, from_zero
from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_api.wellknown import Reason
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import Action, GuardState
from parkade_core.vehicle.readings import Readings

GUARD_ACTION: Final = Figure(
    "parkade_agent_guard_action",
    "1 for what the guard does now, 0 for the rest. Freeze and Kill: the owner has the vehicle back.",
    ("action",),
)
GUARD_REASON: Final = Figure(
    "parkade_agent_guard_reason",
    "1 for each reason that the guard gives now, else 0. None: work may start.",
    ("reason",),
)
STATE_OF_CHARGE: Final = Figure(
    "parkade_agent_state_of_charge_percent",
    "State of charge as the vehicle's bus says. It must not fall while work runs on the plug.",
)
SESSION_UP: Final = Figure(
    "parkade_agent_session_up",
    "1 while the gateway has welcomed this vehicle's session. 0 for long: read the agent's log.",
)
CPU_SECONDS: Final = Figure(
    "parkade_agent_cpu_seconds",
    "CPU time of the slots' runners and sidecars. Its rate stays under the share that the owner lent.",
    only_grows=True,
)
LANES: Final = Figure(
    "parkade_agent_lanes",
    "Records at once: how many the vehicle lends, and how many its guard allows now. Fewer: heat, or the owner's own"
    " programs want the cores.",
    ("kind",),
)
ENERGY_TODAY: Final = Figure(
    "parkade_agent_energy_today_watt_hours",
    "Energy that work used on the vehicle's day so far. It stays under the caps of pool, owner and consent.",
)
FIGURES: Final = (
    GUARD_ACTION,
    GUARD_REASON,
    STATE_OF_CHARGE,
    SESSION_UP,
    CPU_SECONDS,
    LANES,
    ENERGY_TODAY,
)

RECORDS: Final = from_zero(
    Counter(
        "parkade_agent_records",
        "Records that this vehicle finished and the gateway settled, by outcome: succeeded or failed.",
        ["outcome"],
    ),
    ("succeeded", "failed"),
)
RECLAIM_SECONDS: Final = Histogram(
    "parkade_agent_reclaim_seconds",
    "From the signal that the owner needs the vehicle to the last CPU time that its slot used. The promise is 0.25 s.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
REPRODUCIBILITY_CLASS: Final = Gauge(
    "parkade_agent_reproducibility_class",
    "1 for the class of the bundle that ran last: what its vectors gave here; empty when it has none. Among vehicles"
    " that ran the same bundle, those of one class write the same bytes, and more classes than kinds of computers mean"
    " that one computes wrongly.",
    ["class"],
)
DOOR_RETRIES: Final = Counter(
    "parkade_agent_door_retries",
    "Fetches and stores tried again because the gateway did not answer. Many: the link or the gateway.",
)
CERTIFICATE_EXPIRY: Final = Gauge(
    "parkade_agent_certificate_expiry_timestamp_seconds",
    "When this vehicle's certificate ends, in Unix time. Less than a third of its life left: renewing fails.",
)


def count_shard(outcome: vehicle_pb2.ShardOutcome) -> None:
    """A finished shard was settled."""
    RECORDS.labels("succeeded").inc(outcome.succeeded)
    RECORDS.labels("failed").inc(outcome.failed)
    REPRODUCIBILITY_CLASS.clear()
    REPRODUCIBILITY_CLASS.labels(outcome.reproducibility_class).set(1)


def read_vehicle(
    state: GuardState, readings: Readings, cpu_seconds: float, *, is_connected: bool
) -> Iterator[Reading]:
    """All readings at one moment."""
    for action in Action:
        yield GUARD_ACTION.read(state.action is action, action)
    for reason in Reason:
        yield GUARD_REASON.read(reason in state.reasons, reason)
    charge = readings.get(vss.STATE_OF_CHARGE)
    if charge is not None and isinstance(charge.value, float | int):
        yield STATE_OF_CHARGE.read(charge.value)
    yield SESSION_UP.read(is_connected)
    yield CPU_SECONDS.read(cpu_seconds)


def read_lent(state: GuardState, own: OwnFacts) -> Iterator[Reading]:
    """What of the vehicle is lent, and what that used, at one moment."""
    yield LANES.read(own.lanes, "lent")
    yield LANES.read(0 if state.throttle is None else state.throttle.count, "allowed")
    yield ENERGY_TODAY.read(own.energy_wh_today)
