"""Events on vehicles' Nodes about what happened at the door; few, whatever a vehicle does."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from parkade_core.bucket import Limit
from parkade_operator.door.limits import Exhausted, Meter
from parkade_operator.kube.client import Object
from parkade_operator.kube.events import EventRecorder

_EACH: Final = Limit(rate=1 / 600, burst=1)
_MOST_WAITING: Final = 1000
_log = structlog.get_logger()


class Notices:
    """Writes at most one Event in ten minutes for each vehicle and reason."""

    def __init__(
        self,
        events: EventRecorder,
        node_of: Callable[[str], Object | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._node_of = node_of
        self._meter = Meter(_EACH, clock)
        self._waiting: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue(_MOST_WAITING)

    def warn(self, vehicle: str, reason: str, message: str) -> None:
        """Has a Warning written soon; one that comes too often is dropped."""
        try:
            self._meter.charge(f"{vehicle}/{reason}")
            self._waiting.put_nowait((vehicle, reason, message))
        except (Exhausted, asyncio.QueueFull):
            _log.debug("event dropped", vehicle=vehicle, reason=reason)

    async def work(self) -> None:
        """Writes until cancelled."""
        while True:
            vehicle, reason, message = await self._waiting.get()
            node = self._node_of(vehicle)
            if node is not None:
                # An object of a list does not say what it is.
                about = {"apiVersion": "v1", "kind": "Node", "metadata": node["metadata"]}
                await self._events.record(about, "Warning", reason, message)
