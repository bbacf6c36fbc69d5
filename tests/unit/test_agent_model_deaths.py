"""What the gateway hears of a model that cannot be run: from the agent as a process, with the real sidecar."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parkade_api.bundle import TensorInput, TensorShape
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.batch.lines import shard_line
from parkade_models.bundle import Bundle
from support import hostile_bombs
from support.hostile import COLUMNS, STRUCTURES, Hostile
from support.models import as_large_as_asked, write_bundle
from support.programs import program_of
from support.shards import record
from support.vehicles import (
    PARKED,
    AgentProcess,
    Certificates,
    Door,
    certificates,
    open_door,
    running_agent,
    shards_of,
)

pytestmark = pytest.mark.long(40)

INPUT = TensorInput(kind="tensor", tensors=[TensorShape(name="x", datatype="FP32", shape=[1, COLUMNS])])
FRESH_SECONDS = 5.0
CASES = {case.name: case for case in (*STRUCTURES, *hostile_bombs.BY_LIMITS)}


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of one door and one vehicle."""
    return certificates(tmp_path_factory.mktemp("pki"))


def door_with(case: Hostile, folder: Path) -> Door:
    """A batch whose model is that one."""
    bundle = write_bundle(folder / "bundle", case.make(folder), input=INPUT)
    return Door(bundle.folder, shards_of(["text"], 1))


async def ended(door: Door, certs: Certificates, folder: Path) -> pb.SlotStatus:
    """The last words of the slot that an agent makes of the door's only assignment."""
    async with open_door(door, certs) as port, running_agent(folder, port, certs) as agent:
        parked = asyncio.create_task(_stay_parked(agent))
        await door.until(lambda d: d.policy_followed())
        door.assign()
        status: pb.SlotStatus = await door.until(lambda d: d.ended())
        parked.cancel()
    return status


async def _stay_parked(agent: AgentProcess) -> None:
    """Says it again and again: on a busy machine what was said once gets stale."""
    while True:
        await asyncio.sleep(FRESH_SECONDS)
        with agent.signals.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"signals": PARKED}) + "\n")


async def test_a_refused_model_ends_the_slot_at_once(tmp_path: Path, certs: Certificates) -> None:
    """The sentence of the checks is the slot's, and the sidecar is not started again."""
    door = door_with(CASES["outside-absolute"], tmp_path)
    status = await ended(door, certs, tmp_path)
    assert status.reason == "ModelRefused"
    assert status.message.startswith("ModelRefused: initializer 'w' has its data in another file")
    assert {state.restarts for state in status.containers} == {0}


async def test_a_model_that_cannot_be_loaded_is_given_up(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second death in a row before it served is one too many: no crash loop without end.

    An owner who gives a start less time than the standard proves nothing against the model.
    """
    monkeypatch.setenv("PARKADE_LOAD_CPU_SECONDS", "2")
    door = door_with(CASES["products-of-constants"], tmp_path)
    status = await ended(door, certs, tmp_path)
    assert status.reason == "BundleRefused"
    assert status.message == ("LoadTooLong: the sidecar used up 2 s of CPU time while loading model.onnx")
    waiting = [state.message for told in door.statuses() for state in told.containers if state.restarts]
    assert waiting[0].startswith("the sidecar used up 2 s of CPU time while loading model.onnx; starts again")


async def test_a_vehicle_that_lends_too_little_blames_nobody(
    tmp_path: Path, certs: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle's own budget is over what is lent: both numbers are told, and no batch fails of it."""
    monkeypatch.setenv("PARKADE_MEMORY_BYTES", str(400 << 20))
    budget = {"memoryBytes": 1 << 30, "secondsPerRecord": 1.0}
    model = CASES["run-bomb-of-a-computed-shape"].make(tmp_path)
    bundle = write_bundle(tmp_path / "bundle", model, input=INPUT, budget=budget)
    status = await ended(Door(bundle.folder, shards_of(["text"], 1)), certs, tmp_path)
    assert status.reason == "BundleRefused"
    assert status.message == (
        "MemoryLent: the bundle asks for 1073741824 bytes of memory; this vehicle lends 419430400"
    )


@pytest.mark.parametrize(("rotten", "endings"), [("model.int8.onnx", ["BundleRefused"]), ("bundle.json", [])])
async def test_a_bundle_that_rots_on_the_vehicle_is_fetched_again(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates, rotten: str, endings: list[str]
) -> None:
    """One wrong bit on its disk is no fault of the model: the vehicle says so at most once, then works."""
    kept = tmp_path / "state" / "bundles" / int8_bundle.digest.removeprefix("sha256:")
    shutil.copytree(int8_bundle.folder, kept)
    content = bytearray((kept / rotten).read_bytes())
    content[len(content) // 2] ^= 1
    (kept / rotten).write_bytes(content)
    door = Door(int8_bundle.folder, shards_of(["parked"], 1))
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs):
        await door.until(lambda d: d.policy_followed())
        for number, reason in enumerate(endings):
            door.assign(f"pod-{number}")
            ended = await door.until(lambda d, number=number: d.ended(f"pod-{number}"))
            assert ended.reason == reason
            assert ended.message.startswith(f"BundleDamaged: {rotten} has sha256")
        door.assign("last")
        await door.until(lambda d: d.results)


async def test_a_shard_is_handed_back_with_the_death_of_its_sidecar(
    tmp_path: Path, int8_bundle: Bundle, certs: Certificates
) -> None:
    """Whoever reads why the shard failed learns what killed the sidecar."""
    door = Door(int8_bundle.folder, shards_of(["a text of some words"] * 3000, 1000))
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs, cpu_share=0.5) as agent:
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.fetched)
        await _until(lambda: any((agent.state / "slots" / "pod-1" / "work").glob(".checkpoint")))
        os.kill(program_of(agent.process.pid, "sidecar"), signal.SIGSEGV)
        await door.until(lambda d: d.handed_back)
    back = next(message.handback for message in door.heard if message.HasField("handback"))
    assert (back.reason, back.message) == (
        "SidecarLost",
        "Crashed: the sidecar crashed (SIGSEGV) while serving",
    )


async def test_a_shard_that_takes_too_much_memory_costs_no_other(tmp_path: Path, certs: Certificates) -> None:
    """Its sidecar dies of it and says so; agent and slot live, and the shard after it is done by the next sidecar."""
    bundle = write_bundle(tmp_path / "bundle", as_large_as_asked())
    asked = [record(number, size=np.array([size])) for number, size in ((1, 1 << 46), (2, 8))]
    door = Door(bundle.folder, [shard_line(each.line, each.custom_id, each.body) for each in asked])
    async with open_door(door, certs) as port, running_agent(tmp_path, port, certs) as agent:
        await door.until(lambda d: d.policy_followed())
        door.assign()
        await door.until(lambda d: d.results and d.handed_back, 60)
        assert agent.process.returncode is None
    assert (door.handed_back, list(door.results)) == ([0], [1])
    back = next(message.handback for message in door.heard if message.HasField("handback"))
    assert back.reason == "SidecarLost"
    assert back.message.startswith("OutOfMemory: the shard needs more memory than there is")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a disk tells nobody
            await asyncio.sleep(0.02)
