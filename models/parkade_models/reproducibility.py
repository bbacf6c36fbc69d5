"""A vehicle's reproducibility class for a bundle: a name that two vehicles share only when the bundle's vectors agree.

Results are the same bytes on the same kind of CPU and not always on another: floats round differently, and in a model
quantized elsewhere 8-bit products may saturate without VNNI. So results are compared byte by byte only within a class,
and the class is what the vehicle computes, not what its hardware is called.
"""

import hashlib
from typing import Final

import orjson

from parkade_models.bundle import Bundle
from parkade_models.errors import BadRecordError, BundleError
from parkade_models.tasks.task import Answer, Task

MOST_VECTORS: Final = 32
_DIGITS: Final = 16


def reproducibility_class(bundle: Bundle, task: Task) -> str:
    """16 hex digits of a sha256 over the bundle's digest and the answers to its vectors, each run by itself.

    Where records are run together, the vectors are so, too: on a vehicle whose arithmetic depends on a record's
    neighbours, which the build proved of its own computer only, that makes another class.

    Empty when the bundle has no vectors. Raises BundleError when they are no request bodies, StoppedError when stopped.
    """
    if bundle.manifest.vectors is None:
        return ""
    bodies = _bodies(bundle.path(bundle.manifest.vectors).read_bytes(), bundle.manifest.vectors)
    digest = hashlib.sha256(bundle.digest.encode())
    for size in sorted({1, task.rows_per_run}):
        for at in range(0, len(bodies), size):
            for answer in task.answers(bodies[at : at + size]):
                digest.update(_encoded(answer))
    return digest.hexdigest()[:_DIGITS]


def _bodies(raw: bytes, name: str) -> list[dict[str, object]]:
    lines = raw.splitlines()
    if not 0 < len(lines) <= MOST_VECTORS:
        raise BundleError(f"{name} has {len(lines)} lines; it must have 1 to {MOST_VECTORS} request bodies")
    return [_body(line, number, name) for number, line in enumerate(lines, start=1)]


def _body(line: bytes, number: int, name: str) -> dict[str, object]:
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BundleError(f"line {number} of {name} is not JSON: {error.msg}") from None
    if not isinstance(body, dict):
        raise BundleError(f"line {number} of {name} is not an object, as a request body is")
    return body


def _encoded(answer: Answer) -> bytes:
    told = answer.code if isinstance(answer, BadRecordError) else answer
    return orjson.dumps(
        told, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    )
