"""Programs that hang: killed when they should work and do not, and reported when the kernel does not let them die."""

import asyncio
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from parkade_agent import agent as agents
from parkade_agent.agent import ProgramHeld
from parkade_agent.runtime import cgroups, process, standstill
from parkade_agent.runtime import slot as slots
from parkade_agent.runtime.brake import SlotBrake
from parkade_agent.runtime.cgroups import slot_cgroup
from parkade_agent.runtime.hierarchies import UNIFIED, own_groups
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.wellknown import CONTAINER_RUNNER, CONTAINER_SIDECAR
from parkade_hack.proc import is_alive
from parkade_models.bundle import Bundle
from support.agents import parked_agent
from support.programs import program_of, start
from support.slots import leased, living_slot
from support.vehicles import Door, certificates, open_door, running_agent, shards_of

pytestmark = pytest.mark.long(25)

NOTHING = "import time; time.sleep(60)"


async def test_programs_that_stand_still_with_a_shard_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle they may rest for ever; with a shard in hand a minute without CPU time is the end of both."""
    monkeypatch.setattr(standstill, "_SECONDS", 0.5)
    async with living_slot(tmp_path) as (slot, _):
        programs = {name: start(NOTHING, tmp_path) for name in (CONTAINER_RUNNER, CONTAINER_SIDECAR)}
        slot._programs.update(programs)
        for program in programs.values():
            slot._vehicle.brake.add(program)
        watch = asyncio.create_task(slot._watch_work())
        await asyncio.sleep(3 * standstill._LOOK_SECONDS)
        assert all(map(is_alive, (program.pid for program in programs.values())))
        slot.shards.granted(pb.LeaseGrant(pod_uid="pod", lease="lease", shards=[leased(1)]))
        assert (await slot.shards.next()).shard == 1
        ends = [await program.wait() for program in programs.values()]
        watch.cancel()
        slot._programs.clear()
    assert ends == [128 + signal.SIGKILL] * 2


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A group of version 1's freezer, which keeps even a killed process from ending; gone with all in it."""
    if not {"freezer", UNIFIED} <= (own := own_groups()).keys():
        pytest.skip("nothing else keeps a process from dying on purpose")
    folder = own["freezer"] / f"parkade-test-{uuid.uuid4()}"
    folder.mkdir()
    yield folder
    (folder / "freezer.state").write_text("THAWED")
    folder.rmdir()


async def test_a_program_that_cannot_be_killed_is_reported(
    tmp_path: Path, freezer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot stays, so that the vehicle takes no other, and says which process it is, until it is gone."""
    for module in (slots, process):
        monkeypatch.setattr(module, "UNKILLABLE_SECONDS", 0.2)
    async with living_slot(tmp_path) as (slot, _):
        program, brake = start(NOTHING, tmp_path), slot._vehicle.brake
        brake.add(program)
        hold(freezer, program.pid)
        assert brake.unkillable() == ""
        program.signal(signal.SIGKILL)
        gone = asyncio.create_task(slot._gone(slot._sidecar, program))
        while slot._sidecar.reason != "Unkillable":  # noqa: ASYNC110 - it tells the gateway only
            await asyncio.sleep(0.02)
        words = f"the kernel holds what was killed: process {program.pid}"
        assert (slot._sidecar.message, brake.unkillable()) == (words, words)
        os.kill(program.pid, 0)
        (freezer / "freezer.state").write_text("THAWED")
        await gone
        assert brake.unkillable() == ""


def hold(freezer: Path, pid: int) -> None:
    """Has the kernel let that process not even die."""
    (freezer / "cgroup.procs").write_text(str(pid))
    (freezer / "freezer.state").write_text("FROZEN")


async def test_a_vehicle_that_holds_a_killed_program_takes_no_slot(
    tmp_path: Path, freezer: Path, int8_bundle: Bundle
) -> None:
    """The slot that ends says which process stays, the guard forbids work with that reason, and both pass with it."""
    door, certs = Door(int8_bundle.folder, shards_of(["parked"], 1)), certificates(tmp_path)
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.results)
        hold(freezer, program_of(agent.process.pid, "sidecar"))
        door.say(pb.GatewayMessage(end_assignment=pb.EndAssignment(pod_uid="pod-1")))
        await door.until(lambda d: "Unkillable" in {each.reason for each in d.statuses()[-1].containers})
        await door.until(lambda d: "the kernel holds" in d.heard[-1].telemetry.guard_message)
        door.assign("pod-2")
        assert (await door.until(lambda d: d.ended("pod-2"))).reason == "Unkillable"
        assert not door.ended("pod-1")
        (freezer / "freezer.state").write_text("THAWED")
        await door.until(lambda d: d.ended("pod-1"))


async def test_a_program_that_cannot_be_killed_keeps_no_agent_from_wiping_and_stopping(
    tmp_path: Path, freezer: Path, int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be removed is removed and what holds the rest is said; an agent that is told to stop stops."""
    for module in (slots, process):
        monkeypatch.setattr(module, "UNKILLABLE_SECONDS", 0.2)
    monkeypatch.setattr(agents, "ENDED_SECONDS", 0.5)
    door, certs, stop = (
        Door(int8_bundle.folder, shards_of(["parked"], 1)),
        certificates(tmp_path),
        asyncio.Event(),
    )
    async with open_door(door, certs) as port, parked_agent(tmp_path, port, certs) as (agent, _):
        programs = added_to(agent._vehicle.brake, monkeypatch)
        running = asyncio.create_task(agent.run(stop))
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.results)
        hold(freezer, program_of(os.getpid(), "sidecar"))
        with capture_logs():  # a traceback's locals hold the whole agent: to print them takes half a minute
            with pytest.raises(ProgramHeld, match="the kernel holds what was killed: process"):
                await agent.wipe()
            assert [list((tmp_path / "state" / name).iterdir()) for name in ("slots", "bundles")] == [[], []]
            stop.set()
            await asyncio.wait_for(running, 20)
        (freezer / "freezer.state").write_text("THAWED")
        await asyncio.gather(*(program.wait() for program in programs))


def added_to(brake: SlotBrake, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The programs that *brake* will have been given."""
    programs, add = list[Any](), brake.add
    monkeypatch.setattr(brake, "add", lambda program: (programs.append(program), add(program)))
    return programs


def test_what_an_earlier_agent_could_not_end_is_reported(
    freezer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed agent leaves its group; the next one starts no slot beside a program that is still in it."""
    monkeypatch.setattr(cgroups, "UNKILLABLE_SECONDS", 0.2)
    private = own_groups()[UNIFIED] / f"parkade-test-{uuid.uuid4()}"
    monkeypatch.setattr(cgroups, "own_groups", lambda: {UNIFIED: private})
    with subprocess.Popen(["/bin/sleep", "1000"]) as agent:
        left = private / "-".join(("parkade", *map(str, cgroups._identity(agent.pid))))
        agent.kill()
    left.mkdir(parents=True)
    program = subprocess.Popen(["/bin/sleep", "1000"])
    (left / "cgroup.procs").write_text(str(program.pid))
    hold(freezer, program.pid)
    with slot_cgroup(1 << 26) as cgroup:
        brake = SlotBrake(cgroup)
        assert brake.unkillable() == f"the kernel holds what was killed: process {program.pid}"
        (freezer / "freezer.state").write_text("THAWED")
        assert program.wait(20) == -signal.SIGKILL
        assert brake.unkillable() == ""
    assert cgroups.remove_leftovers() == []
    private.rmdir()
