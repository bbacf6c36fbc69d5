"""Shards of small models for tests: graphs, records and a run on lanes, all of them real."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from parkade_agent.sidecar.checkpoint import FILE_NAME, Checkpoint, decode
from parkade_agent.sidecar.folder import SlotFolder
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.shard import Record, Result, ShardRun
from parkade_models.tasks.npz import write_npz
from parkade_models.tasks.tensor import TensorTask
from support.models import echo, graph, write_bundle
from support.sidecars import INPUT_DIGEST

KEY: Final = bytes(32)
MOST_RECORDS: Final = 10_000
ROUNDS: Final = "rounds"


def spinning_model() -> bytes:
    """A graph that counts to `rounds`, one step a node: a run as long as you like, that a stop can end."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["total", "round"], ["next"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("total", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.INT64, []),
        ],
    )
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_int=0),
        helper.make_node("Loop", [ROUNDS, "", "zero"], ["sum"], body=body),
    ]
    inputs = [helper.make_tensor_value_info(ROUNDS, TensorProto.INT64, [])]
    return graph(nodes, inputs, [helper.make_tensor_value_info("sum", TensorProto.INT64, [])])


def rounds(count: int) -> dict[str, NDArray[Any]]:
    """What the spinning model takes."""
    return {ROUNDS: np.array(count, np.int64)}


def echo_task(folder: Path, *, rows_per_run: int = 1) -> TensorTask:
    """A task that gives a row of four numbers back."""
    model = echo(("x", TensorProto.FLOAT, ["rows", 4]))
    return TensorTask(write_bundle(folder, model, rowsPerRun=rows_per_run))


def record(line: int, **arrays: NDArray[Any]) -> Record:
    """A record of task `tensor`."""
    return Record(line, f"id-{line}", {"input": base64.b64encode(write_npz(arrays)).decode()})


def echo_records(count: int) -> list[Record]:
    """Rows for the echo task, each its own."""
    return [record(line, x=np.full((1, 4), line, np.float32)) for line in range(1, count + 1)]


def shard_run(task: TensorTask, records: Sequence[Record], folder: Path) -> tuple[ShardRun, Checkpoint]:
    """A run of these records that goes on from the checkpoint in *folder*."""
    checkpoint = Checkpoint(SlotFolder(folder), KEY, len(records))
    return ShardRun(task, records, INPUT_DIGEST, checkpoint), checkpoint


def records_done(folder: Path) -> int:
    """How many records of the shard under way have their line in the slot's *folder*; none when it has a result."""
    try:
        content = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return 0
    return len(decode(content, content[: len(KEY)], MOST_RECORDS)[0])


async def run_shard(lanes: Lanes, run: ShardRun) -> Result:
    """The result once the lanes have run all of it."""
    async for _ in lanes.run_shard(run):
        pass
    return run.result()
