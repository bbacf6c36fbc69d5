"""One line of an input file: a request of the OpenAI Batch API, or the reason why it is none.

Planning asks here about every line; what is refused goes to errors.jsonl and the other lines are worked on.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from parkade_api.wellknown import RecordError
from parkade_core.batch import lines

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
MAX_CUSTOM_ID: Final = 512
METHOD: Final = "POST"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """A line that can be worked on; *encoded* is its line of a shard object."""

    line: int
    custom_id: str
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that cannot be worked on, and why. *custom_id* is None when the line does not state one."""

    line: int
    custom_id: str | None
    code: RecordError
    message: str


def text_of(raw: bytes, line: int) -> bytes:
    """The bytes of input line *line* that count: a byte order mark at the file's start is no part of them."""
    return raw.removeprefix(BYTE_ORDER_MARK) if line == 1 else raw


def is_blank(raw: bytes, line: int) -> bool:
    """Whether the line holds nothing: such lines are counted but are no records, as in vLLM's batches."""
    return len(raw) <= MAX_LINE_BYTES and not text_of(raw, line).strip()


def check_line(raw: bytes, line: int, endpoint: str) -> Record | Reject:
    """Judge input line *line* (from 1) of a model that answers at *endpoint*. `Repeats` judges custom_ids."""
    if len(raw) > MAX_LINE_BYTES:
        return too_long(line)
    text = text_of(raw, line)
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Reject(line, None, RecordError.NOT_JSON, _problem_of_text(text, error))
    if not isinstance(request, dict):
        message = f"a JSON {_kind(request)}; each line is one JSON object"
        return Reject(line, None, RecordError.NOT_AN_OBJECT, message)
    return _check_request(request, line, endpoint)


def too_long(line: int) -> Reject:
    """The verdict on a line that is too long to be looked at."""
    message = f"the line is longer than {MAX_LINE_BYTES} bytes; split its input"
    return Reject(line, None, RecordError.LINE_TOO_LONG, message)


def reject_line(input_digest: str, reject: Reject) -> bytes:
    """The line of errors.jsonl for a refused line."""
    return lines.error_line(input_digest, reject.line, reject.custom_id, reject.code, reject.message)


class Repeats:
    """The custom_ids seen so far: the first line that states one keeps it, even if that line is refused."""

    def __init__(self) -> None:
        # 16 bytes of hash an id, so that memory does not depend on how long the ids are.
        self._first: dict[bytes, int] = {}

    def check(self, checked: Record | Reject) -> Record | Reject:
        """The same verdict, or a refusal when an earlier line has the custom_id."""
        if checked.custom_id is None:
            return checked
        key = hashlib.blake2b(checked.custom_id.encode(), digest_size=16).digest()
        first = self._first.setdefault(key, checked.line)
        if first == checked.line:
            return checked
        message = f"line {first} has the same custom_id; make custom_ids unique"
        return Reject(checked.line, checked.custom_id, RecordError.REPEATED_CUSTOM_ID, message)


def _problem_of_text(text: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError as problem:
        return f"not UTF-8 at byte {problem.start + 1}; save the file as UTF-8"
    return f"not JSON at column {error.colno} ({error.msg}); each line is one JSON object in UTF-8"


def _check_request(request: dict[str, Any], line: int, endpoint: str) -> Record | Reject:
    custom_id = request.get("custom_id")
    if custom_id is None or custom_id == "":
        message = f"custom_id is {_state(request, 'custom_id')}; give each record a string of its own"
        return Reject(line, None, RecordError.MISSING_CUSTOM_ID, message)
    if not isinstance(custom_id, str) or len(custom_id) > MAX_CUSTOM_ID:
        return Reject(line, None, RecordError.BAD_CUSTOM_ID, _problem_of_custom_id(custom_id))
    problem = _problem(request, endpoint)
    if problem is not None:
        return Reject(line, custom_id, RecordError.BAD_REQUEST, problem)
    try:
        return Record(line, custom_id, lines.shard_line(line, custom_id, request["body"]))
    except orjson.JSONEncodeError:
        message = "body is nested more than 250 levels deep; flatten it"
        return Reject(line, custom_id, RecordError.BAD_REQUEST, message)


def _problem_of_custom_id(custom_id: object) -> str:
    if isinstance(custom_id, str):
        return f"custom_id has {len(custom_id)} characters; at most {MAX_CUSTOM_ID} are taken"
    return f"custom_id is {_article(_kind(custom_id))}; write it as a string"


def _problem(request: dict[str, Any], endpoint: str) -> str | None:
    if request.get("method") != METHOD:
        return f'method is {_state(request, "method")}; it must be "{METHOD}"'
    if request.get("url") != endpoint:
        return f'url is {_state(request, "url")}; for this model it must be "{endpoint}"'
    body = request.get("body")
    if not isinstance(body, dict):
        return f"body is {_state(request, 'body')}; it must be an object with an input"
    if "input" not in body:
        return 'body has no "input"; put what the model takes there'
    return None


def _state(request: dict[str, Any], name: str) -> str:
    value = request.get(name)
    if value is None:
        return "missing" if name not in request else "null"
    if isinstance(value, str):
        return f'"{value[:80]}"' if value else "empty"
    return _article(_kind(value))


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ao" else f"a {kind}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return kinds[type(value)]
