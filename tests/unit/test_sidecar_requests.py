"""Requests of every kind against one sidecar: every datatype both ways, and a corpus of malformed ones."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from onnx import TensorProto, helper

from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_models.session import TensorSpec
from support.inference import NAME, SPECS, TYPED_SPECS, echo_bundle, raw_request, typed_request
from support.malformed import Malformed, malformed_requests
from support.models import graph, write_bundle
from support.sidecars import Sidecar, serving_sidecar

_METHOD = "/inference.GRPCInferenceService/ModelInfer"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sidecar]:
    """A sidecar that gives back a tensor of every datatype."""
    async with serving_sidecar(echo_bundle(tmp_path_factory.mktemp("bundle"), SPECS)) as serving:
        yield serving


async def test_every_datatype_there_and_back(sidecar: Sidecar) -> None:
    """Thirteen raw inputs come back as thirteen raw outputs of the same bytes, with id, model and version."""
    request = raw_request(SPECS)
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    response = await stub.ModelInfer(request)
    assert list(response.raw_output_contents) == list(request.raw_input_contents)
    assert [output.name for output in response.outputs] == [f"{spec.name}_out" for spec in SPECS]
    assert (response.id, response.model_name, response.model_version) == ("a-1", NAME, "1")
    metadata = await stub.ModelMetadata(oip.ModelMetadataRequest(name=NAME))
    assert [TensorSpec(tensor.name, tensor.datatype, tuple(tensor.shape)) for tensor in metadata.inputs] == [
        *SPECS
    ]
    request.outputs.add(name="int8_out")
    request.outputs.add(name="bytes_out")
    response = await stub.ModelInfer(request)
    assert [output.name for output in response.outputs] == ["int8_out", "bytes_out"]


async def test_typed_contents_there_and_back(tmp_path: Path) -> None:
    """Typed contents of the twelve datatypes that have a field come back typed, with unknown parameters ignored."""
    async with serving_sidecar(echo_bundle(tmp_path, TYPED_SPECS)) as sidecar:
        request = typed_request(TYPED_SPECS)
        request.parameters["priority"].int64_param = 1
        request.inputs[0].parameters["colour"].string_param = "blue"
        response = await oip_grpc.GRPCInferenceServiceStub(sidecar.channel).ModelInfer(request)
    assert not response.raw_output_contents
    assert [output.contents for output in response.outputs] == [tensor.contents for tensor in request.inputs]


async def test_malformed_requests_are_refused_and_the_next_good_one_works(sidecar: Sidecar) -> None:
    """Each malformed request of the corpus gets its status and its sentence, and a good one after each works."""
    good = raw_request(SPECS)
    infer = sidecar.channel.unary_unary(_METHOD, response_deserializer=oip.ModelInferResponse.FromString)
    wrong = []
    for case in malformed_requests():
        wrong += await _mistakes(infer, case)
        response = await infer(good.SerializeToString())
        assert list(response.raw_output_contents) == list(good.raw_input_contents), case.name
    assert not wrong
    assert sidecar.process.returncode is None


async def _mistakes(
    infer: grpc.aio.UnaryUnaryMultiCallable[bytes, oip.ModelInferResponse], case: Malformed
) -> list[str]:
    try:
        await infer(case.raw, timeout=20)
    except grpc.aio.AioRpcError as error:
        said = f"{error.code()}: {error.details()}"
        return [] if error.code() is case.code and case.words in said else [f"{case.name}: {said[:300]}"]
    return [f"{case.name}: answered"]


@pytest.mark.parametrize("method", ["/parkade.vehicle.v1.Shards/Run", "/grpc.health.v1.Health/Watch"])
async def test_bytes_that_are_no_message_begin_no_stream(sidecar: Sidecar, method: str) -> None:
    """A call whose answer is a stream says of them what a plain call says."""
    with pytest.raises(grpc.aio.AioRpcError, match="the request is no message") as caught:
        await sidecar.channel.unary_stream(method)(b"\xff").read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_health_is_watched_until_the_watcher_leaves(sidecar: Sidecar) -> None:
    """A stream that never ends by itself begins, and ends with its caller."""
    watch = health_pb2_grpc.HealthStub(sidecar.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    assert watch.cancel()


async def test_calls_at_the_same_time_get_their_own_answers(sidecar: Sidecar) -> None:
    """Many callers at once, each with its own number and id, get these back."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    at = [spec.name for spec in SPECS].index("int64")

    async def ask(number: int) -> None:
        request = raw_request(SPECS)
        request.id = str(number)
        request.raw_input_contents[at] = np.full(4, number, "<i8").tobytes()
        response = await stub.ModelInfer(request)
        assert (response.id, response.raw_output_contents[at]) == (
            str(number),
            request.raw_input_contents[at],
        )

    await asyncio.gather(*map(ask, range(50)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def multiplier(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sidecar]:
    """A sidecar that multiplies two matrices of any size, in 2 GiB of memory."""
    sizes: dict[str, list[int | str]] = {"a": ["n", "m"], "b": ["m", "k"], "product": ["n", "k"]}
    a, b, c = (helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items())
    model = graph([helper.make_node("MatMul", ["a", "b"], ["product"])], [a, b], [c])
    async with serving_sidecar(write_bundle(tmp_path_factory.mktemp("bundle"), model)) as serving:
        resource.prlimit(serving.process.pid, resource.RLIMIT_DATA, (2 << 30, 2 << 30))
        yield serving


@pytest.mark.parametrize(
    ("a", "b", "code", "words"),
    [
        ((1 << 19, 1), (1, 1 << 19), grpc.StatusCode.RESOURCE_EXHAUSTED, "needs more memory than there is"),
        (
            (2, 3),
            (2, 3),
            grpc.StatusCode.INVALID_ARGUMENT,
            "could not be run on this record.*MatMul.*dimension",
        ),
    ],
)
async def test_what_the_model_cannot_run_is_said(
    multiplier: Sidecar, a: tuple[int, int], b: tuple[int, int], code: grpc.StatusCode, words: str
) -> None:
    """A product of a terabyte, and one of matrices that do not fit, get their status; the next good one works."""
    stub = oip_grpc.GRPCInferenceServiceStub(multiplier.channel)
    with pytest.raises(grpc.aio.AioRpcError, match=words) as caught:
        await stub.ModelInfer(_factors(a, b))
    assert caught.value.code() is code
    assert list((await stub.ModelInfer(_factors((2, 3), (3, 4)))).outputs[0].shape) == [2, 4]


def _factors(*shapes: tuple[int, int]) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="small")
    for name, (rows, columns) in zip("ab", shapes, strict=True):
        request.inputs.add(name=name, datatype="FP32", shape=(rows, columns))
        request.raw_input_contents.append(bytes(4 * rows * columns))
    return request
