"""Many simulated vehicles in one process, over real mTLS: each with an identity, a session and a guard of its own."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from parkade_agent.simulation.script import PARKED
from parkade_api import vss
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_models.bundle import Bundle
from support.simulation_gate import POD, SimulationGate, open_gate
from support.vehicles import Door, shards_of, stop


@contextlib.asynccontextmanager
async def running(
    gate: SimulationGate, door: str, enrolment: str, folder: Path, **settings: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m parkade_agent.simulation` of the pod, which is ended afterwards."""
    (folder / "ca.crt").write_bytes(gate.authority.certificate)
    (folder / "token").write_text("the pod's")
    places = {
        "door_address": door,
        "enrolment_address": enrolment,
        "door_ca_file": folder / "ca.crt",
        "service_account_token_file": folder / "token",
        "state_dir": folder / "state",
        "allow_missing_sandbox_layers": "cgroup-memory",
    }
    told = {f"PARKADE_{name.upper()}": str(value) for name, value in {**places, **settings}.items()}
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parkade_agent.simulation", env=os.environ | told, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        await stop(process)


async def test_vehicles_of_one_process_are_vehicles_of_their_own(tmp_path: Path, int8_bundle: Bundle) -> None:
    """Each enrols by its number, plays its own recording, and works unless its own guard stops it."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for number in range(3):
        lines = [{"at": 0, "signals": dict(PARKED)}]
        if number == 1:
            lines.append({"at": 1, "signals": {vss.IS_MOVING: True, vss.SPEED: 30.0}})
        (recordings / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shards = shards_of([f"text {number}" for number in range(8)], 4)
    async with (
        open_gate(int8_bundle.folder, shards) as (gate, *addresses),
        running(gate, *addresses, tmp_path, vehicles=3, recordings=recordings) as process,
    ):
        doors = await gate.all_doors(3)
        away = doors.pop(f"sim-{POD}--1")
        await away.until(lambda door: door.guard_states()[-1] == "Kill")
        for vehicle, door in doors.items():
            assign(door, vehicle)
        for door in doors.values():
            await door.until(lambda door: len(door.results) == len(shards))
        assert await stop(process) == 0
    assert set(doors) == {f"sim-{POD}", f"sim-{POD}--2"}
    one, other = (door.results for door in doors.values())
    assert one == other
    keys = {(tmp_path / "state" / str(n) / "identity" / "key.pem").read_bytes() for n in range(3)}
    assert len(keys) == 3


async def test_one_vehicle_is_as_it_would_be_alone(tmp_path: Path) -> None:
    """It needs no number, keeps its state in the pod's folder, and stands plugged in without a recording."""
    async with open_gate(tmp_path, []) as (gate, *addresses), running(gate, *addresses, tmp_path) as process:
        (door,) = (await gate.all_doors(1)).values()
        await door.until(lambda door: door.guard_states()[-1] == "Run")
        assert await stop(process) == 0
    assert list(gate.doors) == [f"sim-{POD}"]
    assert (tmp_path / "state" / "identity" / "key.pem").exists()


def assign(door: Door, vehicle: str) -> None:
    """Gives the vehicle a slot of its batch."""
    order = door.order()
    order.vehicle = vehicle
    door.say(pb.GatewayMessage(assignment=order))
