"""Sessions: one stream a vehicle. The newest wins, because a vehicle that dials again has lost the older one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door.tls import Identity

_LONGEST_BACKLOG = 1024
_log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Session:
    """The open connection of one vehicle. Nothing is sent or heard after `end`."""

    identity: Identity
    _outbox: asyncio.Queue[pb.GatewayMessage | None] = field(default_factory=asyncio.Queue)
    _ended: bool = False

    def send(self, message: pb.GatewayMessage) -> None:
        """Queues a message. A vehicle that does not read its messages loses the session."""
        if self._ended:
            return
        if self._outbox.qsize() < _LONGEST_BACKLOG:
            self._outbox.put_nowait(message)
        else:
            _log.warning("session dropped: the vehicle does not read", vehicle=self.identity.vehicle)
            self._outbox = asyncio.Queue()
            self.end()

    def end(self) -> None:
        """Ends the session, after the messages that are queued."""
        if not self._ended:
            self._ended = True
            self._outbox.put_nowait(None)

    async def converse(
        self,
        incoming: AsyncIterator[pb.VehicleMessage],
        receive: Callable[["Session", pb.VehicleMessage], None],
    ) -> AsyncIterator[pb.GatewayMessage]:
        """Hands every incoming message to *receive* and yields what is sent, until either side ends."""
        reading = asyncio.create_task(self._read(incoming, receive))
        try:
            while (message := await self._outbox.get()) is not None:
                yield message
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self,
        incoming: AsyncIterator[pb.VehicleMessage],
        receive: Callable[["Session", pb.VehicleMessage], None],
    ) -> None:
        try:
            async for message in incoming:
                if self._ended:
                    return
                receive(self, message)
        except Exception:
            # Only this vehicle's session ends; it may dial again.
            _log.exception("session failed", vehicle=self.identity.vehicle)
            raise
        finally:
            self.end()


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
            older.end()
        return session

    def leave(self, session: Session) -> bool:
        """Closes a session; False when a newer one of the vehicle is open."""
        if self._open.get(session.identity.vehicle) is not session:
            return False
        del self._open[session.identity.vehicle]
        return True
