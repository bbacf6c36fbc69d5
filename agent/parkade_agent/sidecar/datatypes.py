"""Datatypes of the Open Inference Protocol: their numpy types, and their elements out of raw or typed contents. Pure.

Raw contents are little-endian and row-major; a BYTES element is its length (uint32) and its bytes. BYTES tensors
are object arrays of `bytes`. FP16 has no typed contents in the protocol, so it is always raw.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_agent.sidecar.errors import BadTensorError
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.tasks.datatypes import DTYPES

LENGTH_BYTES: Final = 4
"""What stands before every raw BYTES element."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """How numpy and the typed contents hold a datatype."""

    dtype: np.dtype[Any]
    contents: str | None
    """The field of InferTensorContents; None when there is none."""


_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
DATATYPES: Final[Mapping[str, Datatype]] = {
    name: Datatype(np.dtype(dtype), _CONTENTS.get(name)) for name, dtype in (*DTYPES.items(), ("BYTES", "O"))
}


def from_raw(raw: bytes, name: str, datatype: str) -> NDArray[Any]:
    """The elements in *raw*, a view of it wherever numpy can make one. Raises BadTensorError."""
    if datatype == "BYTES":
        return np.array(_split(raw, name), np.object_)
    dtype = DATATYPES[datatype].dtype
    if len(raw) % dtype.itemsize:
        whole = f"a multiple of {dtype.itemsize} for {datatype}"
        raise BadTensorError(f"input {name} has {len(raw)} raw bytes, expected {whole}")
    if datatype == "BOOL" and raw.strip(b"\x00\x01"):
        raise BadTensorError(f"input {name} has a raw BOOL that is neither 0 nor 1")
    return np.frombuffer(raw, dtype)


def _split(raw: bytes, name: str) -> list[bytes]:
    items: list[bytes] = []
    offset = 0
    while offset < len(raw):
        start = offset + LENGTH_BYTES
        if start > len(raw):
            left = f"its length takes {LENGTH_BYTES} bytes, {len(raw) - offset} are left"
            raise BadTensorError(f"input {name}: the BYTES element at byte {offset} is cut short: {left}")
        (length,) = struct.unpack_from("<I", raw, offset)
        if length > len(raw) - start:
            left = f"it says {length} bytes, {len(raw) - start} are left"
            raise BadTensorError(f"input {name}: the BYTES element at byte {offset} is cut short: {left}")
        offset = start + length
        items.append(raw[start:offset])
    return items


def from_contents(contents: oip.InferTensorContents, name: str, datatype: str) -> NDArray[Any]:
    """The elements in the typed *contents*. Raises BadTensorError when they lie in another type's field."""
    kind = DATATYPES[datatype]
    for field, _ in contents.ListFields():
        if field.name != kind.contents:
            expected = kind.contents or "raw_input_contents"
            raise BadTensorError(f"input {name} is {datatype} and has {field.name}, expected {expected}")
    if kind.contents is None:
        raise BadTensorError(
            f"input {name} is {datatype}, which has no typed contents: use raw_input_contents"
        )
    values = getattr(contents, kind.contents)
    if kind.dtype.kind in "iu":
        return _integers(values, name, datatype)
    return np.array(list(values), kind.dtype)


def _integers(values: Any, name: str, datatype: str) -> NDArray[Any]:
    """Integers of 8 and 16 bits travel as 32 bits, so that their range has to be checked."""
    dtype = DATATYPES[datatype].dtype
    wide = np.fromiter(values, f"<{dtype.kind}8", len(values))
    limits = np.iinfo(dtype)
    outside = wide[(wide < limits.min) | (wide > limits.max)]
    if outside.size:
        span = f"{limits.min} to {limits.max}"
        raise BadTensorError(f"input {name} has the value {outside[0]}, expected {datatype}: {span}")
    return wide.astype(dtype)


def to_raw(values: NDArray[Any]) -> bytes:
    """The raw contents of an array."""
    if values.dtype == np.object_:
        return b"".join(struct.pack("<I", len(item)) + item for item in values.reshape(-1))
    return values.tobytes()
