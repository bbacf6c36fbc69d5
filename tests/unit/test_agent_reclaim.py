"""A reclaim is measured from the signal to the last CPU time that the slot used."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parkade_agent.guard import Holder
from parkade_agent.reclaim import QUIET_SECONDS, Reclaims
from parkade_agent.runtime.brake import SlotBrake
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import Reason
from parkade_core.vehicle.guard import Action, GuardState
from parkade_hack.proc import descendants, is_alive
from parkade_hack.processes import free_port
from parkade_models.bundle import Bundle
from support.programs import start
from support.vehicles import Certificates, Door, certificates, open_door, running_agent, shards_of

FREEZE = GuardState(Action.FREEZE, (Reason.DRIVING,), "", 0.0, None)
RUN = GuardState(Action.RUN, (), "", 0.0, None)
BUSY = "while True: pass"
LONG_SECONDS = 60
TEXTS = [f"vehicle number {number} has time for text until its driver comes" for number in range(3000)]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


async def until(holds: Callable[[], object]) -> None:
    """Waits for what only the kernel knows."""
    async with asyncio.timeout(LONG_SECONDS):
        while not holds():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def working(folder: Path) -> AsyncIterator[SlotBrake]:
    """A brake with a program that uses CPU time whenever it may."""
    brake = SlotBrake()
    with (folder / "log").open("ab") as log:
        group = start(BUSY, folder, log.fileno())
    brake.add(group)
    try:
        while brake.cpu_seconds() < 0.05:  # noqa: ASYNC110 - only the kernel knows
            await asyncio.sleep(0.01)
        yield brake
    finally:
        group.signal(signal.SIGKILL)
        await group.wait()
        brake.remove(group)


async def test_the_time_runs_until_the_last_cpu_time(tmp_path: Path) -> None:
    """What is told is at least the time from signal to action; looking for longer does not make it longer."""
    measured = asyncio.Event()
    async with working(tmp_path) as brake:
        reclaims = Reclaims(brake, measured.set)
        heard_at = time.monotonic() - 0.02
        brake.hold(Holder.GUARD)
        acted_at = time.monotonic()
        reclaims.guard_acted(FREEZE, heard_at)
        await asyncio.wait_for(measured.wait(), 10)
        seen_at = time.monotonic()
    (reclaim,) = reclaims.take()
    assert reclaim.reason == "Driving"
    assert acted_at - heard_at <= reclaim.seconds <= seen_at - heard_at - QUIET_SECONDS
    assert not reclaims.take(), "told once"


async def test_programs_that_do_not_stop_make_it_long(tmp_path: Path) -> None:
    """The time is that of the programs, not of the guard's good intention."""
    measured = asyncio.Event()
    async with working(tmp_path) as brake:
        reclaims = Reclaims(brake, measured.set)
        brake.hold(Holder.GUARD)
        brake._signal(signal.SIGCONT)
        heard_at = time.monotonic()
        reclaims.guard_acted(FREEZE, heard_at)
        await asyncio.sleep(0.3)
        brake.kill()
        await asyncio.wait_for(measured.wait(), 10)
    (reclaim,) = reclaims.take()
    assert reclaim.seconds >= 0.2


@pytest.mark.parametrize("before", [FREEZE, None])
async def test_one_reclaim_is_told_once(tmp_path: Path, before: GuardState | None) -> None:
    """The guard may say again what it said, or go on to kill: that is the same reclaim."""
    async with working(tmp_path) as brake:
        told = asyncio.Queue[None]()
        reclaims = Reclaims(brake, lambda: told.put_nowait(None))
        brake.hold(Holder.GUARD)
        for state in filter(None, (FREEZE, before)):
            reclaims.guard_acted(state, time.monotonic())
        await asyncio.wait_for(told.get(), 10)
        await asyncio.sleep(2 * QUIET_SECONDS)
        assert told.empty()
        brake.release(Holder.GUARD)
        reclaims.guard_acted(RUN, time.monotonic())
        brake.hold(Holder.GUARD)
        reclaims.guard_acted(FREEZE, time.monotonic())
        await asyncio.wait_for(told.get(), 10)
    assert len(reclaims.take()) == 2


async def test_without_work_there_is_nothing_to_reclaim() -> None:
    """A vehicle that did nothing would make the promise look kept."""
    brake = SlotBrake()
    reclaims = Reclaims(brake, lambda: pytest.fail("nothing was measured"))
    brake.hold(Holder.GUARD)
    reclaims.guard_acted(FREEZE, time.monotonic())
    await asyncio.sleep(2 * QUIET_SECONDS)
    assert not reclaims.take()


def told_in_hello(door: Door) -> pb.SlotStatus | None:
    """The slot that ended while nobody could be told."""
    hellos = (message.hello for message in door.heard if message.HasField("hello"))
    return next((slot for hello in hellos for slot in hello.slots if slot.ended), None)


def reclaims_of(door: Door) -> list[pb.Reclaim]:
    """What the vehicle measured."""
    telemetry = (message.telemetry for message in door.heard if message.HasField("telemetry"))
    return [reclaim for told in telemetry for reclaim in told.reclaims]


async def test_a_driver_returns_out_of_reach(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """The gateway is away: by the kernel's clocks the slot stops all the same, and later every shard has one fate."""
    door = Door(int8_bundle.folder, shards_of(TEXTS, 20))
    async with running_agent(tmp_path, (port := free_port()), certs, cpu_share=0.5) as agent:
        async with open_door(door, certs, port):
            await door.until(lambda d: d.policy_followed())
            door.assign()
            await door.until(lambda d: d.results, LONG_SECONDS)
        pids = descendants(agent.process.pid)
        assert pids
        agent.signal(IS_MOVING=True)
        await until(lambda: not any(map(is_alive, pids)))
        async with open_door(door, certs, port):
            ended = await door.until(told_in_hello, LONG_SECONDS)
            assert (ended.reason, ended.message) == ("Driving", "IsMoving is true")
            leased = set(range(door.next_shard))
            await door.until(lambda d: set(d.handed_back) | set(d.results) == leased, LONG_SECONDS)
            assert not set(door.handed_back) & set(door.results)
            (reclaim,) = await door.until(reclaims_of, LONG_SECONDS)
            assert 0 < reclaim.seconds < LONG_SECONDS
