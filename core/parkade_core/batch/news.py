"""The Events of a batch: what in a new status is news, in words that `kubectl describe` shows."""

from dataclasses import dataclass
from typing import Literal

from parkade_api.v1alpha1.inferencebatch import FirstFailedRecord, InferenceBatchStatus
from parkade_api.wellknown import PLATFORM_TROUBLE, RECORDS_FAILED


@dataclass(frozen=True, slots=True)
class News:
    """One Event."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


def find_news(before: InferenceBatchStatus | None, status: InferenceBatchStatus) -> list[News]:
    """What happened between two statuses: a phase, a trouble of the platform, a first failed record, the failures."""
    was = before or InferenceBatchStatus()
    news = []
    if was.phase != status.phase or (was.reason != status.reason == PLATFORM_TROUBLE):
        bad = status.phase == "Failed" or status.reason == PLATFORM_TROUBLE
        news.append(
            News("Warning" if bad else "Normal", str(status.reason), f"{status.phase}: {status.message}")
        )
    if status.first_failed_records and not was.first_failed_records:
        news.append(News("Warning", RECORDS_FAILED, describe(status.first_failed_records[0])))
    if status.phase == "Completed" != was.phase and status.request_counts and status.request_counts.failed:
        news.append(News("Warning", RECORDS_FAILED, _all_failed(status)))
    return news


def describe(record: FirstFailedRecord) -> str:
    """A failed record in one sentence."""
    name = f" ({record.custom_id})" if record.custom_id else ""
    return f"Line {record.line}{name}: {record.code}: {record.message}"


def _all_failed(status: InferenceBatchStatus) -> str:
    counts, results = status.request_counts, status.results
    told = f"{counts.failed} of {counts.total} records failed" if counts else "records failed"
    return f"{told}; each has its line, code and cure in {results.error_uri}" if results else told
