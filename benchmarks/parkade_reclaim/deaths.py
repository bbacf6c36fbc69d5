"""The agent is killed with SIGKILL: how long its children live on, at work or frozen for the driver."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

from parkade_reclaim.scene import Stage, observing

_WATCHED_SECONDS: Final = 5.0
_FROZEN_SECONDS: Final = 0.1
_MILLISECONDS: Final = 1e6


async def kill_often(stage: Stage, count: int, say: Callable[[str, int, int], None]) -> list[float]:
    """Milliseconds from each kill to the death of the last child; every second time the slot is frozen before."""
    died = list[float]()
    for number in range(count):
        say("agent killed", number, count)
        async with stage.scene() as vehicle:
            await vehicle.loaded()
            async with observing(vehicle.programs(), _WATCHED_SECONDS) as watching:
                if number % 2:
                    vehicle.agent.signal(IS_MOVING=True)
                    await asyncio.sleep(_FROZEN_SECONDS)
                killed = time.monotonic_ns()
                vehicle.agent.process.send_signal(signal.SIGKILL)
                dead_at = (await watching)["dead_at"]
            died.append(float("inf") if dead_at is None else (dead_at - killed) / _MILLISECONDS)
    return died
