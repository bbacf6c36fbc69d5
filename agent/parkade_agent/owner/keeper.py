"""Keeps the owner informed and obeyed: shows what the guard decided, and wipes when consent was revoked."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from parkade_agent.errors import AgentError
from parkade_agent.owner.follower import OwnerFollower
from parkade_agent.owner.receipts import Receipts
from parkade_agent.owner.view import view_of, write_view
from parkade_agent.owner.wiping import Wiped
from parkade_core.vehicle.facts import OwnFacts
from parkade_core.vehicle.guard import GuardState

LOOK_SECONDS: Final = 0.2
_SHOW_AGAIN_SECONDS: Final = 15.0  # energy and the numbers in sentences change although the decision stays
_RETRY_SECONDS: Final = 10.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Shown:
    """What the owner is shown of a vehicle, and whom the keeper tells to wipe it; each is asked anew."""

    name: Callable[[], str]
    guard: Callable[[], GuardState]
    own: Callable[[], OwnFacts]
    wipe: Callable[[], Awaitable[Wiped]]


class OwnerKeeper:
    """Runs in the agent's event loop; the guard stops work by itself before any of this."""

    def __init__(self, vehicle: Shown, follower: OwnerFollower, receipts: Receipts, view: Path) -> None:
        self._vehicle = vehicle
        self._follower = follower
        self._receipts = receipts
        self._view = view
        self._shown: GuardState | None = None
        self._show_at = 0.0

    async def keep(self) -> None:
        """Looks again and again as long as the agent lives; what is shown never waits for what is wiped."""
        async with asyncio.TaskGroup() as works:
            works.create_task(self._keep_showing())
            works.create_task(self._keep_wiping())

    async def _keep_showing(self) -> None:
        while True:
            self._show(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    async def _keep_wiping(self) -> None:
        while True:
            number = self._receipts.due(self._follower.word)
            if number is not None and not await self._is_wiped(number):
                await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    def _show(self, now: float) -> None:
        state = self._vehicle.guard()
        if state is self._shown and now < self._show_at:
            return
        self._shown, self._show_at = state, now + _SHOW_AGAIN_SECONDS
        try:
            name, own, pause = self._vehicle.name(), self._vehicle.own(), self._follower.word.pause_stamp
            view = view_of(name, state, own, self._follower.folder, pause, time.time())
            write_view(self._view, view)
        except OSError as error:
            _log.warning("the owner cannot be shown what the guard decided", error=str(error))

    async def _is_wiped(self, number: int) -> bool:
        """Wipes and signs that it did; false when that failed."""
        try:
            wiped = await self._vehicle.wipe()
            self._receipts.leave(number, wiped, time.time())
        except (AgentError, OSError) as error:
            _log.warning("not wiped, or no receipt", error=str(error))
            return False
        _log.info("wiped", revocation=number, files=wiped.files, bytes=wiped.size)
        return True
