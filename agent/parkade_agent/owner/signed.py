"""Signed documents as files: `{"document": {...}, "signature": "<base64>"}`.

Signed are the document's canonical bytes: JSON without blanks, keys in order, as every parser reads it back.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from parkade_agent.errors import AgentError

MOST_BYTES: Final = 64 * 1024
"""Of any file that the owner writes."""


class NotSigned(AgentError):
    """The file is no signed document."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A document whose signature nobody has looked at yet; `canonical` are the bytes that were signed."""

    document: Mapping[str, object]
    canonical: bytes
    signature: bytes


def canonical(document: Mapping[str, object]) -> bytes:
    """The bytes of *document* that are signed. Raises NotSigned."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise NotSigned(f"it cannot be written as it was signed: {error}") from None


def seal(document: Mapping[str, object], sign: Callable[[bytes], bytes]) -> bytes:
    """The file of *document* with the signature that *sign* makes of its canonical bytes."""
    signature = base64.b64encode(sign(canonical(document))).decode()
    return orjson.dumps({"document": document, "signature": signature}, option=orjson.OPT_INDENT_2) + b"\n"


def parse(data: bytes) -> Signed:
    """What is in such a file. Raises NotSigned."""
    try:
        outer = orjson.loads(data) if len(data) <= MOST_BYTES else None
    except ValueError:
        raise NotSigned("it is no JSON") from None
    if not isinstance(outer, dict) or set(outer) != {"document", "signature"}:
        raise NotSigned("it must be an object of a document and its signature")
    document, signature = outer["document"], outer["signature"]
    if not isinstance(document, dict) or not isinstance(signature, str):
        raise NotSigned("it must be an object of a document and its signature")
    try:
        return Signed(document, canonical(document), base64.b64decode(signature, validate=True))
    except binascii.Error:
        raise NotSigned("signature: it is no base64") from None
