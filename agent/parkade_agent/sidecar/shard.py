"""One shard: its lines in, one output or error line for each, dealt to the lanes.

Lanes take the next record that nobody has taken; results keep the order of the input, so how many lanes
there were cannot be seen in the file.
"""

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from parkade_agent.sidecar.errors import BadShardError, WrongDigestError
from parkade_api.wellknown import RecordError
from parkade_core.batch.lines import error_line, output_line
from parkade_models.errors import BadRecordError, StoppedError
from parkade_models.tasks.task import Answer, Task

_NO_REQUEST: Final = BadRecordError(RecordError.BAD_REQUEST, "body must be an object.")


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a shard."""

    line: int
    custom_id: str
    body: Any


@dataclass(frozen=True, slots=True)
class Result:
    """The bytes to write: output lines, then error lines, each in input order."""

    content: bytes
    output_size: int
    sha256: str
    succeeded: int
    failed: int


def read_records(content: bytes, sha256: str) -> list[Record]:
    """The shard's records. Raises WrongDigestError, or BadShardError naming the line of the shard."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WrongDigestError(f"the shard has sha256 {found}, expected {sha256}")
    return [_record(raw, number) for number, raw in enumerate(content.splitlines(), start=1)]


def _record(raw: bytes, number: int) -> Record:
    try:
        row = orjson.loads(raw)
        record = Record(row["line"], row["custom_id"], row["body"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise BadShardError(f"line {number} of the shard is not a record") from None
    if not isinstance(record.line, int) or not isinstance(record.custom_id, str):
        raise BadShardError(f"line {number} of the shard has no line number or no custom_id")
    return record


class ShardRun:
    """The state that the lanes of one shard share."""

    def __init__(self, task: Task, records: list[Record], input_digest: str) -> None:
        self._task = task
        self._records = records
        self._input_digest = input_digest
        self._results: list[tuple[bool, bytes] | None] = [None] * len(records)
        # next() of it is atomic under the GIL.
        self._next = itertools.count(step=task.rows_per_run)
        self._is_cancelled = False

    @property
    def total(self) -> int:
        """Records in the shard."""
        return len(self._records)

    @property
    def done(self) -> int:
        """Records that have their line."""
        return self.total - self._results.count(None)

    def cancel(self) -> None:
        """Lanes stop after the record that they have in hand."""
        self._is_cancelled = True

    def run_lane(self) -> None:
        """Takes records until none is left. Raises StoppedError when the session is told to stop."""
        try:
            for index in self._next:
                if index >= self.total:
                    return
                if self._is_cancelled:
                    raise StoppedError("the shard was cancelled")
                self._run(index, self._records[index : index + self._task.rows_per_run])
        finally:
            self.cancel()  # nothing is left to take, or this lane failed: then the others need not go on

    def _run(self, index: int, records: list[Record]) -> None:
        requests = {
            at: record.body for at, record in enumerate(records, index) if isinstance(record.body, dict)
        }
        answers = dict(zip(requests, self._task.answers(list(requests.values())), strict=True))
        for at, record in enumerate(records, index):
            self._results[at] = self._line(record, answers.get(at, _NO_REQUEST))

    def _line(self, record: Record, answer: Answer) -> tuple[bool, bytes]:
        if isinstance(answer, BadRecordError):
            code, message = answer.code, answer.message
            return False, error_line(self._input_digest, record.line, record.custom_id, code, message)
        return True, output_line(self._input_digest, record.line, record.custom_id, answer)

    def result(self) -> Result:
        """The result once every lane has returned."""
        rows = [row for row in self._results if row is not None]
        outputs, errors = _lines(rows, is_output=True), _lines(rows, is_output=False)
        content = b"".join((*outputs, *errors))
        output_size = sum(map(len, outputs))
        return Result(content, output_size, hashlib.sha256(content).hexdigest(), len(outputs), len(errors))


def _lines(rows: Iterable[tuple[bool, bytes]], *, is_output: bool) -> list[bytes]:
    return [line for succeeded, line in rows if succeeded == is_output]
