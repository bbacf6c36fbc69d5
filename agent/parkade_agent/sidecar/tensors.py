"""Requests of the Open Inference Protocol to numpy, and numpy to responses. Pure.

Parameters of a request, an input or an output belong to extensions of the protocol. This server has none and says
so in its metadata, so it ignores them, as Triton and KServe do with those that they do not know; but one that
asks for other data or another answer than ours (`REFUSED_PARAMETERS`) is refused.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from reprlib import repr as shown  # a caller's own words, cut: a gRPC status holds few bytes
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parkade_agent.sidecar.datatypes import DATATYPES, from_contents, from_raw, to_raw
from parkade_agent.sidecar.errors import BadTensorError
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_models.session import TensorSpec

REFUSED_PARAMETERS: Final = frozenset({"shared_memory_region", "classification", "sequence_id"})
_MOST_ELEMENTS: Final = 1 << 31  # a message has fewer bytes, and numpy no larger arrays without any element

_Input = oip.ModelInferRequest.InferInputTensor


def read_inputs(request: oip.ModelInferRequest, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """The request's input tensors by name. Raises BadTensorError when they are not the ones of *specs*."""
    _check_parameters(request)
    known = {spec.name: spec for spec in specs}
    _check_names("input", "takes", [tensor.name for tensor in request.inputs], list(known))
    given = {tensor.name for tensor in request.inputs}
    for name in known:
        if name not in given:
            raise BadTensorError(f"input {name} is missing; the model takes {', '.join(known)}")
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise BadTensorError(f"raw_input_contents has {len(raw)} entries, expected {len(request.inputs)}")
    return {
        tensor.name: _array(tensor, known[tensor.name], raw[index] if raw else None)
        for index, tensor in enumerate(request.inputs)
    }


def wanted_outputs(request: oip.ModelInferRequest, specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """The outputs that the request names, in its order; all when it names none. Raises BadTensorError."""
    known = {spec.name: spec for spec in specs}
    names = [output.name for output in request.outputs]
    _check_names("output", "gives", names, list(known))
    return [known[name] for name in names or known]


def write_outputs(
    request: oip.ModelInferRequest, tensors: Mapping[str, NDArray[Any]], wanted: Sequence[TensorSpec]
) -> oip.ModelInferResponse:
    """The response with the outputs *wanted*: raw if the request was raw, or if one of them can only be raw."""
    is_raw = bool(request.raw_input_contents) or any(
        DATATYPES[spec.datatype].contents is None for spec in wanted
    )
    response = oip.ModelInferResponse(model_name=request.model_name, id=request.id)
    for spec in wanted:
        datatype = DATATYPES[spec.datatype]
        values = np.asarray(tensors[spec.name], datatype.dtype)
        output = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=values.shape)
        if is_raw or datatype.contents is None:
            response.raw_output_contents.append(to_raw(values))
        else:
            getattr(output.contents, datatype.contents).extend(values.reshape(-1).tolist())
    return response


def _check_names(what: str, verb: str, names: Sequence[str], known: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name not in known:
            raise BadTensorError(f"{what} {shown(name)} is not known; the model {verb} {', '.join(known)}")
        if name in names[:index]:
            raise BadTensorError(f"{what} {name} is given twice")


def _check_parameters(request: oip.ModelInferRequest) -> None:
    tensors = (tensor.parameters for tensor in request.inputs)
    outputs = (output.parameters for output in request.outputs)
    for name in itertools.chain(request.parameters, *tensors, *outputs):
        if name in REFUSED_PARAMETERS:
            raise BadTensorError(f"parameter {name} belongs to an extension that this server does not have")


def _array(tensor: _Input, spec: TensorSpec, raw: bytes | None) -> NDArray[Any]:
    _check_spec(tensor, spec)
    if raw is None:
        values = from_contents(tensor.contents, spec.name, spec.datatype)
    elif tensor.HasField("contents"):
        raise BadTensorError(
            f"input {spec.name} has contents beside raw_input_contents, expected one of them"
        )
    else:
        values = from_raw(raw, spec.name, spec.datatype)
    count = math.prod(tensor.shape)
    if values.size != count:
        sizes = f"{values.size} elements, expected {count} for shape {list(tensor.shape)}"
        raise BadTensorError(f"input {spec.name} has {sizes}")
    return values.reshape(tensor.shape)


def _check_spec(tensor: _Input, spec: TensorSpec) -> None:
    if tensor.datatype != spec.datatype:
        found = shown(tensor.datatype)
        raise BadTensorError(f"input {spec.name} has datatype {found}, expected {spec.datatype}")
    if min(tensor.shape, default=0) < 0 or not spec.takes(tensor.shape):
        found = shown(list(tensor.shape))
        raise BadTensorError(f"input {spec.name} has shape {found}, expected {list(spec.shape)}")
    if math.prod(max(size, 1) for size in tensor.shape) > _MOST_ELEMENTS:
        sizes = f"shape {list(tensor.shape)}, expected at most {_MOST_ELEMENTS} elements"
        raise BadTensorError(f"input {spec.name} has {sizes}")
