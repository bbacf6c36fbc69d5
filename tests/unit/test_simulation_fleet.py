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
from support.simulation_gate import POD, SimulationGate, open_gate
from support.vehicles import stop


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


async def test_vehicles_of_one_process_are_vehicles_of_their_own(tmp_path: Path) -> None:
    """Each enrols by the pod's token and its number, plays its own recording and has a guard that stops it alone."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for number in range(3):
        lines = [{"at": 0, "signals": dict(PARKED)}]
        if number == 1:
            lines.append({"at": 1, "signals": {vss.IS_MOVING: True, vss.SPEED: 30.0}})
        (recordings / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with (
        open_gate() as (gate, *addresses),
        running(gate, *addresses, tmp_path, vehicles=3, recordings=recordings) as process,
    ):
        await gate.until_told(1, "Kill")
        await gate.until_told(2, "Run")
        assert await stop(process) == 0
    assert {vehicle: told.guard_state for vehicle, told in gate.told.items()} == {
        f"sim-{POD}": "Run",
        f"sim-{POD}--1": "Kill",
        f"sim-{POD}--2": "Run",
    }
    keys = {(tmp_path / "state" / str(n) / "identity" / "key.pem").read_bytes() for n in range(3)}
    assert len(keys) == 3


async def test_one_vehicle_is_as_it_would_be_alone(tmp_path: Path) -> None:
    """It needs no number, keeps its state in the pod's folder, and stands plugged in without a recording."""
    async with open_gate() as (gate, *addresses), running(gate, *addresses, tmp_path) as process:
        await gate.until_told(1, "Run")
        assert await stop(process) == 0
    assert list(gate.told) == [f"sim-{POD}"]
    assert (tmp_path / "state" / "identity" / "key.pem").exists()
