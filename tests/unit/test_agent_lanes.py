"""The guard's word on lanes reaches the sidecar whenever it serves, and never more than memory has room for."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from parkade_agent.lanes import LentLanes
from parkade_agent.sidecar.lanes import Lanes
from parkade_agent.sidecar.lanes_service import LanesService
from parkade_agent.sidecar.limits import MOST_LANES, most_lanes
from parkade_api.bundle import Budget
from parkade_api.proto.vehicle.v1 import vehicle_pb2_grpc
from parkade_core.vehicle.guard import Action, GuardState
from parkade_models.session import Session
from support.models import write_bundle
from support.shards import spinning_model

LENT = 4
MIB = 1 << 20


def wants(lanes: int | None) -> GuardState:
    """The guard leaves that many lanes."""
    return GuardState(Action.RUN, (), "", 0.0, None, lanes=lanes)


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="pk-") as folder:
        yield Path(folder) / "s"


@contextlib.asynccontextmanager
async def keeping(lent: LentLanes, socket: Path) -> AsyncIterator[None]:
    """Runs what tells the sidecar."""
    task = asyncio.create_task(lent.keep(socket))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def serving(lanes: Lanes, socket: Path, most: int = MOST_LANES) -> AsyncIterator[None]:
    """The sidecar's own service of lanes."""
    server = grpc.aio.server()
    vehicle_pb2_grpc.add_LanesServicer_to_server(LanesService(lanes, most), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=None)
        await lanes.close()


async def until(lanes: Lanes, count: int) -> None:
    """Waits until the sidecar has that many lanes."""
    async with asyncio.timeout(20):
        while lanes.count != count:  # noqa: ASYNC110 - the sidecar tells nobody
            await asyncio.sleep(0.005)


async def test_the_sidecar_follows_the_guard(socket: Path) -> None:
    """Down, to none, and back: each word of the guard is what the sidecar has a moment later."""
    lent, lanes = LentLanes(LENT), Lanes(Session(spinning_model(), "spin.onnx"), LENT)
    async with serving(lanes, socket), keeping(lent, socket):
        for wanted, has in ((2, 2), (0, 0), (1, 1), (None, LENT), (LENT + 5, LENT)):
            lent.guard_acted(wants(wanted))
            await until(lanes, has)


async def test_a_sidecar_that_serves_late_is_told_then(socket: Path) -> None:
    """What the guard said while the sidecar was being loaded is not lost; its start had one lane at least."""
    lent = LentLanes(LENT)
    lent.guard_acted(wants(0))
    assert (lent.now, lent.at_start) == (0, 1)
    async with keeping(lent, socket):
        await asyncio.sleep(0)
        lanes = Lanes(Session(spinning_model(), "spin.onnx"), lent.at_start)
        async with serving(lanes, socket):
            await until(lanes, 0)


async def test_a_restarted_sidecar_is_told_again(socket: Path) -> None:
    """A sidecar that was started with the lanes of some time ago has those of now once it serves."""
    lent = LentLanes(LENT)
    lanes = Lanes(Session(spinning_model(), "spin.onnx"), 1)
    async with serving(lanes, socket), keeping(lent, socket):
        lent.sidecar_serves()
        await until(lanes, LENT)


async def test_lanes_are_bounded_by_the_memory_of_all(socket: Path) -> None:
    """A sidecar sets no more lanes than have room, however many are asked for."""
    lent, lanes = LentLanes(LENT), Lanes(Session(spinning_model(), "spin.onnx"), 1)
    async with serving(lanes, socket, most=3), keeping(lent, socket):
        lent.sidecar_serves()
        await until(lanes, 3)


@pytest.mark.parametrize(
    ("budget", "memory", "most"),
    [
        (100 * MIB, 100 * MIB, 1),
        (100 * MIB, 199 * MIB, 1),
        (100 * MIB, 201 * MIB, 2),
        (100 * MIB, 1100 * MIB, 11),
        (200 * MIB, 100 * MIB, 1),
        (1, 1 << 40, MOST_LANES),
        (None, 100 * MIB, MOST_LANES),
    ],
)
def test_each_lane_has_its_memory(tmp_path: Path, budget: int | None, memory: int, most: int) -> None:
    """A further lane costs what one took, but for the model's file; a bundle that tells nothing is not bounded."""
    asked = None if budget is None else Budget(memoryBytes=budget, secondsPerRecord=0.1)
    bundle = write_bundle(tmp_path / "bundle", spinning_model(), budget=asked)
    assert most_lanes(bundle, memory) == most
