"""Any bytes and any requests: the sidecar always answers, and never as if it had failed itself."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from parkade_agent.sidecar.datatypes import DATATYPES
from parkade_agent.sidecar.errors import BadTensorError
from parkade_agent.sidecar.tensors import read_inputs, wanted_outputs
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from support.inference import SPECS, TYPED_SPECS, echo_bundle, raw_request, typed_request
from support.sidecars import Sidecar, serving_sidecar

_HONEST: Final = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
_GOOD: Final = (raw_request(SPECS), typed_request(TYPED_SPECS), typed_request(SPECS))

_sizes = st.one_of(st.integers(-1, 4), st.integers(-(2**63), 2**63 - 1))
_shapes = st.lists(_sizes, max_size=4)
_names = st.one_of(st.sampled_from([spec.name for spec in SPECS]), st.text(max_size=8))
_contents = st.builds(
    oip.InferTensorContents,
    bool_contents=st.lists(st.booleans(), max_size=4),
    int_contents=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    uint64_contents=st.lists(st.integers(0, 2**64 - 1), max_size=4),
    fp32_contents=st.lists(st.floats(width=32), max_size=4),
    bytes_contents=st.lists(st.binary(max_size=8), max_size=4),
)


@st.composite
def changed_requests(draw: DrawFn) -> oip.ModelInferRequest:
    """A good request in which up to four things were replaced by anything of their kind."""
    request = oip.ModelInferRequest()
    request.CopyFrom(draw(st.sampled_from(_GOOD)))
    for _ in range(draw(st.integers(1, 4))):
        _change(draw, request)
    return request


def _change(draw: DrawFn, request: oip.ModelInferRequest) -> None:
    tensor = draw(st.sampled_from(request.inputs))
    what = draw(st.sampled_from(["name", "datatype", "shape", "contents", "raw", "output", "input"]))
    if what == "name":
        tensor.name = draw(_names)
    elif what == "datatype":
        tensor.datatype = draw(st.sampled_from([*DATATYPES, "BF16", ""]))
    elif what == "shape":
        tensor.shape[:] = draw(_shapes)
    elif what == "contents":
        tensor.contents.CopyFrom(draw(_contents))
    elif what == "raw":
        request.raw_input_contents[:] = draw(st.lists(st.binary(max_size=40), max_size=len(SPECS) + 1))
    elif what == "output":
        request.outputs.add(name=draw(_names))
    else:
        request.inputs.add(name=draw(_names), datatype=draw(st.sampled_from([*DATATYPES])))


@st.composite
def changed_bytes(draw: DrawFn) -> bytes:
    """The bytes of a good request with some of them replaced, taken out or cut off."""
    raw = bytearray(draw(st.sampled_from(_GOOD)).SerializeToString())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(raw) - 1))
        length = draw(st.integers(0, 4))
        raw[at : at + length] = draw(st.binary(max_size=4))
    return bytes(raw[: draw(st.integers(1, len(raw)))]) if draw(st.booleans()) else bytes(raw)


def _read(request: oip.ModelInferRequest) -> dict[str, Any]:
    wanted_outputs(request, SPECS)
    return read_inputs(request, SPECS)


@settings(max_examples=500)
@given(changed_requests())
def test_any_request_is_read_or_refused(request_: oip.ModelInferRequest) -> None:
    """Whatever a request holds, it is read into arrays of the shapes that it says, or refused with a short sentence."""
    shapes = {tensor.name: tuple(tensor.shape) for tensor in request_.inputs}
    try:
        found = {name: array.shape for name, array in _read(request_).items()}
    except BadTensorError as error:
        found = shapes if 0 < len(str(error)) < 500 else {}
    assert found == shapes


@settings(max_examples=500)
@given(changed_bytes())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Bytes that still are a message are read, or refused with a sentence."""
    with contextlib.suppress(DecodeError, BadTensorError):
        _read(oip.ModelInferRequest.FromString(raw))


async def test_a_sidecar_answers_anything(tmp_path: Path) -> None:
    """A live sidecar answers changed requests and changed bytes, never with a failure of its own, and serves on."""
    async with serving_sidecar(echo_bundle(tmp_path, SPECS)) as sidecar:
        await asyncio.to_thread(_ask_anything, sidecar)
        response = await oip_grpc.GRPCInferenceServiceStub(sidecar.channel).ModelInfer(_GOOD[0])
        assert list(response.raw_output_contents) == list(_GOOD[0].raw_input_contents)


def _ask_anything(sidecar: Sidecar) -> None:
    with grpc.insecure_channel(f"unix:{sidecar.socket}") as channel:
        infer = channel.unary_unary(_METHOD)

        @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
        @given(st.one_of(changed_bytes(), changed_requests().map(oip.ModelInferRequest.SerializeToString)))
        def ask(raw: bytes) -> None:
            code, details = _answer(infer, raw)
            assert code in _HONEST, details

        ask()


def _answer(infer: Any, raw: bytes) -> tuple[grpc.StatusCode, str]:
    call = infer.future(raw, timeout=20)
    return call.code(), call.details()
