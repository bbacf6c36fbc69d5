"""Scene (a): the sidecar alone embeds a hundred documents and finds the one that answers a question."""

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_core.batch.lines import shard_line
from parkade_hack.demo.model import Material
from parkade_hack.demo.stage import Stage
from parkade_hack.processes import Program, Supervisor, plain_environment, python_module

RECORDS = 100
QUESTION = "How do I compute a square root?"
READY_SECONDS = 60.0
SHARD, RESULT = "shard", "result"
Vectors = NDArray[np.float32]


def answer_a_question(stage: Stage, supervisor: Supervisor, material: Material) -> None:
    """Runs the sidecar by itself: one shard by reference, one question over the Open Inference Protocol."""
    stage.title("The sidecar alone, as it runs in every vehicle")
    records = [json.loads(line) for line in material.documents.read_bytes().splitlines()[:RECORDS]]
    with _sidecar(supervisor, material) as (folder, channel):
        begun = time.monotonic()
        vectors = _embed(folder, channel, records)
        seconds = time.monotonic() - begun
        stage.say(f"embedded {len(records)} documents in {seconds:.1f} s, one record a run")
        best = int(np.argmax(vectors @ _question(channel, QUESTION)))
    stage.say(f"question: {QUESTION}")
    text = " ".join(records[best]["body"]["input"].split())
    stage.say(f"answer: {records[best]['custom_id'].partition(':')[0]}: {text[:80]}")


@contextmanager
def _sidecar(supervisor: Supervisor, material: Material) -> Iterator[tuple[Path, grpc.Channel]]:
    # A unix socket's path has at most 107 characters, so the folder is a short one.
    with tempfile.TemporaryDirectory(prefix="parkade-") as name:
        folder = Path(name)
        socket = folder / "s.sock"
        flags = ("--bundle", material.bundle, "--slot-dir", folder, "--socket", socket, "--lanes", "1")
        command = python_module("parkade_agent.sidecar", *map(str, flags))
        supervisor.start(Program("sidecar", command, plain_environment()))
        try:
            supervisor.wait_until("sidecar", socket.exists, READY_SECONDS)
            with grpc.insecure_channel(f"unix:{socket}") as channel:
                grpc.channel_ready_future(channel).result(timeout=READY_SECONDS)
                yield folder, channel
        finally:
            supervisor.stop("sidecar")


def _embed(folder: Path, channel: grpc.Channel, records: list[dict[str, object]]) -> Vectors:
    lines = [
        shard_line(number, str(record["custom_id"]), dict(record["body"]))  # type: ignore[call-overload]
        for number, record in enumerate(records, start=1)
    ]
    content = b"".join(lines)
    (folder / SHARD).write_bytes(content)
    request = vehicle_pb2.RunRequest(
        input_name=SHARD,
        input_sha256=hashlib.sha256(content).hexdigest(),
        result_name=RESULT,
        input_digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
    )
    for _progress in vehicle_pb2_grpc.ShardsStub(channel).Run(request):
        pass
    answers = map(json.loads, (folder / RESULT).read_bytes().splitlines())
    rows = [answer["response"]["body"]["data"][0]["embedding"] for answer in answers]
    return np.array(rows, np.float32)


def _question(channel: grpc.Channel, text: str) -> Vectors:
    stub = oip_grpc.GRPCInferenceServiceStub(channel)
    contents = oip.InferTensorContents(bytes_contents=[text.encode()])
    tensor = oip.ModelInferRequest.InferInputTensor(
        name="text", datatype="BYTES", shape=[1], contents=contents
    )
    model = "paraphrase-minilm-l3"
    reply = stub.ModelInfer(oip.ModelInferRequest(model_name=model, inputs=[tensor]))
    if reply.raw_output_contents:
        return np.frombuffer(reply.raw_output_contents[0], "<f4")
    return np.array(reply.outputs[0].contents.fp32_contents, np.float32)
