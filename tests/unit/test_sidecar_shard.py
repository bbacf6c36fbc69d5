"""One shard: every record has its line, in input order, whatever the lanes do."""

import hashlib
import threading

import orjson
import pytest

from parkade_agent.sidecar.errors import BadShardError, WrongDigestError
from parkade_agent.sidecar.shard import Record, ShardRun, read_records
from parkade_core.batch.lines import record_ids, shard_line
from parkade_models.errors import StoppedError
from parkade_models.tasks.embedding import EmbeddingTask

DIGEST = "sha256:" + "0" * 64
BODIES: tuple[object, ...] = ({"input": "one"}, {"input": ""}, {"input": "three"}, {"input": 4}, "no object")


def _records() -> list[Record]:
    return [Record(10 * number, f"id-{number}", body) for number, body in enumerate(BODIES, start=1)]


def _run(task: EmbeddingTask, lanes: int) -> ShardRun:
    run = ShardRun(task, _records(), DIGEST)
    threads = [threading.Thread(target=run.run_lane) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return run


def test_broken_records_become_error_lines(embedding_task: EmbeddingTask) -> None:
    """Bad records have error lines with their input line and custom_id; the others succeed."""
    result = _run(embedding_task, 1).result()
    outputs = [orjson.loads(line) for line in result.content[: result.output_size].splitlines()]
    errors = [orjson.loads(line) for line in result.content[result.output_size :].splitlines()]
    assert (result.succeeded, result.failed) == (2, 3)
    assert [row["custom_id"] for row in outputs] == ["id-1", "id-3"]
    assert [(row["custom_id"], row["error"]["line"], row["error"]["code"]) for row in errors] == [
        ("id-2", 20, "EmptyText"),
        ("id-4", 40, "BadRequest"),
        ("id-5", 50, "BadRequest"),
    ]
    assert outputs[1]["id"] == record_ids(DIGEST, 30)[0]


@pytest.mark.parametrize("lanes", [2, 5, 16])
def test_lanes_cannot_be_seen_in_the_result(embedding_task: EmbeddingTask, lanes: int) -> None:
    """Any number of lanes, also more than records, gives the bytes that one lane gives."""
    assert _run(embedding_task, lanes).result() == _run(embedding_task, 1).result()


def test_cancelled_shard_stops_its_lanes(embedding_task: EmbeddingTask) -> None:
    """A cancelled lane takes no further record and says so."""
    run = ShardRun(embedding_task, _records(), DIGEST)
    run.cancel()
    with pytest.raises(StoppedError):
        run.run_lane()
    assert (run.done, run.total) == (0, 5)


def test_records_are_read_back_as_planning_wrote_them() -> None:
    """A shard line carries the input's line number, the custom_id and the body, whatever characters they hold."""
    content = shard_line(3, "a\u2028b\n", {"input": "x\r\ny"}) + shard_line(9, "c", {"input": "z"})
    assert read_records(content, hashlib.sha256(content).hexdigest()) == [
        Record(3, "a\u2028b\n", {"input": "x\r\ny"}),
        Record(9, "c", {"input": "z"}),
    ]


def test_other_bytes_are_refused() -> None:
    """Bytes with another digest are no shard."""
    with pytest.raises(WrongDigestError, match="expected 00"):
        read_records(b"{}", "00")


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"line": "1", "custom_id": "a", "body": {}}'])
def test_lines_that_are_no_records_are_refused(line: bytes) -> None:
    """A shard with the right digest and wrong lines is refused with the number of the line."""
    content = shard_line(1, "a", {}) + line
    with pytest.raises(BadShardError, match="line 2 of the shard"):
        read_records(content, hashlib.sha256(content).hexdigest())
