"""Datatypes of the Open Inference Protocol as NumPy spells them; BYTES are arrays of objects."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_models.session import TensorSpec

DTYPES: Final[Mapping[str, str]] = {
    "BOOL": "|b1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


def zeros(spec: TensorSpec) -> NDArray[Any]:
    """Zeros of that type and shape, empty strings for BYTES; a size that may be any is 1."""
    shape = [1 if size < 0 else size for size in spec.shape]
    if spec.datatype == "BYTES":
        return np.full(shape, "", np.object_)
    return np.zeros(shape, DTYPES[spec.datatype])
