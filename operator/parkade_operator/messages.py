"""Core's values as messages of `parkade.gateway.v1` and back; a field has the same name on both sides."""

from dataclasses import fields

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.vehicle.census import PoolCount

_PROGRESS = sorted(
    {field.name for field in fields(Progress)} & set(pb.BatchProgress.DESCRIPTOR.fields_by_name) - {"state"}
)
_COUNTS = sorted({field.name for field in fields(PoolCount)} - {"ineligible_reasons"})


def progress_message(progress: Progress) -> pb.BatchProgress:
    """The progress of a batch, to be sent."""
    state = pb.BatchState.Value(progress.state.name)
    return pb.BatchProgress(state=state, **{name: getattr(progress, name) for name in _PROGRESS})


def progress_of(snapshot: pb.Snapshot | None, uid: str) -> Progress | None:
    """What the gateway knows of a batch; None while it leads none of that uid."""
    message = next((item for item in snapshot.batches if item.uid == uid), None) if snapshot else None
    if message is None:
        return None
    state = BatchState[pb.BatchState.Name(message.state)]
    return Progress(state, **{name: getattr(message, name) for name in _PROGRESS})


def count_message(pool: str, count: PoolCount) -> pb.PoolCounts:
    """The vehicles of a pool, to be sent."""
    numbers = {name: getattr(count, name) for name in _COUNTS}
    return pb.PoolCounts(name=pool, ineligible_reasons=count.ineligible_reasons, **numbers)


def count_of(snapshot: pb.Snapshot | None, pool: str) -> PoolCount | None:
    """What the gateway counts in a pool; None while it has not reported the pool."""
    message = next((item for item in snapshot.pools if item.name == pool), None) if snapshot else None
    if message is None:
        return None
    numbers = {name: getattr(message, name) for name in _COUNTS}
    return PoolCount(ineligible_reasons=dict(message.ineligible_reasons), **numbers)
