"""How a sidecar stops: it takes nothing new, calls under way may finish, and the rest are told to ask elsewhere."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_agent.sidecar.datatypes import to_raw
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_models.bundle import Bundle
from support.sidecars import Sidecar, serving_sidecar

Call = grpc.aio.UnaryUnaryCall[oip.ModelInferRequest, oip.ModelInferResponse]

# gRPC itself cancels the one call that arrives in the moment in which its server closes.
_REFUSED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@asynccontextmanager
async def _busy(bundle: Bundle, texts: list[bytes]) -> AsyncIterator[tuple[Sidecar, Call]]:
    """A sidecar with a call under way."""
    async with serving_sidecar(bundle) as sidecar:
        stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
        request = oip.ModelInferRequest(model_name=bundle.manifest.name)
        request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
        request.raw_input_contents.append(to_raw(np.array(texts, np.object_)))
        assert request.ByteSize() < 65_536, "HTTP/2's first window: so the whole call is sent before the next"
        call = stub.ModelInfer(request)
        await stub.ServerLive(oip.ServerLiveRequest())
        yield sidecar, call


async def _refusal(sidecar: Sidecar) -> grpc.StatusCode:
    """The status of the first new call that is refused."""
    while True:
        try:
            await oip_grpc.GRPCInferenceServiceStub(sidecar.channel).ServerLive(oip.ServerLiveRequest())
        except grpc.aio.AioRpcError as error:
            return error.code()


async def test_a_call_under_way_may_finish(int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGTERM health says NOT_SERVING and new calls are refused, while a call under way gets its answer."""
    monkeypatch.setenv("PARKADE_GRACE_SECONDS", "30")
    async with _busy(int8_bundle, [b"a " * 200] * 100) as (sidecar, call):
        watch = health_pb2_grpc.HealthStub(sidecar.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        sidecar.process.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        assert await _refusal(sidecar) in _REFUSED
        assert list((await call).outputs[0].shape) == [100, 384]
        assert await sidecar.process.wait() == 0


async def test_a_call_that_takes_longer_is_told(int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that the grace is too short for ends as UNAVAILABLE with the reason, and the process with 0."""
    monkeypatch.setenv("PARKADE_GRACE_SECONDS", "0")
    async with _busy(int8_bundle, [b"a"] * 12_000) as (sidecar, call):
        sidecar.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            with pytest.raises(grpc.aio.AioRpcError, match="ask again") as caught:
                await call
            assert await sidecar.process.wait() == 0
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
