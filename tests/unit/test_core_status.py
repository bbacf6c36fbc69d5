"""InferenceBatch.status as a fold over what the gateway reports."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.v1alpha1 import InferenceBatch
from parkade_api.v1alpha1.inferencebatch import InferenceBatchStatus
from parkade_core.batch.failed import FailedRecord
from parkade_core.batch.progress import BatchState, Progress
from parkade_core.batch.status import Known, fold, is_finished, seconds_left
from parkade_core.vehicle.census import PoolCount
from support.objects import BORN, LATER, batch

RUNNING = Progress(
    state=BatchState.RUNNING,
    records_total=200,
    records_succeeded=90,
    records_failed=10,
    shards_total=20,
    shards_committed=10,
    shards_leased=3,
    records_per_second=4.0,
    slots_running=2,
)
FRESH = Progress(state=BatchState.RUNNING, records_total=200, shards_total=20)
COMPLETE = Progress(
    state=BatchState.COMPLETE,
    records_total=200,
    records_succeeded=198,
    records_failed=2,
    shards_total=20,
    shards_committed=20,
    output_uri="file:///results/output.jsonl",
    error_uri="file:///results/errors.jsonl",
    manifest_digest="sha256:m",
)
FAILED = Progress(state=BatchState.FAILED, reason="InputUnreadable", message="no such file")
FINALIZING = Progress(state=BatchState.FINALIZING, shards_total=20, shards_committed=20)
PLANNING = Progress(state=BatchState.PLANNING)
COUNT = PoolCount(total=5, online=5, eligible=2, free=2, ineligible_reasons={"NotCharging": 2, "Driving": 1})

_STATES = st.sampled_from([None, PLANNING, FRESH, RUNNING, FINALIZING, COMPLETE, FAILED])


def folded(
    progress: Progress | None,
    of: InferenceBatch | None = None,
    now: str = LATER,
    pools: tuple[str, ...] = ("home",),
) -> InferenceBatchStatus:
    """The status of a batch, by default a new one."""
    return fold(of or batch(), Known(pools, COUNT, progress), now, "2026-01-01T00:30:00Z")


def after(progress: Progress | None, now: str = BORN) -> InferenceBatch:
    """A batch that has the status of *progress*."""
    return batch().model_copy(update={"status": folded(progress, now=now)})


def conditions(status: InferenceBatchStatus) -> str:
    """The types of the conditions that hold, joined."""
    return " ".join(item.type for item in status.conditions or [] if item.status == "True")


@pytest.mark.parametrize(
    ("progress", "spec", "pools", "phase", "reason", "holds"),
    [
        (None, {}, ("home",), "Validating", "Planning", ""),
        (PLANNING, {}, ("home",), "Validating", "Planning", ""),
        (None, {}, (), "Queued", "PoolNotFound", ""),
        (FRESH, {}, (), "Queued", "PoolNotFound", ""),
        (FRESH, {}, ("home",), "Queued", "WaitingForVehicles", ""),
        (RUNNING, {}, ("home",), "InProgress", "Running", "Admitted Running"),
        (RUNNING, {"suspend": True}, ("home",), "Suspended", "Suspended", ""),
        (None, {"suspend": True}, (), "Suspended", "Suspended", ""),
        (FINALIZING, {}, ("home",), "Finalizing", "AssemblingResults", "Admitted Running"),
        (FINALIZING, {"suspend": True}, (), "Finalizing", "AssemblingResults", "Admitted Running"),
        (COMPLETE, {}, ("home",), "Completed", "AllShardsCommitted", "Admitted Complete"),
        (COMPLETE, {"suspend": True}, (), "Completed", "AllShardsCommitted", "Admitted Complete"),
        (FAILED, {}, ("home",), "Failed", "InputUnreadable", "Failed"),
    ],
)
def test_the_phase(
    progress: Progress | None,
    spec: dict[str, Any],
    pools: tuple[str, ...],
    phase: str,
    reason: str,
    holds: str,
) -> None:
    """What ended has ended whatever the spec says; before that suspension, then pools, then progress decide."""
    status = folded(progress, batch(**spec), pools=pools)
    assert (status.phase, status.reason, conditions(status)) == (phase, reason, holds)
    assert [item.type for item in status.conditions or []] == ["Admitted", "Running", "Complete", "Failed"]


def test_a_batch_without_vehicles_goes_on_waiting_in_progress() -> None:
    """Once a shard is committed the batch is no longer queued, although nobody works on it now."""
    status = folded(Progress(state=BatchState.RUNNING, shards_total=20, shards_committed=1))
    assert (status.phase, status.reason) == ("InProgress", "WaitingForVehicles")
    assert status.message == "1 of 20 shards committed; no vehicle works on it, 2 of 5 in home are free"


def test_a_batch_that_waits_says_why_a_vehicle_refused_its_bundle() -> None:
    """Whoever wonders why free vehicles do not work on it reads what the last one said."""
    refusal = "the bundle is unsigned; this vehicle runs only bundles of publishers that it knows"
    status = folded(Progress(state=BatchState.RUNNING, shards_total=20, refusal=refusal))
    assert (status.message or "").endswith(f"2 of 5 in home are free; one refused its bundle: {refusal}")


@pytest.mark.parametrize(
    ("progress", "message"),
    [
        (RUNNING, "10 of 20 shards committed on 2 vehicles"),
        (COMPLETE, "198 of 200 records succeeded, 2 failed: see file:///results/errors.jsonl"),
        (Progress(BatchState.COMPLETE, records_total=3, records_succeeded=3), "3 of 3 records succeeded"),
        (FAILED, "no such file"),
    ],
)
def test_the_message_holds_the_numbers(progress: Progress, message: str) -> None:
    """A user reads how far it is, or what went wrong, in one sentence."""
    assert folded(progress).message == message


def test_a_missing_pool_is_named() -> None:
    """The message names what was looked for."""
    assert folded(None, batch(poolRefs=["a", "b"]), pools=()).message == "No VehiclePool matches a, b"
    selector = batch(poolSelector={"matchLabels": {"tier": "gold"}})
    assert folded(None, selector, pools=()).message == "No VehiclePool matches the poolSelector"


def test_counts() -> None:
    """Records and shards are those of the gateway; pending is what is neither leased nor committed."""
    status = folded(RUNNING)
    assert status.request_counts is not None
    assert status.shards is not None
    assert status.usage is not None
    assert tuple(status.request_counts.model_dump().values()) == (200, 90, 10)
    assert status.shards.model_dump() == {"total": 20, "pending": 7, "leased": 3, "succeeded": 10}
    assert (status.progress_percent, status.usage.vehicles) == (50, 2)
    assert [(part.reason, part.count) for part in status.pending_reasons or []] == [
        ("Driving", 1),
        ("NotCharging", 2),
    ]


def test_what_is_only_true_while_it_runs_goes_when_it_ends() -> None:
    """A complete batch uses no vehicle, waits for none, and estimates nothing."""
    status = folded(COMPLETE, after(RUNNING))
    assert status.usage is not None
    assert (status.usage.vehicles, status.pending_reasons, status.estimated_completion_time) == (
        0,
        None,
        None,
    )
    assert folded(RUNNING).estimated_completion_time == "2026-01-01T00:30:00Z"


@given(_STATES)
def test_results_are_there_exactly_when_complete(progress: Progress | None) -> None:
    """Nobody reads a file that is not finished."""
    results = folded(progress).results
    assert (results is not None) == (progress is COMPLETE)
    if results is not None:
        assert results.output_uri == "file:///results/output.jsonl"
        assert (results.error_uri, results.manifest_digest) == ("file:///results/errors.jsonl", "sha256:m")


@pytest.mark.parametrize(
    ("progress", "start", "finalizing", "completion"),
    [
        (PLANNING, None, None, None),
        (FAILED, None, None, None),
        (FRESH, LATER, None, None),
        (FINALIZING, LATER, LATER, None),
        (COMPLETE, LATER, LATER, LATER),
    ],
)
def test_times_are_set_when_it_happens(
    progress: Progress, start: str | None, finalizing: str | None, completion: str | None
) -> None:
    """A batch that failed before its first shard has no start."""
    status = folded(progress)
    assert (status.start_time, status.finalizing_at, status.completion_time) == (
        start,
        finalizing,
        completion,
    )


@given(_STATES, _STATES)
def test_what_was_told_keeps_its_time(first: Progress | None, second: Progress | None) -> None:
    """Times once set stay, and lastTransitionTime moves exactly with a condition's status."""
    before = after(first)
    assert before.status is not None
    status = folded(second, before)
    for name in ("start_time", "finalizing_at", "completion_time"):
        assert getattr(status, name) == (getattr(before.status, name) or getattr(folded(second), name))
    for had, has in zip(before.status.conditions or [], status.conditions or [], strict=True):
        assert has.last_transition_time == (BORN if had.status == has.status else LATER)


