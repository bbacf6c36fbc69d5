"""Tensors as .npz and back: nothing is executed, and nothing is unpacked before its size is known.

The header of each array is matched, not evaluated. Strings are arrays of text (`U`) or of UTF-8 bytes (`S`); NumPy
drops NULs at a string's end.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from reprlib import repr as shown
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_api.wellknown import RecordError
from parkade_models.errors import BadRecordError
from parkade_models.session import Arrays, TensorSpec
from parkade_models.tasks.datatypes import DTYPES

MOST_UNPACKED_BYTES: Final = 64 << 20
"""Of all arrays of one record: a small archive can unpack to a thousand times its size."""

_STRING_BYTES: Final = 64  # what even a short string takes in memory
_SUFFIX: Final = ".npy"
_MAGIC: Final = b"\x93NUMPY"
_LENGTHS: Final = {b"\x01\x00": "<H", b"\x02\x00": "<I"}
_MOST_HEADER_BYTES: Final = 4096
_HEADER: Final = re.compile(
    rb"\{'descr': '([<>|=][?A-Za-z]\d{0,7})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18},? ?)*)\), \}[ \n]*"
)
_STRINGS: Final = re.compile(r"<U[1-9]\d*|\|S[1-9]\d*")
_PACKINGS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_npz(content: bytes, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """The arrays of *specs*, strings as objects. Raises BadRecordError naming the tensor, what it is and should be."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_names(archive, specs)
            arrays = {}
            left = MOST_UNPACKED_BYTES
            for spec in specs:
                arrays[spec.name], size = _read(archive, spec, left)
                left -= size
            return arrays
    except _BROKEN:
        raise _refusal("The input cannot be unpacked as .npz; write it with numpy.savez.") from None


def write_npz(arrays: Arrays) -> bytes:
    """The arrays as .npz, the same bytes for the same arrays; strings as text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo of its own has no time of writing.
            with archive.open(zipfile.ZipInfo(name + _SUFFIX), "w") as entry:
                content = array.astype(np.str_) if array.dtype == np.object_ else array
                np.lib.format.write_array(entry, content, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _refusal(message: str) -> BadRecordError:
    return BadRecordError(RecordError.BAD_REQUEST, message)


def _check_names(archive: zipfile.ZipFile, specs: Sequence[TensorSpec]) -> None:
    found = sorted(archive.namelist())
    wanted = sorted(spec.name + _SUFFIX for spec in specs)
    if found != wanted:
        raise _refusal(f"The input holds the files {shown(found)}; for this model they must be {wanted}.")


def _read(archive: zipfile.ZipFile, spec: TensorSpec, most: int) -> tuple[NDArray[Any], int]:
    """The array and how many bytes it takes."""
    info = archive.getinfo(spec.name + _SUFFIX)
    if info.compress_type not in _PACKINGS:
        raise _refusal(f"Tensor {spec.name} is packed in a way that numpy.savez does not use.")
    with archive.open(info) as entry:
        dtype, shape, order = _header(entry, spec)
        size = math.prod(shape) * dtype.itemsize
        taken = max(size, math.prod(shape) * _STRING_BYTES) if spec.datatype == "BYTES" else size
        if taken > most:
            raise _refusal(
                f"Tensor {spec.name} takes {taken} bytes; {most} are left of {MOST_UNPACKED_BYTES}."
            )
        raw = entry.read(size + 1)
    if len(raw) != size:
        raise _refusal(f"Tensor {spec.name} has not the {size} bytes that its header says.")
    array = np.frombuffer(raw, dtype).reshape(shape, order=order)
    values = _texts(array, spec.name) if spec.datatype == "BYTES" else np.asarray(array, order="C")
    return values, taken


def _header(entry: Any, spec: TensorSpec) -> tuple[np.dtype[Any], tuple[int, ...], Any]:
    """Type, shape and order (C or F) of the array whose content follows in *entry*."""
    magic, version = entry.read(len(_MAGIC)), entry.read(2)
    if magic != _MAGIC or version not in _LENGTHS:
        raise _refusal(f"Tensor {spec.name} is not a .npy array of version 1 or 2.")
    length = struct.unpack(_LENGTHS[version], entry.read(struct.calcsize(_LENGTHS[version])))[0]
    match = _HEADER.fullmatch(entry.read(min(length, _MOST_HEADER_BYTES)))
    if match is None:
        raise _refusal(f"Tensor {spec.name} has no header as numpy.savez writes it.")
    kind = match[1].decode()
    shape = tuple(int(size) for size in re.findall(rb"\d+", match[3]))
    _check(spec, kind, shape)
    return np.dtype(kind), shape, "F" if match[2] == b"True" else "C"


def _check(spec: TensorSpec, kind: str, shape: tuple[int, ...]) -> None:
    wanted = DTYPES.get(spec.datatype, "U or S")
    if kind != wanted and not (spec.datatype == "BYTES" and _STRINGS.fullmatch(kind)):
        raise _refusal(f"Tensor {spec.name} has type {kind}; {spec.datatype} is {wanted}.")
    if not spec.takes(shape):
        raise _refusal(f"Tensor {spec.name} has shape {list(shape)}; it must be {list(spec.shape)}.")


def _texts(array: NDArray[Any], name: str) -> NDArray[Any]:
    texts = np.empty(array.size, np.object_)
    try:
        texts[:] = [item.decode() if isinstance(item, bytes) else item for item in array.ravel().tolist()]
    except ValueError:
        raise _refusal(f"Tensor {name} holds text that is not Unicode.") from None
    return texts.reshape(array.shape)
