"""Whether a file is shaped like an ONNX model, without loading it: the operator runs no model code.

An ONNX file is a protobuf message; its top-level fields are walked by their lengths and never read.
"""

from typing import BinaryIO, Final

_IR_VERSION: Final = 1
_GRAPH: Final = 7
_LAST_FIELD: Final = 30
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _NotOnnx(Exception):
    pass


def is_onnx(file: BinaryIO, size: int) -> bool:
    """Whether the *size* bytes of the file have the top-level shape of an ONNX model: a version and a graph."""
    seen: set[tuple[int, int]] = set()
    try:
        while file.tell() < size:
            field, kind = divmod(_varint(file), 8)
            if not 0 < field <= _LAST_FIELD:
                return False
            _skip(file, kind, size)
            seen.add((field, kind))
    except _NotOnnx:
        return False
    return {(_IR_VERSION, _VARINT), (_GRAPH, _BYTES)} <= seen


def _skip(file: BinaryIO, kind: int, size: int) -> None:
    if kind == _VARINT:
        _varint(file)
        return
    lengths = {_FIXED64: 8, _FIXED32: 4}
    length = _varint(file) if kind == _BYTES else lengths.get(kind, size + 1)
    if file.tell() + length > size:
        raise _NotOnnx
    file.seek(length, 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise _NotOnnx
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:  # noqa: PLR2004 - the continuation bit
            return value
    raise _NotOnnx
