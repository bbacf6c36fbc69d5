"""Runs that take too long or too much although the model was loaded, and run once."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import grpc
import numpy as np
import pytest
from onnx import TensorProto, helper

from parkade_agent.sidecar.lanes import MOST_WAITING
from parkade_agent.sidecar.watchdog import watch_runs
from parkade_api.bundle import TensorInput, TensorShape
from parkade_api.proto.inference import open_inference_grpc_pb2 as oip
from parkade_api.proto.inference import open_inference_grpc_pb2_grpc as oip_grpc
from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_core.vehicle.death import Blame, Cause
from parkade_models.bundle import Bundle
from parkade_models.errors import OutOfMemoryError, StoppedError
from parkade_models.session import Session
from support.hostile import COLUMNS, model
from support.models import write_bundle
from support.sidecars import serving_sidecar
from support.supervised import answer, serving

pytestmark = pytest.mark.timeout(600)

INPUT = TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[1, COLUMNS])])
QUICK = [1.0, 1.0, 0.0, 0.0]
LONG = [3000.0, 3000.0, 0.0, 0.0]
LARGE = [4e8, 4e8, 0.0, 0.0]  # 640 PB: more than an address space has, whatever the kernel promises


def _graph() -> bytes:
    """A model that multiplies matrices whose size is said by the first two numbers of x; no shape tells of it."""
    names = ["matrix", *(f"p{number}" for number in range(100))]
    nodes = [
        helper.make_node("Slice", ["x", "0", "2", "1"], ["first"]),
        helper.make_node("Cast", ["first"], ["sizes"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["sizes", "2"], ["size"]),
        helper.make_node("Max", ["size", "1"], ["shape"]),
        helper.make_node("Expand", ["seed", "shape"], ["matrix"]),
        *(helper.make_node("MatMul", [taken, "matrix"], [given]) for taken, given in pairwise(names)),
        helper.make_node("ReduceSum", [names[-1]], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    numbers = [helper.make_tensor(str(number), TensorProto.INT64, [1], [number]) for number in (0, 1, 2)]
    seed = helper.make_tensor("seed", TensorProto.FLOAT, [1, 1], [0.0])
    return bytes(model(nodes, seed, *numbers).SerializeToString())


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The bundle of that model."""
    return write_bundle(tmp_path / "bundle", _graph(), input=INPUT)


def test_a_run_without_end_ends_the_sidecar(bundle: Bundle) -> None:
    """What the watchdog says becomes the cause of the death."""
    with serving(bundle.folder, run_cpu_seconds=0.5) as (sidecar, channel):
        assert answer(channel, QUICK) == QUICK
        with pytest.raises(grpc.RpcError):
            answer(channel, LONG)
        death = asyncio.run(sidecar.died())
    assert (death.cause, death.blame) == (Cause.RUN_STUCK, Blame.MODEL)
    assert death.sentence.startswith("one step of a record took ")
    assert death.sentence.endswith(" s of CPU time; at most 0.5 s are allowed")


def test_a_run_of_too_much_memory_leaves_the_sidecar_whole(bundle: Bundle) -> None:
    """The caller hears of it, and the next request is answered."""
    with serving(bundle.folder) as (_, channel):
        with pytest.raises(grpc.RpcError, match="memory"):
            answer(channel, LARGE)
        assert answer(channel, QUICK) == QUICK


def test_only_a_long_run_is_told_of() -> None:
    """A run under way is measured by its thread's own CPU clock, and told of once."""
    session, heard, sentences = Session(_graph(), "model.onnx"), threading.Event(), list[str]()

    def on_stuck(sentence: str) -> None:
        sentences.append(sentence)
        heard.set()

    def spin(length: list[float]) -> None:
        with session.timed():
            session.run(["y"], {"x": np.array([length], np.float32)})

    watch_runs(session, 0.3, on_stuck)
    spin(QUICK)
    assert not sentences
    with ThreadPoolExecutor(max_workers=1) as lane:
        run = lane.submit(spin, LONG)
        assert heard.wait(60)
        session.stop()
        with pytest.raises(StoppedError):
            run.result()
    assert len(sentences) == 1


def test_reading_a_record_without_end_is_told_of() -> None:
    """What a lane does for a record beside its runs has the limit of a run."""
    session, told = Session(_graph(), "model.onnx"), threading.Event()
    watch_runs(session, 0.3, lambda _: told.set())
    with session.timed():
        while not told.is_set():
            assert session.longest_step() < 60


def test_memory_that_is_not_there_is_no_fault_of_the_record() -> None:
    """A run that asks for more than there is raises an error of its own kind, and the session goes on."""
    session = Session(_graph(), "model.onnx")
    with pytest.raises(OutOfMemoryError):
        session.run(["y"], {"x": np.array([LARGE], np.float32)})
    assert session.run(["y"], {"x": np.array([QUICK], np.float32)})[0].tolist() == [QUICK]


async def test_a_call_too_many_is_told_so(bundle: Bundle) -> None:
    """With one call in the lane and all places in the line taken, the next is RESOURCE_EXHAUSTED; a stop is not."""
    request = oip.ModelInferRequest(model_name=bundle.manifest.name)
    request.inputs.add(name="x", datatype="FP32", shape=[1, COLUMNS]).contents.fp32_contents.extend(LONG)
    async with serving_sidecar(bundle) as sidecar:
        infer = oip_grpc.GRPCInferenceServiceStub(sidecar.channel).ModelInfer
        calls = [asyncio.ensure_future(infer(request)) for _ in range(MOST_WAITING + 2)]
        await asyncio.wait(calls, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        await vehicle_pb2_grpc.LanesStub(sidecar.channel).Set(vehicle_pb2.SetLanesRequest(lanes=0))
        errors = await asyncio.gather(*calls, return_exceptions=True)
    codes = Counter(error.code() for error in errors if isinstance(error, grpc.aio.AioRpcError))
    assert codes == {
        grpc.StatusCode.RESOURCE_EXHAUSTED: 1,
        grpc.StatusCode.UNAVAILABLE: MOST_WAITING + 1,
    }
