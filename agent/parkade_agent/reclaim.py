"""How long a reclaim took: from the signal that the owner needs the vehicle to the last CPU time that its slot used.

The guard has acted before anything here runs; this only looks, and the session tells the gateway what was seen.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from parkade_agent import metrics
from parkade_agent.guard import Holder
from parkade_agent.runtime.brake import SlotBrake
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.vehicle.guard import Action, GuardState

QUIET_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 0.002
_log = structlog.get_logger()


class Reclaims:
    """The reclaims of one vehicle, in its event loop. *on_measured* is called when there is one to `take`."""

    def __init__(self, brake: SlotBrake, on_measured: Callable[[], None]) -> None:
        self._brake = brake
        self._on_measured = on_measured
        self._action = Action.RUN
        self._measured: list[fleet_pb2.Reclaim] = []
        self._measuring: set[asyncio.Task[None]] = set()

    def guard_acted(self, state: GuardState, heard_at: float) -> None:
        """The guard decided *state* because of what it heard at that monotonic time."""
        before, self._action = self._action, state.action
        if before is Action.RUN and state.action is not Action.RUN and not self._brake.is_empty:
            task = asyncio.create_task(self._measure(state.reasons[0], heard_at), name="reclaim")
            self._measuring.add(task)
            task.add_done_callback(self._measuring.discard)

    def take(self) -> list[fleet_pb2.Reclaim]:
        """What was measured since the last call."""
        taken, self._measured = self._measured, []
        return taken

    async def _measure(self, reason: str, heard_at: float) -> None:
        """Looks until no CPU time was used for a while; work that was let go on again was no reclaim to the end."""
        used, last_at = self._brake.cpu_seconds(), time.monotonic()
        while time.monotonic() - last_at < QUIET_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._brake.is_held(Holder.GUARD):
                return
            if (now_used := self._brake.cpu_seconds()) > used:
                used, last_at = now_used, time.monotonic()
        seconds = last_at - heard_at
        metrics.RECLAIM_SECONDS.observe(seconds)
        self._measured.append(fleet_pb2.Reclaim(reason=reason, seconds=seconds))
        _log.info("reclaimed", reason=reason, seconds=round(seconds, 4))
        self._on_measured()
