"""The sidecar as a process: what any Open Inference client, the agent and the runner see."""

import asyncio
import hashlib
import os
import shutil
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import orjson
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_core.vehicle.death import SidecarExit
from parkade_models.bundle import Bundle
from parkade_models.tasks.embedding import EmbeddingTask
from support.sidecars import Sidecar, serving_sidecar, start_sidecar

NAME = "paraphrase-minilm-l3"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecar(int8_bundle: Bundle) -> AsyncIterator[Sidecar]:
    """A serving sidecar with two lanes."""
    async with serving_sidecar(int8_bundle, lanes=2) as serving:
        yield serving


async def _run(sidecar: Sidecar, request: vehicle_pb2.RunRequest) -> list[vehicle_pb2.RunProgress]:
    return [progress async for progress in vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(request)]


async def test_metadata_calls_describe_the_model(sidecar: Sidecar) -> None:
    """The five calls beside ModelInfer answer for this model and refuse another."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    assert (await stub.ServerLive(oip.ServerLiveRequest())).live
    assert (await stub.ServerReady(oip.ServerReadyRequest())).ready
    assert (await stub.ModelReady(oip.ModelReadyRequest(name=NAME))).ready
    assert not (await stub.ModelReady(oip.ModelReadyRequest(name="other"))).ready
    assert (await stub.ServerMetadata(oip.ServerMetadataRequest())).name == "parkade-sidecar"
    metadata = await stub.ModelMetadata(oip.ModelMetadataRequest(name=NAME))
    assert [(tensor.name, tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs] == [
        ("text", "BYTES", [-1])
    ]
    assert [(tensor.name, list(tensor.shape)) for tensor in metadata.outputs] == [("embedding", [-1, 384])]
    with pytest.raises(grpc.aio.AioRpcError, match="model 'other' is not here"):
        await stub.ModelMetadata(oip.ModelMetadataRequest(name="other"))


async def test_infer_gives_the_vectors(sidecar: Sidecar, embedding_task: EmbeddingTask) -> None:
    """Raw and typed requests give the vectors that the model gives in this process, byte for byte."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    request = oip.ModelInferRequest(model_name=NAME)
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=[2])
    request.raw_input_contents.append(b"".join(struct.pack("<I", 3) + text for text in (b"one", b"two")))
    raw = await stub.ModelInfer(request)
    del request.raw_input_contents[:]
    tensor.contents.bytes_contents.extend([b"one", b"two"])
    typed = await stub.ModelInfer(request)
    wanted = b"".join(embedding_task.embed(text)[0].tobytes() for text in ("one", "two"))
    assert raw.raw_output_contents[0] == wanted
    assert np.array(typed.outputs[0].contents.fp32_contents, np.float32).tobytes() == wanted


