"""What the owner lends of CPU is held, whatever a slot's programs make of the lanes that they are told."""

import asyncio
import time
from pathlib import Path

import pytest

from parkade_core.vehicle.throttle import BESIDE_LANES, most_cores
from parkade_hack import proc
from parkade_models.bundle import Bundle
from support import greedy_agent
from support.owners import Owner
from support.vehicles import AgentProcess, Door, certificates, open_door, running_agent

LENT_LANES = 2
BEGUN_SECONDS = 0.3  # of CPU time, more than a program's start costs
WINDOW_SECONDS = 2.0


@pytest.mark.parametrize(
    ("share", "lent", "left", "most"),
    [
        (1.0, 1, None, 1 + BESIDE_LANES),
        (8.0, 4, None, 4 + BESIDE_LANES),
        (8.0, 4, 1, 1 + BESIDE_LANES),
        (4.0, 4, 2, 2 + BESIDE_LANES),
        (1.0, 4, None, 1.0),
        (1.0, 4, 2, 1.0),
        (3.0, 4, 2, 2 + BESIDE_LANES),
        (0.4, 1, 1, 0.4),
        (4.0, 4, 9, 4 + BESIDE_LANES),
        (4.0, 4, 0, BESIDE_LANES),
    ],
)
def test_the_guards_lanes_bound_the_cores(share: float, lent: int, left: int | None, most: float) -> None:
    """A share below the lanes holds as it is; else the lanes of now hold, and what works beside them has room."""
    assert most_cores(share, lent, left) == most


async def test_a_sidecar_that_ignores_its_lanes_is_held(
    tmp_path: Path, int8_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner allows one lane of two; a sidecar that hears of none has that one's cores, and no more."""
    monkeypatch.setenv("PYTHONPATH", str(Path(greedy_agent.__file__).parents[1]))
    Owner(tmp_path / "state").folder.limits.write_text('{"maxLanes": 1}', encoding="utf-8")
    certs, door = certificates(tmp_path), Door(int8_bundle.folder, [])
    agents = (greedy_agent.__name__,)
    async with (
        open_door(door, certs) as port,
        running_agent(tmp_path, port, certs, lanes=LENT_LANES, command=agents) as agent,
    ):
        await door.until(lambda d: d.policy_followed())
        door.assign()
        async with asyncio.timeout(60):
            while greedy_seconds(agent) < BEGUN_SECONDS:  # noqa: ASYNC110 - the kernel's clock tells nobody
                await asyncio.sleep(0.05)
        began, before = time.monotonic(), greedy_seconds(agent)
        await asyncio.sleep(WINDOW_SECONDS)
        used, window = greedy_seconds(agent) - before, time.monotonic() - began
    assert 0 < used / window < 2 * (1 + greedy_agent.BESIDE_LANES)


def greedy_seconds(agent: AgentProcess) -> float:
    """CPU time that the program in the sidecar's place has used."""
    below = proc.descendants(agent.process.pid)
    ours = [pid for pid in below if greedy_agent.SCRIPT in " ".join(proc.command_line(pid))]
    return sum(map(proc.cpu_nanoseconds, ours)) / 1e9
