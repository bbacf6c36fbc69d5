"""Requests of the Open Inference Protocol for a bundle that takes and gives back a tensor of every datatype."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_agent.sidecar.datatypes import DATATYPES, to_raw
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.bundle import Bundle
from parkade_models.session import TensorSpec
from support.models import DATATYPES as ONNX_DATATYPES
from support.models import echo, write_bundle

NAME: Final = "every-datatype"
WIDTH: Final = 2
"""The second size of every tensor but FP32's, whose sizes are both free."""

_ELEMENT_TYPES: Final = {name: kind for kind, name in ONNX_DATATYPES.items()}


def _spec(datatype: str) -> TensorSpec:
    return TensorSpec(datatype.lower(), datatype, (-1, -1 if datatype == "FP32" else WIDTH))


TYPED_SPECS: Final = tuple(_spec(datatype) for datatype in DATATYPES if datatype != "FP16")
SPECS: Final = (*TYPED_SPECS, _spec("FP16"))
"""Every datatype; the last one has no typed contents."""


def echo_bundle(folder: Path, specs: Sequence[TensorSpec]) -> Bundle:
    """A bundle of task `tensor` that takes *specs* and gives each back as `<name>_out`."""
    sizes: dict[int, list[int | str]] = {-1: ["rows", "width"], WIDTH: ["rows", WIDTH]}
    tensors = [(spec.name, _ELEMENT_TYPES[spec.datatype], sizes[spec.shape[1]]) for spec in specs]
    return write_bundle(folder, echo(*tensors), name=NAME)


def good_values(specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Two rows for every input, with the ends of each datatype's range."""
    return {spec.name: _values(spec.datatype).reshape(2, WIDTH) for spec in specs}


def _values(datatype: str) -> NDArray[Any]:
    dtype = DATATYPES[datatype].dtype
    if datatype == "BYTES":
        return np.array([b"", b"word", "Grüße".encode(), b"a b"], np.object_)
    if datatype == "BOOL":
        return np.array([True, False, False, True])
    ends = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return np.array([ends.min, ends.max, 0, 1], dtype)


def raw_request(specs: Sequence[TensorSpec]) -> oip.ModelInferRequest:
    """A good request with raw contents."""
    request = _request(specs)
    request.raw_input_contents.extend(to_raw(value) for value in good_values(specs).values())
    return request


def typed_request(specs: Sequence[TensorSpec]) -> oip.ModelInferRequest:
    """A good request with typed contents; those of FP16 stay empty."""
    request = _request(specs)
    for tensor, value in zip(request.inputs, good_values(specs).values(), strict=True):
        field = DATATYPES[tensor.datatype].contents
        if field:
            getattr(tensor.contents, field).extend(value.reshape(-1).tolist())
    return request


def _request(specs: Sequence[TensorSpec]) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=NAME, id="a-1")
    for spec in specs:
        request.inputs.add(name=spec.name, datatype=spec.datatype, shape=(2, WIDTH))
    return request
