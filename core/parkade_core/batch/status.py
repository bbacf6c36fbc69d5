"""InferenceBatch.status as a fold over what the gateway reports. Nothing in it is a source of truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from parkade_api.v1alpha1 import InferenceBatch
from parkade_api.v1alpha1.common import Condition
from parkade_api.v1alpha1.inferencebatch import (
    FirstFailedRecord,
    InferenceBatchStatus,
    PendingReason,
    Phase,
    RequestCounts,
    Results,
    ShardCounts,
    Usage,
)
from parkade_api.wellknown import GATEWAY_UNREACHABLE, PLATFORM_TROUBLE, POOL_NOT_FOUND
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.conditions import renew
from parkade_core.vehicle.census import PoolCount

_SUSPENDED: Final[tuple[Phase, str, str]] = (
    "Suspended",
    "Suspended",
    "spec.suspend is true; set it to false to go on",
)


FINISHED: Final = ("Completed", "Failed")
"""The phases in which a batch has ended for good."""


def is_finished(batch: InferenceBatch) -> bool:
    """Whether the batch reached an end that its status tells."""
    return batch.status is not None and batch.status.phase in FINISHED


@dataclass(frozen=True, slots=True)
class Known:
    """All that the status of a batch is folded from, beside its spec."""

    pools: Sequence[str]  # its pools that exist
    count: PoolCount  # their vehicles
    progress: Progress | None  # None while the gateway does not lead the batch
    is_reachable: bool = True  # whether the gateway answers


def fold(batch: InferenceBatch, known: Known, now: str, eta: str | None) -> InferenceBatchStatus:
    """The status of a batch; *now* and *eta*, the estimated end, are RFC 3339.

    What a batch in progress was told last stays until its leader, which may have just started, knows better.
    """
    before = batch.status or InferenceBatchStatus()
    progress = known.progress or Progress(BatchState.PLANNING)
    if before.start_time and progress.state is BatchState.PLANNING:
        return _kept(batch, before, progress, now)
    phase, reason, message = _phase(batch, known)
    running = phase == "InProgress"
    return InferenceBatchStatus(
        observed_generation=batch.metadata.generation,
        phase=phase,
        reason=reason,
        message=message,
        conditions=_conditions(batch, before, phase, (reason, message), now),
        start_time=before.start_time or (now if progress.shards_total else None),
        finalizing_at=before.finalizing_at or (now if phase in ("Finalizing", "Completed") else None),
        completion_time=before.completion_time or (now if phase == "Completed" else None),
        request_counts=RequestCounts(
            total=progress.records_total, completed=progress.records_succeeded, failed=progress.records_failed
        ),
        first_failed_records=_failed_records(progress),
        shards=_shards(progress),
        progress_percent=_percent(progress),
        estimated_completion_time=eta if running else None,
        pending_reasons=_pending_reasons(known.count) if running else None,
        usage=Usage(vehicles=progress.slots_running if running else 0),
        results=_results(progress) if phase == "Completed" else None,
    )


def seconds_left(progress: Progress) -> float | None:
    """Seconds until the last record at the rate of the last minute; None when no rate is known."""
    if progress.state is not BatchState.RUNNING or progress.records_per_second <= 0:
        return None
    done = progress.records_succeeded + progress.records_failed
    return max(0, progress.records_total - done) / progress.records_per_second


def _kept(
    batch: InferenceBatch, before: InferenceBatchStatus, progress: Progress, now: str
) -> InferenceBatchStatus:
    """What was told before, with its numbers; only a suspension and a trouble of the platform are news."""
    phase = before.phase or "Validating"
    if batch.spec.suspend:
        phase, reason, message = _SUSPENDED
    elif progress.message:
        reason, message = PLATFORM_TROUBLE, progress.message
    else:
        return before
    news = {
        "observed_generation": batch.metadata.generation,
        "phase": phase,
        "reason": reason,
        "message": message,
        "conditions": _conditions(batch, before, phase, (reason, message), now),
        "estimated_completion_time": None,
        "pending_reasons": None,
        "usage": Usage(),
    }
    return before.model_copy(update=news)


def _failed_records(known: Progress) -> list[FirstFailedRecord] | None:
    shown = [
        FirstFailedRecord(
            line=record.line, custom_id=record.custom_id or None, code=record.code, message=record.message
        )
        for record in known.first_failed
    ]
    return shown or None


def _shards(known: Progress) -> ShardCounts:
    pending = known.shards_total - known.shards_committed - known.shards_leased
    return ShardCounts(
        total=known.shards_total,
        pending=max(0, pending),
        leased=known.shards_leased,
        succeeded=known.shards_committed,
    )


def _pending_reasons(count: PoolCount) -> list[PendingReason]:
    return [PendingReason(reason=name, count=n) for name, n in sorted(count.ineligible_reasons.items())]


def _percent(known: Progress) -> int:
    if known.state is BatchState.COMPLETE:
        return 100
    return 100 * known.shards_committed // known.shards_total if known.shards_total else 0


def _results(known: Progress) -> Results:
    return Results(
        output_uri=known.output_uri, error_uri=known.error_uri, manifest_digest=known.manifest_digest
    )


def _phase(batch: InferenceBatch, known: Known) -> tuple[Phase, str, str]:
    match known.progress:
        case Progress(state=BatchState.FAILED) as progress:
            return "Failed", progress.reason, progress.message
        case Progress(state=BatchState.COMPLETE) as progress:
            return "Completed", "AllShardsCommitted", _outcome(progress)
        case Progress(state=BatchState.FINALIZING):
            written = "All shards are committed; the result files are written"
            return "Finalizing", *_trouble_or(known.progress, "AssemblingResults", written)
        case _:
            return _unfinished_phase(batch, known)


def _outcome(progress: Progress) -> str:
    failed = (
        f", {progress.records_failed} failed: see {progress.error_uri}" if progress.records_failed else ""
    )
    return f"{progress.records_succeeded} of {progress.records_total} records succeeded{failed}"


def _trouble_or(progress: Progress | None, reason: str, message: str) -> tuple[str, str]:
    """Reason and message, unless the batch waits for the platform: then the user is told that."""
    trouble = progress.message if progress is not None else ""
    return (PLATFORM_TROUBLE, trouble) if trouble else (reason, message)


def _unfinished_phase(batch: InferenceBatch, known: Known) -> tuple[Phase, str, str]:
    if batch.spec.suspend:
        return _SUSPENDED
    if not known.is_reachable:
        return "Queued", GATEWAY_UNREACHABLE, "The gateway does not answer; the operator keeps asking"
    if not known.pools:
        names = ", ".join(batch.spec.pool_refs or []) or "the poolSelector"
        return "Queued", POOL_NOT_FOUND, f"No VehiclePool matches {names}"
    if known.progress is None or known.progress.state is BatchState.PLANNING:
        read = "The input is read, checked and cut into shards"
        return "Validating", *_trouble_or(known.progress, "Planning", read)
    return _running_phase(known.progress, known)


def _running_phase(progress: Progress, known: Known) -> tuple[Phase, str, str]:
    done = f"{progress.shards_committed} of {progress.shards_total} shards committed"
    if progress.slots_running:
        return "InProgress", "Running", f"{done} on {progress.slots_running} vehicles"
    free = f"{known.count.free} of {known.count.total} in {', '.join(known.pools)} are free"
    refused = f"; one refused its bundle: {progress.refusal}" if progress.refusal else ""
    waiting = f"{done}; no vehicle works on it, {free}{refused}"
    return "InProgress" if progress.shards_committed else "Queued", "WaitingForVehicles", waiting


def _conditions(
    batch: InferenceBatch, before: InferenceBatchStatus, phase: Phase, why: tuple[str, str], now: str
) -> list[Condition]:
    truths = {
        "Admitted": phase not in ("Validating", "Queued", "Suspended", "Failed"),
        "Running": phase in ("InProgress", "Finalizing"),
        "Complete": phase == "Completed",
        "Failed": phase == "Failed",
    }
    facts = {kind: (holds, *why) for kind, holds in truths.items()}
    return renew(before.conditions, facts, batch.metadata.generation, now)
