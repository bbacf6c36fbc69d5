"""What the owner's other tasks feel of the slot: a probe's wake-ups beside its load, its memory beside a bomb."""

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from onnx import TensorProto, helper

from parkade_bench.errors import BenchError
from parkade_hack.proc import is_alive
from parkade_reclaim.scene import Scene, Stage
from support.hostile import model
from support.models import write_bundle

Probe = dict[str, float]
_LOOK_SECONDS: Final = 0.01
_MOST_SECONDS: Final = 60.0
_BOMB_FLOATS: Final = 400 << 20  # 1.6 GB: one tensor fits into what is lent, two do not


async def probes_of_timing(stage: Stage, seconds: float, rounds: int) -> tuple[list[Probe], list[Probe]]:
    """The probe beside an idle agent, and beside a slot on every lent core, in turn."""
    alone, beside = list[Probe](), list[Probe]()
    for _ in range(rounds):
        async with stage.scene() as vehicle:
            alone.append(await _probe(seconds))
            await vehicle.loaded()
            beside.append(await _probe(seconds))
    return alone, beside


async def probe_of_memory(stage: Stage, folder: Path, seconds: float) -> tuple[Probe, float]:
    """The probe while a model takes all the memory that it can get, and the seconds that the model's process lived."""
    bundle = write_bundle(folder, bomb()).folder
    async with replace(stage, bundle=bundle).scene() as vehicle:
        probing = asyncio.create_task(_probe(seconds))
        await vehicle.assign()
        lived = await _life_of_the_sidecar(vehicle)
        await vehicle.ended()
        return await probing, lived


def bomb() -> bytes:
    """A model whose size only its run tells: it fills a tensor that is allowed, and then another one."""
    numbers = {"flat": [1], "wanted": [_BOMB_FLOATS]}
    constants = [helper.make_tensor(name, TensorProto.INT64, [1], value) for name, value in numbers.items()]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Sub", ["most", "most"], ["zero"]),
        helper.make_node("Exp", ["zero"], ["one"]),
        helper.make_node("Cast", ["one"], ["count"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["count", "flat"], ["counts"]),
        helper.make_node("Mul", ["counts", "wanted"], ["size"]),
        helper.make_node("Expand", ["one", "size"], ["big"]),
        helper.make_node("Add", ["big", "one"], ["bigger"]),
        helper.make_node("ReduceSum", ["bigger"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return bytes(model(nodes, *constants).SerializeToString())


async def _life_of_the_sidecar(vehicle: Scene) -> float:
    """Seconds from the first sight of the slot's processes to their end."""
    last = time.monotonic() + _MOST_SECONDS
    while not (pids := vehicle.programs()):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(_LOOK_SECONDS)
    begun = time.monotonic()
    while any(map(is_alive, pids)):
        if time.monotonic() > last:
            raise BenchError("the memory bomb did not end")
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - begun


async def _probe(seconds: float) -> Probe:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parkade_reclaim.probe", str(seconds), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    found: Any = json.loads(out)
    return {name: float(value) for name, value in found.items()}
