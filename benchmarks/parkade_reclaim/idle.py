"""What the agent costs its vehicle while there is nothing to do."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from parkade_hack.proc import cpu_nanoseconds, resident_bytes
from parkade_reclaim.scene import Scene

_SETTLES_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Idle:
    """A settled agent with a session and without a slot."""

    core_percent: float
    resident: int


async def rest(vehicle: Scene, seconds: float) -> Idle:
    """Measures the agent's own process for that long."""
    await asyncio.sleep(_SETTLES_SECONDS)
    pid = vehicle.agent.process.pid
    used, at = cpu_nanoseconds(pid), time.monotonic_ns()
    await asyncio.sleep(seconds)
    share = (cpu_nanoseconds(pid) - used) / (time.monotonic_ns() - at)
    return Idle(100 * share, resident_bytes(pid))
