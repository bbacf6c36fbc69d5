"""One shard: its lines in, one output or error line for each, in the order of the input.

Lanes take the next record that nobody has taken, so how many lanes there were, and how often they were stopped,
cannot be seen in the file.
"""

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from parkade_agent.sidecar.checkpoint import Checkpoint, Row
from parkade_agent.sidecar.errors import WrongDigestError
from parkade_api.wellknown import RecordError
from parkade_core.batch.lines import error_line, output_line
from parkade_core.batch.record import Reject, reject_line
from parkade_models.errors import BadRecordError
from parkade_models.tasks.task import Answer, Task


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a shard."""

    line: int
    custom_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """The bytes to write: output lines, then error lines, each in input order."""

    content: bytes
    output_size: int
    sha256: str
    succeeded: int
    failed: int


def read_records(content: bytes, sha256: str) -> list[Record | Reject]:
    """The shard's records. Raises WrongDigestError when these are not its bytes.

    A line that is no record becomes a Reject and the others are run. One that states no line number of the input
    gets the number after that of the line before it.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WrongDigestError(f"the shard has sha256 {found}, expected {sha256}")
    records: list[Record | Reject] = []
    last = 0
    for raw in content.removesuffix(b"\n").split(b"\n") if content else ():
        records.append(_record(raw, last + 1))
        last = records[-1].line
    return records


def _record(raw: bytes, next_line: int) -> Record | Reject:
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        message = f"the line of the shard is not JSON in UTF-8: {error.msg}"
        return Reject(next_line, None, RecordError.NOT_JSON, message)
    if not isinstance(row, dict):
        message = "the line of the shard is JSON, but no object"
        return Reject(next_line, None, RecordError.NOT_AN_OBJECT, message)
    line, custom_id, body = row.get("line"), row.get("custom_id"), row.get("body")
    if type(line) is not int or line < 1:
        message = "the line of the shard states no line number of the input"
        return Reject(next_line, None, RecordError.BAD_REQUEST, message)
    if not isinstance(custom_id, str):
        message = "the line of the shard has no custom_id, or one that is no string"
        return Reject(line, None, RecordError.BAD_CUSTOM_ID, message)
    if not isinstance(body, dict):
        return Reject(line, custom_id, RecordError.BAD_REQUEST, "body must be an object")
    return Record(line, custom_id, body)


class ShardRun:
    """The records of one shard that are done and those that are not; any lane may run any of them."""

    def __init__(
        self, task: Task, records: Sequence[Record | Reject], input_digest: str, checkpoint: Checkpoint
    ) -> None:
        self._task = task
        self._records = records
        self._input_digest = input_digest
        self._checkpoint = checkpoint
        self._rows = [checkpoint.rows.get(index) for index in range(len(records))]
        step = task.rows_per_run
        # Appending to a deque and popping from it are atomic.
        self._waiting = deque(at for at in range(0, self.total, step) if None in self._rows[at : at + step])

    @property
    def total(self) -> int:
        """Records in the shard."""
        return len(self._records)

    @property
    def done(self) -> int:
        """Records that have their line."""
        return self.total - self._rows.count(None)

    @property
    def has_more(self) -> bool:
        """Whether there is something to take."""
        return bool(self._waiting)

    def take(self) -> int | None:
        """Where the next records to run begin: as many as the task takes at once. None when all are taken."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, start: int) -> None:
        """What was taken was not run."""
        self._waiting.appendleft(start)

    def run(self, start: int) -> None:
        """Runs what was taken and keeps its lines. Raises StoppedError, then nothing of it is done."""
        end = min(start + self._task.rows_per_run, self.total)
        records = {index: self._records[index] for index in range(start, end)}
        begun = time.thread_time()
        rows = dict(zip(records, self._lines(list(records.values())), strict=True))
        self._checkpoint.keep(rows, time.thread_time() - begun)
        for index, row in rows.items():
            self._rows[index] = row

    def _lines(self, records: Sequence[Record | Reject]) -> Iterable[Row]:
        bodies = [record.body for record in records if isinstance(record, Record)]
        answers = iter(self._task.answers(bodies) if bodies else ())
        for record in records:
            if isinstance(record, Reject):
                yield False, reject_line(self._input_digest, record)
            else:
                yield self._line(record, next(answers))

    def _line(self, record: Record, answer: Answer) -> Row:
        if isinstance(answer, BadRecordError):
            code, message = answer.code, answer.message
            return False, error_line(self._input_digest, record.line, record.custom_id, code, message)
        return True, output_line(self._input_digest, record.line, record.custom_id, answer)

    def result(self) -> Result:
        """The result once nothing is waiting or in a lane's hand."""
        rows = [row for row in self._rows if row is not None]
        outputs, errors = _lines(rows, is_output=True), _lines(rows, is_output=False)
        content = b"".join((*outputs, *errors))
        output_size = sum(map(len, outputs))
        return Result(content, output_size, hashlib.sha256(content).hexdigest(), len(outputs), len(errors))


def _lines(rows: Iterable[Row], *, is_output: bool) -> list[bytes]:
    return [line for succeeded, line in rows if succeeded == is_output]
