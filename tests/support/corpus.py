"""Input lines as people, editors and other systems write them: each with what must become of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from parkade_api.wellknown import RecordError
from parkade_core.batch.record import BYTE_ORDER_MARK, MAX_LINE_BYTES

TEN_MEGABYTES = 10 * 1024 * 1024
GOOD = {
    "custom_id": "?",
    "method": "POST",
    "url": "/v1/embeddings",
    "body": {"model": "m", "input": "A vehicle is parked."},
}


@dataclass(frozen=True)
class Line:
    """One line and its fate: no *code* and an *id* is a record, neither is a blank line; *words* are of its message."""

    raw: bytes
    id: str | None = None
    code: RecordError | None = None
    words: str = ""
    fails_in_vehicle: bool = False


def line(custom_id: object, **changes: object) -> bytes:
    """A good line with changes; a field changed to ... is left out."""
    record = GOOD | {"custom_id": custom_id} | changes
    return orjson.dumps({key: value for key, value in record.items() if value is not ...})


def text(custom_id: str, written: bytes) -> bytes:
    """A good line whose input is *written*, as it stands, in the place of a JSON value."""
    return line(custom_id, body={"input": "HERE"}).replace(b'"HERE"', written)


def given(custom_id: str, value: object) -> bytes:
    """A good line with another input."""
    return line(custom_id, body={"input": value})


def is_json_but_wrong() -> Iterator[Line]:
    """Lines that are JSON and no request that can be answered."""
    code = RecordError.MISSING_CUSTOM_ID
    yield Line(b"[1, 2]", None, RecordError.NOT_AN_OBJECT, "a JSON array; each line is one JSON object")
    yield Line(b'"text"', None, RecordError.NOT_AN_OBJECT, "a JSON string")
    yield Line(line(...), None, code, "custom_id is missing; give each record a string of its own")
    yield Line(line(None), None, code, "custom_id is null")
    yield Line(line(""), None, code, "custom_id is empty")
    code = RecordError.BAD_CUSTOM_ID
    yield Line(line(7), None, code, "custom_id is a number; write it as a string")
    yield Line(line(["a"]), None, code, "custom_id is an array; write it as a string")
    yield Line(line("x" * 513), None, code, "custom_id has 513 characters; at most 512 are taken")
    yield Line(line("plain"), "plain", RecordError.REPEATED_CUSTOM_ID, "make custom_ids unique")
    code = RecordError.BAD_REQUEST
    yield Line(line("get", method="GET"), "get", code, 'method is "GET"; it must be "POST"')
    yield Line(line("verb", method=...), "verb", code, "method is missing")
    yield Line(line("chat", url="/v1/chat/completions"), "chat", code, 'it must be "/v1/embeddings"')
    yield Line(line("url", url=5), "url", code, "url is a number")
    yield Line(
        line("bodiless", body=...), "bodiless", code, "body is missing; it must be an object with an input"
    )
    yield Line(line("list", body=["text"]), "list", code, "body is an array")
    yield Line(line("empty", body={}), "empty", code, 'body has no "input"; put what the model takes there')
    yield Line(
        text("deep", b"[" * 400 + b"]" * 400), "deep", code, "nested more than 250 levels deep; flatten it"
    )


def is_no_json() -> Iterator[Line]:
    """Lines that no JSON reader takes."""
    code = RecordError.NOT_JSON
    yield Line(b'{"custom_id": "cut", "meth', None, code, "not JSON at column")
    yield Line(line("comma")[:-1] + b",}", None, code, "not JSON at column")
    yield Line(line("two") + line("objects"), None, code, "not JSON at column")
    yield Line(BYTE_ORDER_MARK + line("mark"), None, code, "not JSON at column 1")
    yield Line(text("nul", b'"a\x00b"'), None, code, "unexpected control character")
    yield Line(text("latin", b'"caf\xe9"'), None, code, "save the file as UTF-8")
    yield Line(line("wide").decode().encode("utf-16"), None, code, "not UTF-8 at byte 1")
    yield Line(text("half", b'"\\ud800"'), None, code, "not JSON at column")
    yield Line(text("nan", b"NaN"), None, code, "not JSON at column")
    yield Line(text("infinity", b"-Infinity"), None, code, "not JSON at column")
    yield Line(text("huge", b"1e400"), None, code, "number is infinity")
    yield Line(text("digits", b"9" * 5000), None, code, "number is infinity")
    yield Line(text("deeper", b"[" * 100_000), None, code, "depth limit exceeded")
    words = f"the line is longer than {MAX_LINE_BYTES} bytes; split its input"
    yield Line(given("long", "x" * TEN_MEGABYTES), None, RecordError.LINE_TOO_LONG, words)
    yield Line(b" " * TEN_MEGABYTES + line("far"), None, RecordError.LINE_TOO_LONG, words)


def fails_in_the_vehicle() -> Iterator[Line]:
    """Requests that only the model's task can refuse."""
    for name, value in (("nothing", ""), ("spaces", " \t\n"), ("wide-space", "\u3000\u2003")):
        yield Line(
            given(name, value), name, RecordError.EMPTY_TEXT, "give a text to embed", fails_in_vehicle=True
        )
    kinds = {
        "texts": (["a", "b"], "a list of 2"),
        "tokens": ([1, 2, 3], "a list of 3"),
        "number": (5, "a number"),
        "null": (None, "null"),
        "truth": (True, "a boolean"),
        "object": ({"text": "a"}, "an object"),
    }
    for name, (value, kind) in kinds.items():
        words = f"body.input is {kind}; it must be one string"
        yield Line(given(name, value), name, RecordError.BAD_REQUEST, words, fails_in_vehicle=True)


def is_good() -> Iterator[Line]:
    """Odd lines that are right, and blank ones, which are counted and are no records."""
    yield from (Line(line("windows") + b"\r", "windows"), Line(b""), Line(b" \t\r"))
    yield Line(line("old\r", body={"input": "a"}).replace(b",", b",\r"), "old\r")
    yield Line(line("first").replace(b'"first"', b'"first","custom_id":"last"'), "last")
    yield Line(line("integer", body={"input": "a", "seed": "N"}).replace(b'"N"', b"9" * 40), "integer")
    yield Line(line("more", body={"input": "a", "dimensions": 3, "model": None}, extra=[1]), "more")
    yield Line(given("separators", "a\u2028b\u2029c\u0085d\x0be"), "separators")
    yield Line(text("escaped", b'"a\\u0000b\\ud83d\\ude97"'), "escaped")
    for odd in (
        "line\nbreak",
        "\x1b[31mred",
        "d\u00e4s \u6f22\u5b57 \U0001f697",
        "x" * 512,
        " ",
        "../../etc/passwd",
    ):
        yield Line(line(odd), odd)


def corpus() -> list[Line]:
    """The whole file, line by line; `content` makes the bytes of it."""
    return [
        Line(BYTE_ORDER_MARK + line("plain"), "plain"),
        *is_good(),
        *is_no_json(),
        *is_json_but_wrong(),
        *fails_in_the_vehicle(),
        Line(line("without an end"), "without an end"),
    ]


def content(lines: list[Line]) -> bytes:
    """The bytes of a file with these lines, whose last one has no end."""
    return b"\n".join(one.raw for one in lines)
