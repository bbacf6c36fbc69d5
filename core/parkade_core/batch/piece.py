"""Whether the bytes that a vehicle sent are what it says they are, and of the right shape.

Nothing else of a vehicle's result is believed: digests, ranges, counts and the shape of every line are
checked before anything is committed: what the log has decided, assembling must be able to read.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from parkade_core.batch.commit import ShardCommit
from parkade_core.batch.plan import Plan

MOST_PIECE_BYTES: Final = 16 * 1024 * 1024
MOST_PIECES: Final = 1_000_000
MOST_LINE: Final = 2**53
"""The highest input line that a status can state: JSON readers hold integers exactly up to there."""

_ID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def problem_of_name(lease: str, piece: int) -> str | None:
    """What is wrong with the name of a piece, which becomes part of an object's key; None when nothing is."""
    if not _ID.fullmatch(lease):
        return "the lease is not a UUID"
    return None if 0 <= piece < MOST_PIECES else f"piece {piece} is not below {MOST_PIECES}"


def problem_of_size(size: int) -> str | None:
    """Why *size* bytes cannot be a piece, and what helps; None when they can."""
    if size <= MOST_PIECE_BYTES:
        return None
    return f"{size} bytes are more than the {MOST_PIECE_BYTES} of a piece: set fewer recordsPerShard"


def problem_of_piece(plan: Plan, commits: Sequence[ShardCommit], data: bytes, sha256: str) -> str | None:
    """What is wrong with a piece that holds the results of *commits*; None when nothing is."""
    if (problem := problem_of_size(len(data))) is not None:
        return problem
    if hashlib.sha256(data).hexdigest() != sha256:
        return "the piece does not have the digest that its header states"
    end = 0
    seen: set[int] = set()
    for commit in commits:
        if commit.shard in seen:
            return f"shard {commit.shard} comes twice"
        if commit.offset != end:
            return f"shard {commit.shard} starts at byte {commit.offset}, the one before ends at {end}"
        seen.add(commit.shard)
        end += commit.size
    if end != len(data) or not commits:
        return f"the results cover {end} bytes of a piece of {len(data)}"
    return next((p for c in commits if (p := _problem_of_result(plan, c, data))), None)


def _problem_of_result(plan: Plan, commit: ShardCommit, data: bytes) -> str | None:
    name = f"shard {commit.shard}"
    if not 0 <= commit.shard < len(plan.shards):
        return f"{name} does not exist"
    if not _ID.fullmatch(commit.attempt):
        return f"the attempt of {name} is not a UUID"
    records = plan.shards[commit.shard].records
    if commit.succeeded + commit.failed != records:
        return f"{name} has {records} records, the result speaks of {commit.succeeded + commit.failed}"
    result = memoryview(data)[commit.offset : commit.offset + commit.size]
    if hashlib.sha256(result).hexdigest() != commit.sha256:
        return f"the result of {name} does not have the digest that its header states"
    return _problem_of_lines(name, _input_lines(plan, commit.shard), commit, bytes(result))


def _input_lines(plan: Plan, shard: int) -> tuple[int, float]:
    """The first input line of the shard, and the first that can no longer be its own."""
    following = plan.shards[shard + 1 : shard + 2]
    return plan.shards[shard].first_line, following[0].first_line if following else math.inf


def _problem_of_lines(name: str, within: tuple[int, float], commit: ShardCommit, result: bytes) -> str | None:
    if commit.output_size > len(result):
        return f"the output of {name} is longer than its result"
    output, errors = result[: commit.output_size], result[commit.output_size :]
    if any(part and not part.endswith(b"\n") for part in (output, errors)):
        return f"the result of {name} ends within a line"
    counts = output.count(b"\n"), errors.count(b"\n")
    if counts != (commit.succeeded, commit.failed):
        return f"the result of {name} has {counts[0]} output and {counts[1]} error lines, not as it states"
    if not all(_is_output_line(line) for line in output.split(b"\n")[:-1]):
        return f"the output of {name} has a line that is no result of a record"
    return _problem_of_errors(name, within, errors)


def _problem_of_errors(name: str, within: tuple[int, float], errors: bytes) -> str | None:
    least, end = within
    for line in errors.split(b"\n")[:-1]:
        number = _line_of_error(line)
        if number is None:
            return f"the errors of {name} have a line that does not say which input line failed"
        if not least <= number < end:
            return f"the errors of {name} speak of input line {number}, not of its own in ascending order"
        least = number + 1
    return None


def _is_output_line(line: bytes) -> bool:
    row = _object(line)
    return isinstance(row.get("custom_id"), str) and row.get("error", "") is None


def _line_of_error(line: bytes) -> int | None:
    error = _object(line).get("error")
    number = error.get("line") if isinstance(error, dict) else None
    return number if type(number) is int and number <= MOST_LINE else None


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
