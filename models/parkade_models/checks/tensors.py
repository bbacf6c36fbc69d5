"""Weights and constants: every tensor lies in the file, has a type of known width, and as many bytes as its shape."""

import math
from collections.abc import Sequence
from typing import Any, Final

from onnx import TensorProto

from parkade_models.errors import ModelRefusedError

MOST_DIMENSIONS: Final = 8
MOST_SIZE: Final = 2**31 - 1

WIDTHS: Final = {
    TensorProto.BOOL: 1,
    TensorProto.UINT8: 1,
    TensorProto.INT8: 1,
    TensorProto.UINT16: 2,
    TensorProto.INT16: 2,
    TensorProto.FLOAT16: 2,
    TensorProto.BFLOAT16: 2,
    TensorProto.UINT32: 4,
    TensorProto.INT32: 4,
    TensorProto.FLOAT: 4,
    TensorProto.UINT64: 8,
    TensorProto.INT64: 8,
    TensorProto.DOUBLE: 8,
}
"""Bytes of one element."""

_INT32_FIELD: Final = frozenset(
    {
        TensorProto.BOOL,
        TensorProto.UINT8,
        TensorProto.INT8,
        TensorProto.UINT16,
        TensorProto.INT16,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.INT32,
    }
)
_FIELDS: Final = dict.fromkeys(_INT32_FIELD, "int32_data") | {
    TensorProto.FLOAT: "float_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.DOUBLE: "double_data",
}
_CONTENTS: Final = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def check_tensor(tensor: Any, where: str) -> None:
    """Refuses a TensorProto that points out of the file or whose content does not fit its shape."""
    if tensor.data_location != TensorProto.DEFAULT or len(tensor.external_data):
        raise ModelRefusedError(f"{where} has its data in another file; a model is one file")
    if tensor.HasField("segment"):
        raise ModelRefusedError(f"{where} is one segment of a tensor; whole tensors are taken")
    if (width := WIDTHS.get(tensor.data_type)) is None:
        raise ModelRefusedError(
            f"{where} has data type {tensor.data_type}; numbers of 1 to 8 bytes are taken"
        )
    check_shape(tensor.dims, where)
    _check_content(tensor, math.prod(tensor.dims), width, where)


def check_shape(shape: Sequence[int], where: str) -> None:
    """Refuses a shape with too many dimensions, or with a size that no tensor here can have."""
    if len(shape) > MOST_DIMENSIONS:
        raise ModelRefusedError(f"{where} has {len(shape)} dimensions; at most {MOST_DIMENSIONS} are taken")
    for size in shape:
        if not 0 <= size <= MOST_SIZE:
            raise ModelRefusedError(f"{where} has a dimension of {size}; 0 to {MOST_SIZE} are taken")


def _check_content(tensor: Any, elements: int, width: int, where: str) -> None:
    filled = {name: count for name in _CONTENTS if (count := len(getattr(tensor, name)))}
    if tensor.HasField("raw_data"):
        if filled:
            raise ModelRefusedError(f"{where} has raw data and {', '.join(filled)} too; one of them is taken")
        if (size := len(tensor.raw_data)) != elements * width:
            raise ModelRefusedError(f"{where} has {size} bytes; its shape asks for {elements * width}")
        return
    field = _FIELDS[tensor.data_type]
    if filled != ({field: elements} if elements else {}):
        found = ", ".join(f"{number} in {name}" for name, number in filled.items()) or "no values"
        raise ModelRefusedError(f"{where} has {found}; its shape asks for {elements} in {field}")
