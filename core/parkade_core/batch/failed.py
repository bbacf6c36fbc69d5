"""The first failed records of a batch, for its status: derived from error lines, so the same whoever leads.

The lines come from planning (which trusts itself) and from vehicles (which it does not), so whatever is shown is
bounded and printable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from parkade_core.shown import shown

MOST_SHOWN: Final = 3
MOST_ID: Final = 80
MOST_CODE: Final = 64
MOST_MESSAGE: Final = 200


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """One line of errors.jsonl as a status shows it; *custom_id* is empty when the record states none."""

    line: int
    custom_id: str
    code: str
    message: str


class FirstFailed:
    """The failed records of lowest input line among those that were told."""

    def __init__(self) -> None:
        self.records: tuple[FailedRecord, ...] = ()

    def needs(self, first_line: int) -> bool:
        """Whether failures from input line *first_line* on could still be among the first."""
        return len(self.records) < MOST_SHOWN or first_line < self.records[-1].line

    def note(self, error_lines: bytes) -> None:
        """Take in lines of errors.jsonl, ascending; the rest of a line that is cut short does not count."""
        whole = error_lines.split(b"\n", MOST_SHOWN)[:-1]
        self._merge(filter(None, map(_failed_record, whole)))

    def _merge(self, found: Iterable[FailedRecord]) -> None:
        known = {record.line: record for record in (*self.records, *found)}
        self.records = tuple(known[line] for line in sorted(known)[:MOST_SHOWN])


def _failed_record(error_line: bytes) -> FailedRecord | None:
    try:
        row = orjson.loads(error_line)
        error = row["error"]
        return FailedRecord(
            line=int(error["line"]),
            custom_id=shown(row["custom_id"], MOST_ID),
            code=shown(error["code"], MOST_CODE),
            message=shown(error["message"], MOST_MESSAGE),
        )
    except (ValueError, KeyError, TypeError):
        return None
