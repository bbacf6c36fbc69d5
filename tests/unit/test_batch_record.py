"""Which input lines are records, and what people are told about the others."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkade_api.bundle import EMBEDDINGS
from parkade_api.wellknown import RecordError
from parkade_core.batch.record import (
    BYTE_ORDER_MARK,
    MAX_LINE_BYTES,
    Record,
    Reject,
    Repeats,
    check_line,
    is_blank,
    reject_line,
)

GOOD = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"input": "text"}}


def line(**changes: object) -> bytes:
    """A good line with changes; a field changed to ... is left out."""
    return orjson.dumps({key: value for key, value in (GOOD | changes).items() if value is not ...})


def test_a_good_line_becomes_a_record_with_its_line_number() -> None:
    """The shard line carries line number, custom_id and body, and nothing else."""
    record = check_line(line() + b"\r\n", 7, EMBEDDINGS)
    assert isinstance(record, Record)
    assert orjson.loads(record.encoded) == {"line": 7, "custom_id": "a", "body": {"input": "text"}}


@pytest.mark.parametrize(
    ("raw", "code", "custom_id", "words"),
    [
        (b'{"custom_id": ', RecordError.NOT_JSON, None, "not JSON at column"),
        (b'{"a": "\xff"}', RecordError.NOT_JSON, None, "not UTF-8 at byte 8; save the file as UTF-8"),
        (b'{"a": "\x00"}', RecordError.NOT_JSON, None, "column 8 (unexpected control character"),
        (b"NaN", RecordError.NOT_JSON, None, "not JSON"),
        (b"[" * 2000, RecordError.NOT_JSON, None, "not JSON"),
        (b"[1]", RecordError.NOT_AN_OBJECT, None, "a JSON array"),
        (b"null", RecordError.NOT_AN_OBJECT, None, "a JSON null"),
        (b"1.5", RecordError.NOT_AN_OBJECT, None, "a JSON number"),
        (line(custom_id=...), RecordError.MISSING_CUSTOM_ID, None, "custom_id is missing"),
        (line(custom_id=""), RecordError.MISSING_CUSTOM_ID, None, "custom_id is empty"),
        (line(custom_id=5), RecordError.BAD_CUSTOM_ID, None, "is a number; write it as a string"),
        (line(custom_id="x" * 513), RecordError.BAD_CUSTOM_ID, None, "has 513 characters; at most 512"),
        (line(custom_id=None), RecordError.MISSING_CUSTOM_ID, None, "custom_id is null"),
        (line(method="GET"), RecordError.BAD_REQUEST, "a", 'method is "GET"; it must be "POST"'),
        (line(url=...), RecordError.BAD_REQUEST, "a", "url is missing"),
        (line(url="/v1/chat/completions"), RecordError.BAD_REQUEST, "a", 'it must be "/v1/embeddings"'),
        (line(body=...), RecordError.BAD_REQUEST, "a", "body is missing"),
        (line(body=[]), RecordError.BAD_REQUEST, "a", "body is an array"),
        (line(body={"model": "m"}), RecordError.BAD_REQUEST, "a", 'no "input"'),
        (b" " * (MAX_LINE_BYTES + 1), RecordError.LINE_TOO_LONG, None, "longer than 4194304 bytes"),
    ],
)
def test_a_bad_line_is_refused_with_what_would_be_right(
    raw: bytes, code: RecordError, custom_id: str | None, words: str
) -> None:
    """Code, custom_id where one is stated, and a sentence that names field and cure."""
    reject = check_line(raw, 3, EMBEDDINGS)
    assert isinstance(reject, Reject)
    assert (reject.code, reject.custom_id, reject.line) == (code, custom_id, 3)
    assert words in reject.message


def test_a_body_nested_too_deeply_is_refused() -> None:
    """What could be read but not written again is a bad request, not a crash."""
    deep = b'{"input":' + b"[" * 400 + b"]" * 400 + b"}"
    reject = check_line(line(body="BODY").replace(b'"BODY"', deep), 1, EMBEDDINGS)
    assert isinstance(reject, Reject)
    assert reject.code is RecordError.BAD_REQUEST
    assert "nested" in reject.message


def test_a_byte_order_mark_is_tolerated_at_the_start_only() -> None:
    """Files of some editors begin with one; in the middle of a file it is an error."""
    assert isinstance(check_line(BYTE_ORDER_MARK + line(), 1, EMBEDDINGS), Record)
    assert isinstance(check_line(BYTE_ORDER_MARK + line(), 2, EMBEDDINGS), Reject)


@pytest.mark.parametrize(
    ("raw", "number", "blank"),
    [
        (b"\n", 1, True),
        (b" \t\r\n", 9, True),
        (b"", 1, True),
        (BYTE_ORDER_MARK + b"\r\n", 1, True),
        (BYTE_ORDER_MARK + b"\n", 2, False),
        (b"0\n", 1, False),
        (b" " * (MAX_LINE_BYTES + 1), 1, False),
    ],
)
def test_blank_lines_are_no_records(raw: bytes, number: int, blank: bool) -> None:  # noqa: FBT001
    """Nothing but white space is skipped; of a line that is too long nobody knows what follows."""
    assert is_blank(raw, number) is blank


def test_the_first_line_with_a_custom_id_stands() -> None:
    """Later ones are refused and told of the first, even when the first was refused for something else."""
    repeats = Repeats()
    first = repeats.check(check_line(line(url="/other"), 1, EMBEDDINGS))
    assert isinstance(first, Reject)
    assert first.code is RecordError.BAD_REQUEST
    later = [repeats.check(check_line(line(), number, EMBEDDINGS)) for number in (2, 5)]
    assert [getattr(reject, "code", None) for reject in later] == [RecordError.REPEATED_CUSTOM_ID] * 2
    assert "line 1 has the same custom_id" in later[1].message  # type: ignore[union-attr]
    assert isinstance(repeats.check(check_line(line(custom_id="b"), 6, EMBEDDINGS)), Record)
    nameless = [repeats.check(check_line(line(custom_id=...), number, EMBEDDINGS)) for number in (7, 8)]
    assert {getattr(reject, "code", None) for reject in nameless} == {RecordError.MISSING_CUSTOM_ID}


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
)
def test_no_line_makes_the_check_raise(value: object) -> None:
    """Whatever stands in a line, the answer is a record or a reject that becomes one JSON line."""
    try:
        raw = value if isinstance(value, bytes) else orjson.dumps(GOOD | {"custom_id": value, "body": value})
    except TypeError:
        return
    checked = check_line(raw, 1, EMBEDDINGS)
    if isinstance(checked, Reject):
        assert reject_line("sha256:0", checked).count(b"\n") == 1
    else:
        assert checked.encoded.count(b"\n") == 1
