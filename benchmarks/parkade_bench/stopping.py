"""The owner's stop: from `Lanes.Set(0)` sent until it is answered, when no lane runs any more, and what comes after."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_bench.client import Client
from parkade_bench.peers.work import read_items, read_manifest, tensor_of
from parkade_bench.servers import LANES, start_sidecar
from parkade_bench.workload import Workload
from parkade_hack.processes import Supervisor

ROWS: Final = 8
_MOST_WAIT_SECONDS: Final = 0.03  # stops fall anywhere in a run
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Stops:
    """Milliseconds of each stop, and of the calls before any stop and right after each."""

    stops: list[float]
    usual: list[float]
    after: list[float]


def measure_stops(
    workload: Workload, scratch: Path, count: int, say: Callable[[str, int, int], None]
) -> Stops:
    """Stops a loaded sidecar *count* times while calls of eight rows are under way."""
    supervisor = Supervisor(scratch / "logs")
    slot = scratch / "stopped"
    slot.mkdir()
    try:
        server = start_sidecar(supervisor, "stopped", workload.bundle, slot)
        return asyncio.run(_stop_often(workload, server.target, count, say))
    finally:
        supervisor.stop_all()


async def _stop_often(
    workload: Workload, target: str, count: int, say: Callable[[str, int, int], None]
) -> Stops:
    items = read_items(workload.bundle, workload.shard)[:ROWS]
    tensor = tensor_of(read_manifest(workload.bundle))
    async with grpc.aio.insecure_channel(target) as channel:
        client = Client(channel, workload.model, tensor, items)
        lanes = vehicle_pb2_grpc.LanesStub(channel)
        usual = [await _call(client) for _ in range(30)]
        stops, after = [], []
        chance = random.Random(_SEED)  # noqa: S311 - a moment, no secret
        for number in range(count):
            say("stop", number, count)
            stops.append(await _stop(client, lanes, chance.uniform(0, _MOST_WAIT_SECONDS)))
            await lanes.Set(vehicle_pb2.SetLanesRequest(lanes=LANES))
            after.append(await _call(client))
    return Stops(stops, usual, after)


async def _stop(client: Client, lanes: "vehicle_pb2_grpc.LanesAsyncStub", wait: float) -> float:
    """Milliseconds until no lane ran, with a call on every lane."""
    calls = [asyncio.create_task(_until_stopped(client)) for _ in range(LANES)]
    await asyncio.sleep(wait)
    begun = time.perf_counter()
    await lanes.Set(vehicle_pb2.SetLanesRequest(lanes=0))
    milliseconds = 1000 * (time.perf_counter() - begun)
    await asyncio.gather(*calls)
    return milliseconds


async def _until_stopped(client: Client) -> None:
    with suppress(grpc.aio.AioRpcError):
        while True:
            await _call(client)


async def _call(client: Client) -> float:
    """Milliseconds of one call of eight rows."""
    begun = time.perf_counter()
    await client.infer(ROWS, 1)
    return 1000 * (time.perf_counter() - begun)
