"""Whether a sidecar's memory grows: a hundred thousand calls of a model so small that only serving is left."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import onnx
from onnx import TensorProto, helper

from parkade_api.bundle import SCHEMA, BundleManifest, TensorInput, TensorShape, Variant
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_bench.servers import start_sidecar
from parkade_hack.proc import resident_bytes
from parkade_hack.processes import Supervisor
from parkade_models.bundle import describe_file, write_manifest

CALLS: Final = 100_000
WARM_CALLS: Final = 10_000
_UNDER_WAY: Final = 8
_STEP: Final = 1_000
_OPSET: Final = 17
_IR_VERSION: Final = 8
_SHAPE: Final = (1, 64)


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident bytes of the sidecar when it was warm and at the end."""

    calls: int
    warm_bytes: int
    end_bytes: int


def measure_growth(scratch: Path, calls: int, say: Callable[[str, int, int], None]) -> Growth:
    """Calls a sidecar that often after a tenth of that to warm up."""
    bundle = scratch / "small"
    _write_small_bundle(bundle)
    supervisor = Supervisor(scratch / "logs")
    try:
        server = start_sidecar(supervisor, "small", bundle, bundle)
        return asyncio.run(_call_often(server.target, server.pid, calls, say))
    finally:
        supervisor.stop_all()


async def _call_often(target: str, pid: int, calls: int, say: Callable[[str, int, int], None]) -> Growth:
    request = oip.ModelInferRequest(model_name="small")
    request.inputs.add(name="x", datatype="FP32", shape=_SHAPE)
    request.raw_input_contents.append(np.zeros(_SHAPE, np.float32).tobytes())
    async with grpc.aio.insecure_channel(target) as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        await _calls(stub, request, min(calls, WARM_CALLS), None)
        warm = resident_bytes(pid)
        await _calls(stub, request, calls, say)
        return Growth(calls, warm, resident_bytes(pid))


async def _calls(
    stub: "oip_grpc.GRPCInferenceServiceAsyncStub",
    request: oip.ModelInferRequest,
    count: int,
    say: Callable[[str, int, int], None] | None,
) -> None:
    numbers = iter(range(count))

    async def loop() -> None:
        for number in numbers:
            await stub.ModelInfer(request)
            if say is not None and number % _STEP == 0:
                say("call", number, count)

    await asyncio.gather(*(loop() for _ in range(_UNDER_WAY)))


def _write_small_bundle(folder: Path) -> None:
    folder.mkdir()
    place = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(_SHAPE)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "small", place[:1], place[1:])
    opsets = [helper.make_opsetid("", _OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION), folder / "small.onnx")
    manifest = BundleManifest(
        schema=SCHEMA,
        name="small",
        version="1",
        license="Apache-2.0",
        source="made by the benchmark",
        task="tensor",
        endpoint="/v1/tensors",
        input=TensorInput(
            kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=list(_SHAPE))]
        ),
        files=[describe_file(folder / "small.onnx")],
        variants=[Variant(precision="INT8", file="small.onnx", requires="x86-64", recipe="none")],
    )
    write_manifest(folder, manifest)
