"""The owner comes back in the middle of the work: it stops, waits, goes on, and no byte of a result tells of it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from itertools import cycle
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_agent.sidecar.shard import Record
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_models.bundle import Bundle
from parkade_models.tasks.embedding import EmbeddingTask
from support.shards import records_done, shard_run
from support.sidecars import Sidecar, serving_sidecar

BODIES: Final = [{"input": f"Document {number} " + "of many words " * 30} for number in range(150)]
TEXTS: Final = [body["input"].encode() for body in BODIES[:8]]


@pytest.fixture
async def sidecar(int8_bundle: Bundle) -> AsyncIterator[Sidecar]:
    """A serving sidecar with two lanes."""
    async with serving_sidecar(int8_bundle, lanes=2) as serving:
        yield serving


def _undisturbed(task: EmbeddingTask, folder: Path) -> bytes:
    """The shard's result when nothing comes in between."""
    records = [Record(number, f"id-{number}", body) for number, body in enumerate(BODIES, start=1)]
    run, checkpoint = shard_run(task, records, folder)
    with closing(checkpoint):
        while (start := run.take()) is not None:
            run.run(start)
    return run.result().content


def _request() -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="paraphrase-minilm-l3")
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[len(TEXTS)])
    tensor.contents.bytes_contents.extend(TEXTS)
    return request


def _vectors(task: EmbeddingTask) -> bytes:
    return b"".join(task.embed(text.decode())[0].tobytes() for text in TEXTS)


def _vectors_of(response: oip.ModelInferResponse) -> bytes:
    return np.array(response.outputs[0].contents.fp32_contents, np.float32).tobytes()


async def _result(sidecar: Sidecar, request: vehicle_pb2.RunRequest) -> bytes:
    async for _ in vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(request):
        pass
    return (sidecar.folder / request.result_name).read_bytes()


async def _set(sidecar: Sidecar, lanes: int) -> vehicle_pb2.SetLanesReply:
    return await vehicle_pb2_grpc.LanesStub(sidecar.channel).Set(vehicle_pb2.SetLanesRequest(lanes=lanes))


async def _more_records_done(sidecar: Sidecar, done: int) -> None:
    """Returns when some more than *done* are, or all."""
    path = sidecar.folder / "in-0.result"
    while records_done(sidecar.folder) <= done + 5 and not path.exists():  # noqa: ASYNC110 - not of this process
        await asyncio.sleep(0.001)


async def test_a_shard_waits_while_there_are_no_lanes(
    sidecar: Sidecar, embedding_task: EmbeddingTask, tmp_path: Path
) -> None:
    """Lanes come and go under a shard; it redoes what was in hand only, and its result is the undisturbed one."""
    running = asyncio.create_task(_result(sidecar, sidecar.write_shard("in-0", BODIES)))
    before, stops, done = 2, 0, 0
    for lanes in cycle((1, 4, 2)):
        await _more_records_done(sidecar, done)
        reply = await _set(sidecar, 0)
        assert (reply.lanes_before, reply.lanes) == (before, 0)
        assert reply.runs_ended <= before
        done = records_done(sidecar.folder)
        if not 0 < done < len(BODIES):
            break  # all of them are; the result may be in its place
        stops += 1
        assert not running.done()
        assert (await _set(sidecar, lanes)).lanes_before == 0
        before = lanes
    assert stops
    assert await running == _undisturbed(embedding_task, tmp_path)


async def test_calls_are_refused_while_there_are_no_lanes(
    sidecar: Sidecar, embedding_task: EmbeddingTask
) -> None:
    """A call under way, one that waits and a new one are UNAVAILABLE with a sentence, and nothing is ready.

    Later ones work as ever.
    """
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    calls = [asyncio.ensure_future(stub.ModelInfer(_request())) for _ in range(20)]
    await calls[0]
    await _set(sidecar, 0)
    assert await _ready(sidecar) == (False, False)
    calls.append(asyncio.ensure_future(stub.ModelInfer(_request())))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(refused) > 1
    assert answers[-1] is refused[-1]
    for error in refused:
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "ask again" in (error.details() or "")
    await _set(sidecar, 1)
    assert await _ready(sidecar) == (True, True)
    assert _vectors_of(await stub.ModelInfer(_request())) == _vectors(embedding_task)


async def _ready(sidecar: Sidecar) -> tuple[bool, bool]:
    """Whether the server says that it is ready, and its model."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    model = await stub.ModelReady(oip.ModelReadyRequest(name="paraphrase-minilm-l3"))
    return (await stub.ServerReady(oip.ServerReadyRequest())).ready, model.ready


async def test_frozen_in_the_middle(sidecar: Sidecar, embedding_task: EmbeddingTask, tmp_path: Path) -> None:
    """SIGSTOP and SIGCONT under a shard and calls break no client: every answer comes, with the same bytes."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    running = asyncio.create_task(_result(sidecar, sidecar.write_shard("in-0", BODIES)))
    await _more_records_done(sidecar, 0)
    answers = []
    for _ in range(5):
        call = asyncio.ensure_future(stub.ModelInfer(_request()))
        await asyncio.sleep(0)  # it is on its way now
        sidecar.process.send_signal(signal.SIGSTOP)
        await _state(sidecar, "T")
        late = asyncio.ensure_future(stub.ModelInfer(_request()))
        done = records_done(sidecar.folder)
        await asyncio.sleep(0.05)  # long enough for many records
        assert records_done(sidecar.folder) == done
        sidecar.process.send_signal(signal.SIGCONT)
        answers += [await call, await late]
    assert {_vectors_of(answer) for answer in answers} == {_vectors(embedding_task)}
    assert await running == _undisturbed(embedding_task, tmp_path)


async def _state(sidecar: Sidecar, wanted: str) -> None:
    """Returns when all threads of the sidecar are in that state."""
    while _states(sidecar.process.pid) != {wanted}:  # noqa: ASYNC110 - the kernel does it
        await asyncio.sleep(0.001)


def _states(pid: int) -> set[str]:
    states = set()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            states.add(stat.read_text().rpartition(")")[2].split()[0])
    return states


async def test_lanes_have_a_limit_and_a_service(sidecar: Sidecar) -> None:
    """Too many lanes are refused with the limit, and the service has a health of its own."""
    with pytest.raises(grpc.aio.AioRpcError, match="lanes is 257; a sidecar has at most 256") as caught:
        await _set(sidecar, 257)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    request = health_pb2.HealthCheckRequest(service="parkade.vehicle.v1.Lanes")
    reply = await health_pb2_grpc.HealthStub(sidecar.channel).Check(request)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_sigterm_ends_a_shard_that_waits_for_lanes(sidecar: Sidecar) -> None:
    """A sidecar without lanes stops as any other: exit code 0, no result, the checkpoint kept."""
    running = asyncio.create_task(_result(sidecar, sidecar.write_shard("in-0", BODIES)))
    await _more_records_done(sidecar, 0)
    await _set(sidecar, 0)
    sidecar.process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await sidecar.process.wait() == 0
    assert not (sidecar.folder / "in-0.result").exists()
    assert records_done(sidecar.folder) > 2
