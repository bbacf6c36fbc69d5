"""Tensors of the Open Inference Protocol to numpy and back, raw or typed. Pure.

Raw contents are little-endian and row-major; a BYTES element is its length (uint32) and its bytes.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from parkade_agent.sidecar.errors import BadTensorError
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.session import TensorSpec

_Infer = oip.ModelInferRequest.InferInputTensor


@dataclass(frozen=True, slots=True)
class _Datatype:
    """How numpy and the typed contents hold a datatype."""

    dtype: DTypeLike
    contents: str


_DATATYPES: Final[Mapping[str, _Datatype]] = {
    "INT64": _Datatype("<i8", "int64_contents"),
    "FP32": _Datatype("<f4", "fp32_contents"),
    "BYTES": _Datatype(np.object_, "bytes_contents"),
}


def read_inputs(request: oip.ModelInferRequest, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """The request's input tensors by name. Raises BadTensorError when they are not the ones of *specs*."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise BadTensorError(f"raw_input_contents has {len(raw)} entries for {len(request.inputs)} inputs")
    known = {spec.name: spec for spec in specs}
    found: dict[str, NDArray[Any]] = {}
    for index, tensor in enumerate(request.inputs):
        if tensor.name not in known or tensor.name in found:
            raise BadTensorError(f"input {tensor.name} is not expected; the model takes {', '.join(known)}")
        _check_spec(tensor, known[tensor.name])
        found[tensor.name] = _array(tensor, raw[index] if raw else None)
    missing = known.keys() - found.keys()
    if missing:
        raise BadTensorError(f"input {', '.join(sorted(missing))} is missing")
    return found


def _check_spec(tensor: _Infer, spec: TensorSpec) -> None:
    if tensor.datatype != spec.datatype:
        raise BadTensorError(
            f"input {tensor.name} is {tensor.datatype or 'untyped'}, expected {spec.datatype}"
        )
    fits = len(tensor.shape) == len(spec.shape) and all(
        size >= 0 and wanted in {-1, size} for size, wanted in zip(tensor.shape, spec.shape, strict=True)
    )
    if not fits:
        raise BadTensorError(
            f"input {tensor.name} has shape {list(tensor.shape)}, expected {list(spec.shape)}"
        )


def _array(tensor: _Infer, raw: bytes | None) -> NDArray[Any]:
    datatype = _DATATYPES[tensor.datatype]
    if raw is None:
        values: NDArray[Any] = np.array(list(getattr(tensor.contents, datatype.contents)), datatype.dtype)
    elif tensor.datatype == "BYTES":
        values = np.array(_split_bytes(raw), np.object_)
    elif len(raw) % np.dtype(datatype.dtype).itemsize:
        raise BadTensorError(f"input {tensor.name} has {len(raw)} bytes, no whole number of elements")
    else:
        values = np.frombuffer(raw, datatype.dtype)
    if values.size != math.prod(tensor.shape):
        raise BadTensorError(f"input {tensor.name} has {values.size} elements for shape {list(tensor.shape)}")
    return values.reshape(tensor.shape)


def _split_bytes(raw: bytes) -> list[bytes]:
    items: list[bytes] = []
    offset = 0
    while offset < len(raw):
        end = offset + 4
        if end <= len(raw):
            end += struct.unpack_from("<I", raw, offset)[0]
        if end > len(raw):
            raise BadTensorError(f"the BYTES element at byte {offset} is cut short")
        items.append(raw[offset + 4 : end])
        offset = end
    return items


def write_outputs(
    request: oip.ModelInferRequest, tensors: Mapping[str, NDArray[Any]], specs: Sequence[TensorSpec]
) -> oip.ModelInferResponse:
    """The response with the outputs that were asked for (all, when none was named): raw if the request was raw."""
    wanted = _wanted(request, specs)
    response = oip.ModelInferResponse(model_name=request.model_name, id=request.id)
    for spec in wanted:
        values = np.ascontiguousarray(tensors[spec.name], _DATATYPES[spec.datatype].dtype)
        output = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=values.shape)
        if request.raw_input_contents:
            response.raw_output_contents.append(_raw(values))
        else:
            getattr(output.contents, _DATATYPES[spec.datatype].contents).extend(values.reshape(-1).tolist())
    return response


def check_outputs(request: oip.ModelInferRequest, specs: Sequence[TensorSpec]) -> None:
    """Raises BadTensorError when the request names an output that the model does not have."""
    _wanted(request, specs)


def _wanted(request: oip.ModelInferRequest, specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    known = {spec.name: spec for spec in specs}
    names = [output.name for output in request.outputs] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadTensorError(f"output {unknown[0]} is not known; the model gives {', '.join(known)}")
    return [known[name] for name in names]


def _raw(values: NDArray[Any]) -> bytes:
    if values.dtype == np.object_:
        return b"".join(struct.pack("<I", len(item)) + item for item in values.reshape(-1))
    return values.tobytes()
