"""Core's values as messages of `parkade.gateway.v1` and back; a field has the same name on both sides."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_core.batch.failed import FailedRecord
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.vehicle.census import PoolCount
from parkade_core.vehicle.pool_status import PoolReport
from parkade_core.vehicle.reclaims import ReclaimFigures

_PROGRESS = sorted({field.name for field in fields(Progress)} - {"state", "first_failed", "input_digest"})
_FAILED = sorted(field.name for field in fields(FailedRecord))
_COUNTS = sorted({field.name for field in fields(PoolCount)} - {"ineligible_reasons"})
_RECLAIMS = sorted(field.name for field in fields(ReclaimFigures))


def progress_message(progress: Progress) -> pb.BatchProgress:
    """The progress of a batch, to be sent."""
    state = pb.BatchState.Value(progress.state.name)
    failed = [pb.FailedRecord(**_values(record, _FAILED)) for record in progress.first_failed]
    return pb.BatchProgress(state=state, first_failed=failed, **_values(progress, _PROGRESS))


def progress_of(snapshot: pb.Snapshot | None, uid: str) -> Progress | None:
    """What the gateway knows of a batch; None while it leads none of that uid."""
    message = next((item for item in snapshot.batches if item.uid == uid), None) if snapshot else None
    if message is None:
        return None
    state = BatchState[pb.BatchState.Name(message.state)]
    failed = tuple(FailedRecord(**_values(record, _FAILED)) for record in message.first_failed)
    return Progress(state, first_failed=failed, **_values(message, _PROGRESS))


def report_message(pool: str, report: PoolReport) -> pb.PoolCounts:
    """The vehicles and reclaims of a pool, to be sent."""
    count, reclaims = report.count, report.reclaims
    return pb.PoolCounts(
        name=pool,
        ineligible_reasons=count.ineligible_reasons,
        reclaims=pb.ReclaimFigures(**_values(reclaims, _RECLAIMS)) if reclaims else None,
        **_values(count, _COUNTS),
    )


def report_of(snapshot: pb.Snapshot | None, pool: str) -> PoolReport | None:
    """What the gateway tells of a pool; None while it has not reported it."""
    message = next((item for item in snapshot.pools if item.name == pool), None) if snapshot else None
    if message is None:
        return None
    count = PoolCount(ineligible_reasons=dict(message.ineligible_reasons), **_values(message, _COUNTS))
    if not message.HasField("reclaims"):
        return PoolReport(count)
    return PoolReport(count, ReclaimFigures(**_values(message.reclaims, _RECLAIMS)))


def _values(item: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}
