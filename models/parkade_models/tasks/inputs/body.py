"""What stands in `input` of a record's body: a string, or bytes as base64."""

import binascii
from collections.abc import Mapping
from typing import Any, Final

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError

_DATA_URL: Final = "data:"
_BASE64_MARK: Final = ";base64"


def string_of(body: Mapping[str, Any], meaning: str) -> str:
    """The string *input* of the body; *meaning* tells what it should be. Raises BadRecordError."""
    value = body.get("input")
    if not isinstance(value, str):
        message = f"body.input is {_kind_of(value)}; it must be one string, {meaning}."
        raise BadRecordError(RecordError.BAD_REQUEST, message)
    return value


def content_of(body: Mapping[str, Any], meaning: str) -> bytes:
    """The bytes of *input*: base64 (RFC 4648, no line breaks), or a data: URL of it. Raises BadRecordError.

    The media type of a data: URL is not looked at: the content says what it is.
    """
    text = string_of(body, f"{meaning} in base64")
    if text.startswith(_DATA_URL):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(_BASE64_MARK):
            message = "body.input is a data: URL without ;base64 before a comma."
            raise BadRecordError(RecordError.BAD_REQUEST, message)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of which binascii.Error is a kind
        message = f"body.input is not base64; it must be {meaning} in base64, padded and without line breaks."
        raise BadRecordError(RecordError.BAD_REQUEST, message) from None


def _kind_of(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    kinds = {dict: "an object", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
