"""Sessions: one stream a vehicle. The newest wins, because a vehicle that dials again has lost the older one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door.tls import Identity

_LONGEST_BACKLOG = 1024
_log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Session:
    """The open connection of one vehicle."""

    identity: Identity
    outbox: asyncio.Queue[pb.GatewayMessage] = field(default_factory=lambda: asyncio.Queue(_LONGEST_BACKLOG))
    replaced: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, message: pb.GatewayMessage) -> None:
        """Queues a message. A vehicle that does not read its messages loses the session."""
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull:
            _log.warning("session dropped: the vehicle does not read", vehicle=self.identity.vehicle)
            self.replaced.set()


class Sessions:
    """All open sessions by vehicle."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def get(self, vehicle: str) -> Session | None:
        """The open session of *vehicle*."""
        return self._open.get(vehicle)

    def send(self, vehicle: str, message: pb.GatewayMessage) -> bool:
        """Queues a message for *vehicle*; False when it has no session."""
        session = self._open.get(vehicle)
        if session is not None:
            session.send(message)
        return session is not None

    def enter(self, identity: Identity) -> Session:
        """Opens a session and ends the vehicle's older one."""
        session = Session(identity)
        older = self._open.get(identity.vehicle)
        self._open[identity.vehicle] = session
        if older is not None:
            _log.info("session replaced by a newer one", vehicle=identity.vehicle)
            older.replaced.set()
        return session

    def leave(self, session: Session) -> bool:
        """Closes a session; False when a newer one of the vehicle is open."""
        if self._open.get(session.identity.vehicle) is not session:
            return False
        del self._open[session.identity.vehicle]
        return True


async def pump(
    session: Session,
    incoming: AsyncIterator[pb.VehicleMessage],
    outgoing: Callable[[pb.GatewayMessage], Awaitable[None]],
    receive: Callable[[Session, pb.VehicleMessage], None],
) -> None:
    """Moves messages both ways until either end closes or a newer session replaces this one."""

    async def read() -> None:
        async for message in incoming:
            receive(session, message)

    async def write() -> None:
        while True:
            await outgoing(await session.outbox.get())

    tasks = [asyncio.create_task(part) for part in (read(), write(), _wait(session.replaced))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