async def test_wrong_infer_is_refused(sidecar: Sidecar) -> None:
    """A request that does not fit is INVALID_ARGUMENT with the sentence, and the sidecar goes on."""
    stub = oip_grpc.GRPCInferenceServiceStub(sidecar.channel)
    request = oip.ModelInferRequest(model_name=NAME)
    with pytest.raises(grpc.aio.AioRpcError, match="input text is missing") as caught:
        await stub.ModelInfer(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    texts = request.inputs.add(name="text", datatype="BYTES", shape=[2]).contents.bytes_contents
    for second, sentence in ((b" ", "The input is empty"), (b"caf\xe9", "A text must be UTF-8")):
        texts[:] = [b"one", second]
        with pytest.raises(grpc.aio.AioRpcError, match=rf"text\[1\]: {sentence}"):
            await stub.ModelInfer(request)
    assert (await stub.ServerLive(oip.ServerLiveRequest())).live


async def test_health_and_reflection(sidecar: Sidecar) -> None:
    """Every service is SERVING by name, and reflection lists them."""
    health = health_pb2_grpc.HealthStub(sidecar.channel)
    services = {"inference.GRPCInferenceService", "parkade.vehicle.v1.Shards", "parkade.vehicle.v1.Lanes"}
    for service in ("", *services):
        reply = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(sidecar.channel)
    asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
    (reply,) = [reply async for reply in stub.ServerReflectionInfo(iter(asked))]
    names = {service.name for service in reply.list_services_response.service}
    assert services | {"grpc.health.v1.Health"} <= names


async def test_shard_by_reference(sidecar: Sidecar) -> None:
    """A shard leaves its result in the slot's folder, with an outcome that describes the file."""
    request = sidecar.write_shard("in-0", [{"input": "one"}, {"input": ""}, {"input": "three"}])
    outcome = (await _run(sidecar, request))[-1].outcome
    content = (sidecar.folder / "in-0.result").read_bytes()
    assert (outcome.size, outcome.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (outcome.succeeded, outcome.failed) == (2, 1)
    assert outcome.cpu_nanoseconds > 0
    ids = [orjson.loads(line)["custom_id"] for line in content.splitlines()]
    assert ids == ["id-1", "id-3", "id-2"]
    assert content[outcome.output_size :].startswith(b'{"id":"batch_req_')


async def test_a_shard_that_is_taken_away_ends(sidecar: Sidecar) -> None:
    """At the next word of progress, with a sentence and without a result; the next shard finds the lanes free."""
    request = sidecar.write_shard("gone", [{"input": "many words " * 60}] * 3000)
    run = vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(request)
    assert (await run.read()).records_done < 3000
    (sidecar.folder / "gone").unlink()
    with pytest.raises(grpc.aio.AioRpcError, match="gone was taken away"):
        await _exhaust(run)
    assert await run.code() is grpc.StatusCode.NOT_FOUND
    assert not (sidecar.folder / request.result_name).exists()
    assert (await _run(sidecar, sidecar.write_shard("next", [{"input": "one"}])))[-1].outcome.succeeded == 1


async def _exhaust(run: Any) -> None:
    while await run.read() is not grpc.aio.EOF:
        pass


async def test_long_shard_reports_progress(sidecar: Sidecar) -> None:
    """A shard of more than half a second tells how far it is."""
    progress = await _run(sidecar, sidecar.write_shard("long", [{"input": "word " * 200}] * 300))
    assert len(progress) > 1
    assert all(message.records_total == 300 for message in progress)
    assert [message.HasField("outcome") for message in progress] == [False] * (len(progress) - 1) + [True]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"input_name": "absent"}, grpc.StatusCode.NOT_FOUND),
        ({"input_name": "../in-0"}, grpc.StatusCode.NOT_FOUND),
        ({"result_name": "../escaped"}, grpc.StatusCode.NOT_FOUND),
        ({"result_name": "n" * 300}, grpc.StatusCode.FAILED_PRECONDITION),
        ({"input_sha256": "0" * 64}, grpc.StatusCode.DATA_LOSS),
    ],
)
async def test_wrong_shard_is_refused(
    sidecar: Sidecar, change: dict[str, str], code: grpc.StatusCode
) -> None:
    """A shard that is not there, not the promised one or leads elsewhere is refused, and the next one runs."""
    good = sidecar.write_shard("in-0", [{"input": "one"}])
    bad = vehicle_pb2.RunRequest()
    bad.CopyFrom(good)
    for field, value in change.items():
        setattr(bad, field, value)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _run(sidecar, bad)
    assert caught.value.code() is code
    assert (await _run(sidecar, good))[-1].outcome.succeeded == 1
    assert not (sidecar.folder.parent / "escaped").exists()


async def test_one_shard_at_a_time_and_a_dropped_call_frees_the_sidecar(sidecar: Sidecar) -> None:
    """A second shard is refused while one runs, through no fault of its own; it runs when the first caller leaves."""
    stub = vehicle_pb2_grpc.ShardsStub(sidecar.channel)
    first = stub.Run(sidecar.write_shard("long", [{"input": "word " * 200}] * 2_000))
    await first.read()
    second = sidecar.write_shard("in-1", [{"input": "one"}])
    with pytest.raises(grpc.aio.AioRpcError, match="one at a time") as caught:
        await _run(sidecar, second)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    first.cancel()
    assert (await _run(sidecar, second))[-1].outcome.succeeded == 1


async def test_sigterm_ends_a_running_shard(int8_bundle: Bundle) -> None:
    """SIGTERM in the middle of a shard ends the process within seconds, with exit code 0 and no result file."""
    async with serving_sidecar(int8_bundle, lanes=2) as sidecar:
        call = vehicle_pb2_grpc.ShardsStub(sidecar.channel).Run(
            sidecar.write_shard("long", [{"input": "word " * 200}] * 2_000)
        )
        await call.read()
        sidecar.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await sidecar.process.wait() == 0
        assert not (sidecar.folder / "long.result").exists()


async def test_killed_sidecar_leaves_no_obstacle(int8_bundle: Bundle) -> None:
    """A new sidecar serves on the socket that a killed one left behind."""
    async with serving_sidecar(int8_bundle) as killed:
        os.kill(killed.process.pid, signal.SIGKILL)
        await killed.process.wait()
        assert killed.socket.exists()
        process = await start_sidecar(int8_bundle.folder, killed.folder, killed.socket, 1)
        health = health_pb2_grpc.HealthStub(killed.channel)
        reply = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=30)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        process.terminate()
        await process.communicate()


async def test_bad_bundle_is_said_in_the_log(int8_bundle: Bundle, tmp_path: Path) -> None:
    """A bundle with a changed byte ends the sidecar with an exit code of its own and the reason as its last word."""
    folder = Path(shutil.copytree(int8_bundle.folder, tmp_path / "bundle"))
    (folder / "tokenizer.json").write_text("{}")
    process = await start_sidecar(folder, tmp_path, tmp_path / "s", 1)
    _, errors = await process.communicate()
    last = orjson.loads(errors.splitlines()[-1])
    assert process.returncode == SidecarExit.BUNDLE_DAMAGED
    assert last["message"].startswith("tokenizer.json has 2 bytes")
    assert not (tmp_path / "s").exists()
