"""The lines of output.jsonl and errors.jsonl, in the shapes of the OpenAI Batch API.

A line is a function of the input's digest, the line number and the record: no UID, time or attempt appears in
it, so any vehicle makes the same bytes.
"""

import hashlib
from typing import Any

import orjson

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


def record_ids(input_digest: str, line: int) -> tuple[str, str]:
    """The `id` and `request_id` of input line *line* (from 1) of the input with that digest."""
    digest = hashlib.sha256(f"{input_digest}:{line}".encode()).hexdigest()
    return f"batch_req_{digest[:24]}", f"req_{digest[24:48]}"


def output_line(input_digest: str, line: int, custom_id: str, body: dict[str, Any]) -> bytes:
    """One line of output.jsonl; float32 arrays in *body* are written as shortest round-trip decimals."""
    id_, request_id = record_ids(input_digest, line)
    response = {"status_code": 200, "request_id": request_id, "body": body}
    return orjson.dumps(
        {"id": id_, "custom_id": custom_id, "response": response, "error": None}, option=_OPTIONS
    )


def error_line(input_digest: str, line: int, custom_id: str | None, code: str, message: str) -> bytes:
    """One line of errors.jsonl: what was wrong with input line *line* and what would be right."""
    id_, _ = record_ids(input_digest, line)
    error = {"code": code, "message": message, "line": line}
    return orjson.dumps(
        {"id": id_, "custom_id": custom_id, "response": None, "error": error}, option=_OPTIONS
    )


def line_of_error(error_line: bytes) -> int:
    """The input line that an errors.jsonl line speaks of."""
    line: int = orjson.loads(error_line)["error"]["line"]
    return line


def shard_line(line: int, custom_id: str, body: dict[str, Any]) -> bytes:
    """One record of a shard object: what the vehicle is shown of input line *line*."""
    return orjson.dumps(
        {"line": line, "custom_id": custom_id, "body": body}, option=orjson.OPT_APPEND_NEWLINE
    )
