"""The gateway's protobuf messages as the values that core decides on."""

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_core.batch.status import BatchState, Progress
from parkade_core.vehicle.census import PoolCount

_STATES: dict[int, BatchState] = {
    pb.PLANNING: "Planning",
    pb.RUNNING: "Running",
    pb.FINALIZING: "Finalizing",
    pb.COMPLETE: "Complete",
    pb.FAILED: "Failed",
}


def progress_of(snapshot: pb.Snapshot | None, uid: str) -> Progress | None:
    """What the gateway knows of a batch; None while it leads none of that uid."""
    batch = next((item for item in snapshot.batches if item.uid == uid), None) if snapshot else None
    if batch is None:
        return None
    return Progress(
        state=_STATES[batch.state],
        reason=batch.reason,
        message=batch.message,
        records_total=batch.records_total,
        records_succeeded=batch.records_succeeded,
        records_failed=batch.records_failed,
        shards_total=batch.shards_total,
        shards_committed=batch.shards_committed,
        shards_leased=batch.shards_leased,
        records_per_second=batch.records_per_second,
        slots_running=batch.slots_running,
        slots_silent=batch.slots_silent,
        slots_idle=batch.slots_idle,
        output_uri=batch.output_uri,
        error_uri=batch.error_uri,
        manifest_digest=batch.manifest_digest,
    )


def count_of(snapshot: pb.Snapshot | None, pool: str) -> PoolCount | None:
    """What the gateway counts in a pool; None while it has not reported the pool."""
    counts = next((item for item in snapshot.pools if item.name == pool), None) if snapshot else None
    if counts is None:
        return None
    return PoolCount(
        total=counts.total,
        online=counts.online,
        eligible=counts.eligible,
        busy=counts.busy,
        offline=counts.offline,
        free=counts.free,
        ineligible_reasons=dict(counts.ineligible_reasons),
    )
