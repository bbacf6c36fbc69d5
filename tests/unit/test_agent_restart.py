"""An agent that was killed, and one whose journal is of no use: nothing is lost, nothing is doubled, nothing loops."""

import asyncio
import os
import resource
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from parkade_agent.journal.journal import Journal
from parkade_agent.signals.heard import boottime
from parkade_agent.standing import NOTE
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.vehicle.standing import noted, recalled
from parkade_models.bundle import Bundle
from support.bare import BareDoor
from support.booking import BODY, OUTCOME, attempt
from support.parked import POLICY
from support.vehicles import Certificates, Door, certificates, open_door, running_agent, shards_of

TEXTS = [f"vehicle number {number} is parked and has time for text" for number in range(600)]

PAGE_BYTES = 4096
"""A file that may not be larger takes a few lines of a log, and nothing of a database."""


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


async def test_a_killed_agent_goes_on_where_it_was(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """Hello names what it had in hand, and when its slot is assigned again, every lease ends with its results."""
    door = Door(int8_bundle.folder, shards_of(TEXTS, 100))
    async with open_door(door, certs) as port:
        async with running_agent(tmp_path, port, certs, cpu_share=0.5) as agent:
            await door.until(lambda d: d.policy_followed())
            door.assign()
            await door.until(lambda d: d.results)
            agent.process.send_signal(signal.SIGKILL)
            await agent.process.wait()
        async with running_agent(tmp_path, port, certs):
            await door.until(lambda d: len([m for m in d.heard if m.HasField("hello")]) == 2)
            held = {shard.shard for lease in door.hello.leases for shard in lease.shards}
            assert held | set(door.results) >= set(range(door.next_shard))
            assert held | set(door.results) >= set(door.fetched)
            assert list(door.hello.slots) == []
            await door.until(lambda d: d.policy_followed())
            door.assign()
            await door.until(lambda d: len(d.results) == len(d.shards))
    assert door.handed_back == []
    attempts = Counter(row.attempt for header in door.stored for row in header.results)
    assert len(attempts) == len(door.shards)
    pieces = [(header.lease, header.piece) for header in door.stored]
    assert len(pieces) == len(set(pieces))


async def test_a_vehicle_that_stood_all_along_is_not_waited_for_anew(
    tmp_path: Path, certs: Certificates
) -> None:
    """When an agent was killed beside a slot and the next one comes soon, the pool's parkedFor goes on."""
    door, waiting = BareDoor(), pb.Policy()
    waiting.CopyFrom(POLICY)
    waiting.parked_for_seconds = 20
    async with open_door(door, certs) as port:
        async with running_agent(tmp_path, port, certs) as agent:
            await door.until(lambda d: d.policy_followed())
            door.assign()
            journal = Journal(agent.state / "journal.sqlite")
            async with asyncio.timeout(30):
                while (stood := recalled(journal.recall(NOTE))) is None:  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.05)
            agent.process.send_signal(signal.SIGKILL)
            await agent.process.wait()
        now = boottime()
        journal.remember(NOTE, noted(replace(stood, since=now - 100, seen=now)))
        journal.close()
        door.policy = waiting
        door.heard.clear()
        async with running_agent(tmp_path, port, certs):
            await door.until(lambda d: d.policy_followed())
            await door.obeyed(door.order("pod-2"))


async def test_a_full_disk_is_told_and_passes(tmp_path: Path, certs: Certificates) -> None:
    """The journal can grow no further: no assignment is obeyed until it can; then the guard waits out its minute."""
    door = BareDoor()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(lambda d: d.policy_followed())
        await door.obeyed(door.order("before"))
        unlimited = resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE)
        os.truncate(tmp_path / "agent.log", 0)
        resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, (PAGE_BYTES, unlimited[1]))
        door.assign("refused")
        assert (await door.until(lambda d: d.ended("refused"))).reason == "NoSpace"
        await door.until(lambda d: "journal" in d.heard[-1].telemetry.guard_message)
        resource.prlimit(agent.process.pid, resource.RLIMIT_FSIZE, unlimited)
        await door.until(lambda d: "kept for" in d.heard[-1].telemetry.guard_message)
        door.assign("noted")
        assert "kept for" in (await door.until(lambda d: d.ended("noted"))).message
    assert Journal(tmp_path / "state" / "journal.sqlite").last_counter() == door.counter


async def test_a_journal_that_cannot_be_read_for_a_moment_costs_nothing(
    tmp_path: Path, certs: Certificates
) -> None:
    """Results and checkpoints of an earlier agent stay as they are until it can, and are gone on with then."""
    state = tmp_path / "state"
    result, checkpoint = state / "results" / "attempt-1", state / "slots" / "pod-1" / "checkpoint"
    for path, body in ((result, BODY), (checkpoint, b"half a shard")):
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    journal = Journal(state / "journal.sqlite")
    journal.attempts.take([attempt(1), attempt(2)])
    journal.attempts.finish("attempt-1", OUTCOME)
    journal.close()
    readable = journal.path.rename(tmp_path / "readable")
    journal.path.write_bytes(b"no database at all, " * 300)
    door = Door(tmp_path, [])
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.heard and "journal" in d.heard[-1].telemetry.guard_message)
        assert (result.read_bytes(), checkpoint.exists()) == (BODY, True)
        readable.replace(journal.path)
        await door.until(lambda d: d.results == {1: BODY})
        assert checkpoint.exists()
        assert {shard.shard for lease in door.hello.leases for shard in lease.shards} == {1, 2}


async def test_a_journal_of_no_use_is_told_and_nothing_starts(tmp_path: Path, certs: Certificates) -> None:
    """The agent lives, says in its own words what is wrong, and obeys nothing while no counter can be kept."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.sqlite").write_bytes(b"no database at all, " * 300)
    door = BareDoor()
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(
            lambda d: any("journal" in message.telemetry.guard_message for message in d.heard[-1:])
        )
        door.assign()
        refused = await door.until(lambda d: d.ended())
        assert refused.reason == "NoSpace"
        assert refused.message == "the vehicle's journal cannot be written"
        assert agent.process.returncode is None
        (state / "journal.sqlite").unlink()  # somebody has looked at it
        await door.until(lambda d: len([m for m in d.heard if m.HasField("hello")]) == 2)
        await door.until(
            lambda d: d.policy_followed() and "journal" not in d.heard[-1].telemetry.guard_message
        )
        assert door.hello.last_counter == 0
