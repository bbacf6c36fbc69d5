"""The lanes that the guard leaves to the slot: told to the sidecar while it serves, which is never stopped for them.

The guard takes lanes away at once and gives them back one by one; here they are only passed on.
"""

import asyncio
from pathlib import Path
from typing import Final

import grpc
import structlog

from parkade_api.proto.vehicle.v1 import vehicle_pb2, vehicle_pb2_grpc
from parkade_core.vehicle.guard import GuardState

ANSWER_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.5
_OPTIONS: Final = (("grpc.max_reconnect_backoff_ms", 500),)
_log = structlog.get_logger()


class LentLanes:
    """Most records that a sidecar may run at once: *lent* by the vehicle, fewer while the guard says so."""

    def __init__(self, lent: int) -> None:
        self._lent = lent
        self._changed = asyncio.Event()
        self.now = lent

    @property
    def at_start(self) -> int:
        """With how many a sidecar is started: it has at least one, and is told of none when it serves."""
        return max(1, self.now)

    def guard_acted(self, state: GuardState) -> None:
        """The guard has decided *state* and has acted."""
        lanes = self._lent if state.lanes is None else min(self._lent, state.lanes)
        if lanes != self.now:
            self.now = lanes
            self._changed.set()

    def sidecar_serves(self) -> None:
        """A sidecar serves that was started some time ago: it may not know how many lanes there are now."""
        self._changed.set()

    async def keep(self, socket: Path) -> None:
        """Tells the sidecar on *socket* of every change, again until it answers; returns never."""
        async with grpc.aio.insecure_channel(f"unix:{socket}", options=_OPTIONS) as channel:
            stub = vehicle_pb2_grpc.LanesStub(channel)
            while True:
                await self._changed.wait()
                self._changed.clear()
                if not await _tell(stub, self.now):
                    self._changed.set()
                    await asyncio.sleep(RETRY_SECONDS)


async def _tell(stub: "vehicle_pb2_grpc.LanesAsyncStub", lanes: int) -> bool:
    """Whether the sidecar has that many lanes now. One that is frozen, or is being started, does not answer."""
    try:
        reply = await stub.Set(vehicle_pb2.SetLanesRequest(lanes=lanes), timeout=ANSWER_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    if reply.lanes != reply.lanes_before:
        _log.info(
            "lanes", before=reply.lanes_before, now=reply.lanes, wanted=lanes, runs_ended=reply.runs_ended
        )
    return True
