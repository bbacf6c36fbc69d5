"""A record that fails in a way that is none of its own: the shard ends with it, and the lanes go on."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from parkade_agent.sidecar.lanes import Lanes
from parkade_models.errors import OutOfMemoryError
from parkade_models.tasks.task import Answer
from parkade_models.tasks.tensor import TensorTask
from support.models import graph, write_bundle
from support.shards import record, rounds, run_shard, shard_run, spinning_model


class Panic(BaseException):
    """What a panic of Rust becomes in Python: no Exception."""


class Panicking(TensorTask):
    """A model whose records end in a panic."""

    def answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Never answers."""
        raise Panic(f"at {len(bodies)} record")


async def test_a_panic_ends_the_shard_and_no_lane(tmp_path: Path) -> None:
    """Whoever runs the shard gets what was raised past every ordinary error; lanes work and can be changed."""
    task = Panicking(write_bundle(tmp_path / "bundle", spinning_model()))
    lanes = Lanes(task.session, 1)
    run, checkpoint = shard_run(task, [record(1, **rounds(1))], tmp_path)
    async with asyncio.timeout(30):
        with pytest.raises(Panic, match="at 1 record"):
            await run_shard(lanes, run)
        assert await lanes.call(lambda: 7) == 7
        await lanes.close()
    checkpoint.close()


async def test_too_little_memory_fails_the_shard_and_not_the_record(tmp_path: Path) -> None:
    """How much memory there is says nothing of a record, so it gets no error line; the lanes go on."""
    sizes = helper.make_tensor_value_info("size", TensorProto.INT64, [1])
    total = helper.make_tensor_value_info("total", TensorProto.FLOAT, [])
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["ones"]),
        helper.make_node("ReduceSum", ["ones"], ["total"], keepdims=0),
    ]
    task = TensorTask(write_bundle(tmp_path / "bundle", graph(nodes, [sizes], [total])))
    lanes = Lanes(task.session, 2)
    records = [record(line, size=np.array([size])) for line, size in enumerate((4, 1 << 46, 4), start=1)]
    run, checkpoint = shard_run(task, records, tmp_path)
    with pytest.raises(OutOfMemoryError):
        await run_shard(lanes, run)
    assert await lanes.call(lambda: 7) == 7
    checkpoint.close()
    await lanes.close()