@given(_STATES)
def test_an_unchanged_batch_has_an_unchanged_status(progress: Progress | None) -> None:
    """The same progress folds to the same status at any time, so nothing is written."""
    before = after(progress)
    assert folded(progress, before) == before.status


@pytest.mark.parametrize(
    ("progress", "finished"),
    [(None, False), (RUNNING, False), (FINALIZING, False), (COMPLETE, True), (FAILED, True)],
)
def test_the_end_is_told_by_the_status(progress: Progress | None, finished: bool) -> None:  # noqa: FBT001 - a table
    """The gateway's word and the status agree on what is finished."""
    assert is_finished(after(progress)) is finished
    assert progress is None or progress.finished is finished
    assert not is_finished(batch())


@pytest.mark.parametrize(
    ("progress", "seconds"),
    [
        (RUNNING, 25.0),
        (FRESH, None),
        (Progress(BatchState.RUNNING, records_total=5, records_succeeded=9, records_per_second=1.0), 0.0),
        (Progress(BatchState.FINALIZING, records_total=5, records_per_second=1.0), None),
    ],
)
def test_the_time_left(progress: Progress, seconds: float | None) -> None:
    """Records left at the rate of the last minute; nothing is promised without a rate."""
    assert seconds_left(progress) == seconds


@pytest.mark.parametrize("progress", [None, PLANNING])
def test_what_was_told_stays_while_the_leader_starts(progress: Progress | None) -> None:
    """A gateway that has just restarted knows no counts yet: the batch does not fall back to Validating."""
    before = after(RUNNING)
    assert folded(progress, before) == before.status


