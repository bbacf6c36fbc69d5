"""One shard: every line has its line in the result, in input order, whatever the line holds."""

import hashlib
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_agent.sidecar.checkpoint import Checkpoint
from parkade_agent.sidecar.errors import WrongDigestError
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.shard import Record, ShardRun, read_records
from parkade_core.batch.lines import record_ids, shard_line
from parkade_core.batch.record import Reject
from parkade_models.tasks.embedding import EmbeddingTask

DIGEST = "sha256:" + "0" * 64


def _read(content: bytes) -> list[Record | Reject]:
    return read_records(content, hashlib.sha256(content).hexdigest())


def _run_alone(task: EmbeddingTask, records: list[Record | Reject], folder: Path) -> ShardRun:
    with closing(Checkpoint(SlotFolder(folder), bytes(32), len(records))) as checkpoint:
        run = ShardRun(task, records, DIGEST, checkpoint)
        while (start := run.take()) is not None:
            run.run(start)
    return run


def test_broken_records_become_error_lines(embedding_task: EmbeddingTask, tmp_path: Path) -> None:
    """Bad records have error lines with their input line and custom_id; the others succeed."""
    bodies = ({"input": "one"}, {"input": ""}, {"input": "three"}, {"input": 4}, "no object")
    content = b"".join(shard_line(10 * n, f"id-{n}", body) for n, body in enumerate(bodies, start=1))  # type: ignore[arg-type]
    result = _run_alone(embedding_task, _read(content), tmp_path).result()
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
    assert result.sha256 == hashlib.sha256(result.content).hexdigest()


def test_nonsense_among_records_fails_alone(embedding_task: EmbeddingTask, tmp_path: Path) -> None:
    """Lines that are no records have error lines with a code, a line number and no custom_id; the rest is answered."""
    odd = (b"not JSON", b'{"body": {"input": NaN}}', b'"\xff"', b"[1]", b"")
    content = b"".join(
        shard_line(10 * n, f"id-{n}", {"input": "x"}) + raw + b"\n" for n, raw in enumerate(odd, 1)
    )
    result = _run_alone(embedding_task, _read(content), tmp_path).result()
    errors = [orjson.loads(line) for line in result.content[result.output_size :].splitlines()]
    assert (result.succeeded, result.failed) == (5, 5)
    assert {row["custom_id"] for row in errors} == {None}
    assert [(row["error"]["line"], row["error"]["code"]) for row in errors] == [
        (11, "NotJson"),
        (21, "NotJson"),
        (31, "NotJson"),
        (41, "NotAnObject"),
        (51, "NotJson"),
    ]


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "word " * 20_000, "🚙🅿️", "\0", "a\0b", "e\u0301 \u202e\ufeff", "a\u2028\r\nb"]
)
def test_odd_texts_are_texts(embedding_task: EmbeddingTask, tmp_path: Path, text: str) -> None:
    """A very long text, emoji, NUL and characters that other programs trip over have vectors like any other."""
    result = _run_alone(embedding_task, _read(shard_line(1, "a", {"input": text})), tmp_path).result()
    assert (result.succeeded, result.failed) == (1, 0)


def test_records_are_read_back_as_planning_wrote_them() -> None:
    """A shard line carries the input's line number, the custom_id and the body, whatever characters they hold."""
    content = shard_line(3, "a\u2028b\n", {"input": "x\r\ny"}) + shard_line(9, "c", {"input": "z"})
    assert _read(content) == [
        Record(3, "a\u2028b\n", {"input": "x\r\ny"}),
        Record(9, "c", {"input": "z"}),
    ]


def test_other_bytes_are_refused() -> None:
    """Bytes with another digest are no shard."""
    with pytest.raises(WrongDigestError, match="expected 00"):
        read_records(b"{}", "00")


@pytest.mark.parametrize(
    ("raw", "line", "custom_id", "code"),
    [
        (b"", 8, None, "NotJson"),
        (b"{", 8, None, "NotJson"),
        (b"NaN", 8, None, "NotJson"),
        (b'{"line": 9, "custom_id": "a", "body": {"input": NaN}}', 8, None, "NotJson"),
        (b'{"line": 9, "custom_id": "a", "body": {"input": "\xff"}}', 8, None, "NotJson"),
        (b'{"line": 9, "custom_id": "a", "body": {"input": "\x00"}}', 8, None, "NotJson"),
        (b'{"line": 9, "custom_id": "\\ud800", "body": {}}', 8, None, "NotJson"),
        (b"[" * 2_000, 8, None, "NotJson"),
        (b"[]", 8, None, "NotAnObject"),
        (b'"text"', 8, None, "NotAnObject"),
        (b"{}", 8, None, "BadRequest"),
        (b'{"line": "9", "custom_id": "a", "body": {}}', 8, None, "BadRequest"),
        (b'{"line": true, "custom_id": "a", "body": {}}', 8, None, "BadRequest"),
        (b'{"line": 0, "custom_id": "a", "body": {}}', 8, None, "BadRequest"),
        (b'{"line": 9, "body": {}}', 9, None, "BadCustomId"),
        (b'{"line": 9, "custom_id": 1, "body": {}}', 9, None, "BadCustomId"),
        (b'{"line": 9, "custom_id": "a"}', 9, "a", "BadRequest"),
        (b'{"line": 9, "custom_id": "a", "body": []}', 9, "a", "BadRequest"),
    ],
)
def test_lines_that_are_no_records_are_refused_alone(
    raw: bytes, line: int, custom_id: str | None, code: str
) -> None:
    """A line that is no record has the line number that it states, or the one after the line before; others stay."""
    good = shard_line(7, "before", {}), shard_line(70, "after", {})
    before, refused, after = _read(good[0] + raw + b"\n" + good[1])
    assert (before, after) == (Record(7, "before", {}), Record(70, "after", {}))
    assert isinstance(refused, Reject)
    assert (refused.line, refused.custom_id, refused.code) == (line, custom_id, code)
    assert refused.message


@given(lines=st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), min_size=1))
def test_any_bytes_are_records_or_refused(lines: list[bytes]) -> None:
    """Whatever a shard holds, each of its lines is a record or a refusal, with a line number."""
    content = b"".join(line + b"\n" for line in lines)
    found = _read(content)
    assert len(found) == len(lines)
    assert all(record.line >= 1 for record in found)


def test_an_empty_shard_has_no_records() -> None:
    """No bytes are no lines; a last line needs no end."""
    assert _read(b"") == []
    assert len(_read(b"{}\n{}")) == 2
