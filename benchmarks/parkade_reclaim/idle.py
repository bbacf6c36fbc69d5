"""What the agent costs its vehicle while there is nothing to do, with the packages of development beside its own."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parkade_hack.proc import cpu_nanoseconds, resident_bytes
from parkade_reclaim.scene import Stage

_SETTLES_SECONDS: Final = 10.0  # after five the agent gives back what only its start needed
_KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Idle:
    """A settled agent with a session and without a slot."""

    core_percent: float
    resident: int
    own: int
    """Of that, what is no file's."""


async def rest(stage: Stage, seconds: float) -> Idle:
    """Measures the agent's own process for that long."""
    async with stage.scene() as vehicle:
        await asyncio.sleep(_SETTLES_SECONDS)
        pid = vehicle.agent.process.pid
        used, at = cpu_nanoseconds(pid), time.monotonic_ns()
        await asyncio.sleep(seconds)
        share = (cpu_nanoseconds(pid) - used) / (time.monotonic_ns() - at)
        return Idle(100 * share, resident_bytes(pid), _own_bytes(pid))


def _own_bytes(pid: int) -> int:
    """What the process would give back if it ended: not the libraries that it only maps (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * _KIBIBYTE