@pytest.mark.parametrize("progress", [None, PLANNING])
def test_a_suspended_batch_keeps_its_counts_while_the_leader_starts(progress: Progress | None) -> None:
    """A restart of the gateway takes no number out of the status; that the batch was suspended meanwhile is told."""
    suspended = batch(suspend=True).model_copy(update={"status": after(RUNNING).status})
    status = folded(progress, suspended)
    assert suspended.status is not None
    assert (status.phase, status.reason) == ("Suspended", "Suspended")
    for part in ("request_counts", "shards", "progress_percent", "start_time", "first_failed_records"):
        assert getattr(status, part) == getattr(suspended.status, part)
    assert (status.pending_reasons, status.estimated_completion_time) == (None, None)
    assert folded(progress, suspended.model_copy(update={"status": status})) == status


@pytest.mark.parametrize(
    ("progress", "before", "phase"),
    [
        (PLANNING, None, "Validating"),
        (PLANNING, RUNNING, "InProgress"),
        (FINALIZING, RUNNING, "Finalizing"),
    ],
)
def test_a_trouble_of_the_platform_is_told(progress: Progress, before: Progress | None, phase: str) -> None:
    """While the gateway waits for its disk the user reads that, and that nothing is wrong with the batch."""
    troubled = replace(progress, message="No fault of the batch: no space left")
    status = folded(troubled, after(before) if before else None)
    told = (status.phase, status.reason, status.message)
    assert told == (phase, "PlatformTrouble", "No fault of the batch: no space left")
    assert folded(RUNNING, batch().model_copy(update={"status": status})).reason == "Running"


def test_failed_records_are_shown() -> None:
    """Line, custom_id, code and cure; a record without a custom_id has no such key; none, no field."""
    known = (FailedRecord(3, "doc-3", "EmptyText", "give a text"), FailedRecord(9, "", "NotJson", "not JSON"))
    status = folded(replace(RUNNING, first_failed=known))
    assert status.model_dump(by_alias=True, exclude_none=True)["firstFailedRecords"] == [
        {"line": 3, "customId": "doc-3", "code": "EmptyText", "message": "give a text"},
        {"line": 9, "code": "NotJson", "message": "not JSON"},
    ]
    assert folded(RUNNING).first_failed_records is None


def test_a_gateway_that_does_not_answer_is_named() -> None:
    """A batch that is created while the gateway is away says what it waits for."""
    known = Known(["home"], COUNT, None, is_reachable=False)
    status = fold(batch(), known, LATER, None)
    assert (status.phase, status.reason) == ("Queued", "GatewayUnreachable")
