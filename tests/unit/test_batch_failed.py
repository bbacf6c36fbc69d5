"""What a status shows of failed records: the first three by line, bounded, whoever told them and in whatever order."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.proto.gateway.v1 import gateway_pb2 as pb
from parkade_api.v1alpha1.inferencebatch import (
    FirstFailedRecord,
    InferenceBatchStatus,
    RequestCounts,
    Results,
)
from parkade_core.batch.failed import MOST_MESSAGE, FailedRecord, FirstFailed
from parkade_core.batch.lines import error_line
from parkade_core.batch.news import News, find_news
from parkade_core.batch.progress import BatchState, Progress
from parkade_operator.messages import progress_message, progress_of


def told(*numbers: int) -> bytes:
    """Lines of errors.jsonl for those input lines."""
    return b"".join(
        error_line("sha256:0", number, f"doc-{number}", "EmptyText", "no text") for number in numbers
    )


@given(st.lists(st.lists(st.integers(1, 50), unique=True, max_size=6).map(sorted), max_size=8))
def test_the_first_are_the_first_in_any_order(pieces: list[list[int]]) -> None:
    """The three lowest lines stand at the end, also when only what is needed was looked at."""
    known = FirstFailed()
    for numbers in pieces:
        if numbers and known.needs(numbers[0]):
            known.note(told(*numbers))
    expected = sorted({number for numbers in pieces for number in numbers})[:3]
    assert [record.line for record in known.records] == expected


def test_a_record_is_shown_with_line_name_code_and_cure() -> None:
    """All that errors.jsonl says of it; a record without a custom_id has an empty one."""
    known = FirstFailed()
    known.note(told(7) + error_line("sha256:0", 9, None, "NotJson", "not JSON at column 1"))
    assert known.records == (
        FailedRecord(7, "doc-7", "EmptyText", "no text"),
        FailedRecord(9, "", "NotJson", "not JSON at column 1"),
    )


@pytest.mark.parametrize(
    "junk", [b"", b"\n", b"{}\n", b"[]\n", b"nonsense\n", b'{"error":null,"custom_id":1}\n', told(1)[:-1]]
)
def test_what_is_no_error_line_is_not_shown(junk: bytes) -> None:
    """Bytes of a vehicle, or a line that is cut short, raise nothing and show nothing."""
    known = FirstFailed()
    known.note(junk)
    assert known.records == ()


@given(st.text(), st.text(), st.text())
def test_nothing_long_or_unprintable_is_shown(custom_id: str, code: str, message: str) -> None:
    """Whatever a vehicle writes, a terminal that shows the status is safe and the status stays small."""
    known = FirstFailed()
    row = {"custom_id": custom_id, "error": {"code": code, "message": message * 50, "line": 3}}
    known.note(orjson.dumps(row) + b"\n")
    (record,) = known.records
    assert (record.custom_id + record.code + record.message).isprintable()
    assert (len(record.custom_id) <= 80, len(record.code) <= 64) == (True, True)
    assert len(record.message) <= MOST_MESSAGE


def test_the_first_failed_travel_to_the_operator() -> None:
    """What the gateway knows is what the operator reads."""
    records = (FailedRecord(7, "doc-7", "EmptyText", "no text"), FailedRecord(9, "", "NotJson", "not JSON"))
    progress = Progress(BatchState.RUNNING, uid="u", records_total=9, first_failed=records)
    assert progress_of(pb.Snapshot(batches=[progress_message(progress)]), "u") == progress


FAILED = FirstFailedRecord(line=7, custom_id="doc-7", code="EmptyText", message="no text")
NAMELESS = FirstFailedRecord(line=2, code="NotJson", message="not JSON")


def status(phase: str, reason: str = "Running", **parts: object) -> InferenceBatchStatus:
    """A status with those parts."""
    return InferenceBatchStatus.model_validate({"phase": phase, "reason": reason, "message": "so"} | parts)


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        (None, status("Validating", "Planning"), [("Normal", "Planning", "Validating: so")]),
        (status("InProgress"), status("InProgress", "WaitingForVehicles"), []),
        (status("InProgress"), status("Failed", "ShardFailed"), [("Warning", "ShardFailed", "Failed: so")]),
        (
            status("Validating", "Planning"),
            status("Validating", "PlatformTrouble"),
            [("Warning", "PlatformTrouble", "Validating: so")],
        ),
        (status("Validating", "PlatformTrouble"), status("Validating", "PlatformTrouble"), []),
        (status("Validating", "PlatformTrouble"), status("Validating", "Planning"), []),
        (
            status("InProgress"),
            status("InProgress", first_failed_records=[FAILED]),
            [("Warning", "RecordsFailed", "Line 7 (doc-7): EmptyText: no text")],
        ),
        (
            status("InProgress", first_failed_records=[FAILED]),
            status("InProgress", first_failed_records=[NAMELESS, FAILED]),
            [],
        ),
        (
            status("Validating", "Planning"),
            status("Queued", "WaitingForVehicles", first_failed_records=[NAMELESS]),
            [
                ("Normal", "WaitingForVehicles", "Queued: so"),
                ("Warning", "RecordsFailed", "Line 2: NotJson: not JSON"),
            ],
        ),
        (
            status("Finalizing", first_failed_records=[FAILED]),
            status(
                "Completed",
                "AllShardsCommitted",
                first_failed_records=[FAILED],
                request_counts=RequestCounts(total=9, completed=8, failed=1),
                results=Results(output_uri="o", error_uri="file:///e/errors.jsonl", manifest_digest="d"),
            ),
            [
                ("Normal", "AllShardsCommitted", "Completed: so"),
                (
                    "Warning",
                    "RecordsFailed",
                    "1 of 9 records failed; each has its line, code and cure in file:///e/errors.jsonl",
                ),
            ],
        ),
    ],
)
def test_what_is_news(
    before: InferenceBatchStatus | None, now: InferenceBatchStatus, news: list[tuple[str, str, str]]
) -> None:
    """An Event for each phase, for a trouble of ours, for the first failed record, and one that sums them up."""
    found = find_news(before, now)
    assert all(isinstance(one, News) for one in found)
    assert [(one.kind, one.reason, one.message) for one in found] == news
