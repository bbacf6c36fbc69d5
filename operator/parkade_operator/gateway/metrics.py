"""What the leading gateway shows of vehicles, slots, batches and shards: the counts that the operator gets, too.

A gateway that stands by shows none of it, so that sums over all replicas are right.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from parkade_api.figures import Figure, Reading
from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_core.batch.progress import BatchState

VEHICLES: Final = Figure(
    "parkade_vehicles",
    "Vehicles that have a Node, silent ones too. What the others are measured against.",
    ("pool",),
)
VEHICLES_ONLINE: Final = Figure(
    "parkade_vehicles_online",
    "Vehicles that were heard of within their pool's telemetryStaleAfter. All of a pool silent at once: look at the"
    " network and at the door, not at vehicles.",
    ("pool",),
)
VEHICLES_ELIGIBLE: Final = Figure(
    "parkade_vehicles_eligible",
    "Vehicles that may work now: the fleet's capacity. Why the others may not: parkade_vehicles_ineligible.",
    ("pool",),
)
VEHICLES_BUSY: Final = Figure(
    "parkade_vehicles_busy",
    "Vehicles that are online and have a slot. Compare with the eligible ones.",
    ("pool",),
)
VEHICLES_INELIGIBLE: Final = Figure(
    "parkade_vehicles_ineligible",
    "Vehicles that may not work now, by their first reason. A rule of the pool that keeps too many away shows here.",
    ("pool", "reason"),
)
SESSIONS: Final = Figure(
    "parkade_sessions",
    "Open connections of vehicles. Far fewer than online vehicles: connections break and come back.",
)
SLOTS: Final = Figure(
    "parkade_slots",
    "Slots on vehicles by state: starting (bundle and programs), working, idle (no shard to be had) or"
    " silent (the vehicle is not heard). Many silent ones hold shards back until their leases end.",
    ("state",),
)
BATCHES: Final = Figure(
    "parkade_batches",
    "Batches that this gateway leads, by state. One that stays in Planning or Finalizing: its message says what it"
    " waits for.",
    ("state",),
)
SHARDS_OPEN: Final = Figure(
    "parkade_shards_open",
    "Shards of running batches that nobody works on. Over the rate of commits: time that is left.",
)
SHARDS_LEASED: Final = Figure(
    "parkade_shards_leased",
    "Shards that vehicles hold now. None while shards are open and slots work: leasing is stuck.",
)
RECORDS_LEFT: Final = Figure(
    "parkade_records_left",
    "Records of running batches without a result. Over the rate of records: seconds that are left.",
)
FIGURES: Final = (
    VEHICLES,
    VEHICLES_ONLINE,
    VEHICLES_ELIGIBLE,
    VEHICLES_BUSY,
    VEHICLES_INELIGIBLE,
    SESSIONS,
    SLOTS,
    BATCHES,
    SHARDS_OPEN,
    SHARDS_LEASED,
    RECORDS_LEFT,
)


def read_snapshot(snapshot: pb.Snapshot, strays: int, sessions: int) -> Iterator[Reading]:
    """All readings at one moment; *strays* are vehicles that are in no pool."""
    yield SESSIONS.read(sessions)
    yield VEHICLES.read(strays, "")
    for pool in snapshot.pools:
        yield from _read_pool(pool)
    yield from _read_batches(snapshot.batches)


def _read_pool(pool: pb.PoolCounts) -> Iterator[Reading]:
    yield VEHICLES.read(pool.total, pool.name)
    yield VEHICLES_ONLINE.read(pool.online, pool.name)
    yield VEHICLES_ELIGIBLE.read(pool.eligible, pool.name)
    yield VEHICLES_BUSY.read(pool.busy, pool.name)
    for reason in Reason:
        yield VEHICLES_INELIGIBLE.read(pool.ineligible_reasons.get(reason, 0), pool.name, reason)


def _read_batches(batches: Iterable[pb.BatchProgress]) -> Iterator[Reading]:
    known = list(batches)
    running = [batch for batch in known if batch.state == pb.RUNNING]
    for state in BatchState:
        number = pb.BatchState.Value(state.name)
        yield BATCHES.read(sum(batch.state == number for batch in known), state)
    idle = sum(batch.slots_idle for batch in known)
    yield SLOTS.read(sum(batch.slots_starting for batch in known), "starting")
    yield SLOTS.read(sum(batch.slots_running for batch in known) - idle, "working")
    yield SLOTS.read(idle, "idle")
    yield SLOTS.read(sum(batch.slots_silent for batch in known), "silent")
    leased = sum(batch.shards_leased for batch in running)
    undone = sum(batch.shards_total - batch.shards_committed for batch in running)
    yield SHARDS_LEASED.read(leased)
    yield SHARDS_OPEN.read(max(0, undone - leased))
    yield RECORDS_LEFT.read(sum(_left(batch) for batch in running))


def _left(batch: pb.BatchProgress) -> int:
    return max(0, batch.records_total - batch.records_succeeded - batch.records_failed)
