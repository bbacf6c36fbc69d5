"""Sessions: one stream a vehicle. The newest wins, because a vehicle that dials again has lost the older one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import grpc
import structlog

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door import metrics
from parkade_operator.door.limits import UNREAD_SECONDS
from parkade_operator.door.orders import Orders
from parkade_operator.door.tls import Identity

_LONGEST_BACKLOG = 1024
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the gateway ended a session, as the vehicle is told."""

    code: grpc.StatusCode
    words: str


NOT_READ = Ending(grpc.StatusCode.RESOURCE_EXHAUSTED, "the vehicle does not read what it is told")
REPLACED = Ending(grpc.StatusCode.ABORTED, "a newer session of this vehicle replaced this one")


@dataclass(eq=False, slots=True)
class Session:
    """The open connection of one vehicle. Nothing is sent or heard after `end`; `ending` says who wanted it and why."""

    identity: Identity
    orders: Orders = field(default_factory=Orders)
    assigned: set[str] = field(
        default_factory=set
    )  # uids of the pods that the vehicle runs, or was told to run
    ending: Ending | None = None
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
            self.end(NOT_READ)

    def end(self, ending: Ending | None = None) -> None:
        """Ends the session, after the messages that are queued; the first reason stands."""
        if not self._ended:
            self._ended = True
            self.ending = ending
            self._outbox.put_nowait(None)

    async def converse(
        self,
        incoming: AsyncIterator[pb.VehicleMessage],
        receive: Callable[["Session", pb.VehicleMessage], None],
        write: Callable[[pb.GatewayMessage], Awaitable[None]],
        unread_seconds: float = UNREAD_SECONDS,
    ) -> None:
        """Hands every incoming message to *receive* and every outgoing one to *write*, until either side ends.

        A message that takes *unread_seconds* to write was not read: it ends the session.
        """
        reading = asyncio.create_task(self._read(incoming, receive))
        try:
            while (message := await self._outbox.get()) is not None:
                await asyncio.wait_for(write(message), unread_seconds)
        except TimeoutError:
            _log.warning("session dropped: the vehicle does not read", vehicle=self.identity.vehicle)
            self.end(NOT_READ)
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

    def enter(self, identity: Identity, orders: Orders | None = None) -> Session:
        """Opens a session and ends the vehicle's older one; *orders* are those that follow its hello."""
        metrics.SESSIONS_OPENED.inc()
        session = Session(identity, orders or Orders())
        older = self._open.get(identity.vehicle)
        self._open[identity.vehicle] = session
        if older is not None:
            _log.info("session replaced by a newer one", vehicle=identity.vehicle)
            older.end(REPLACED)
        return session

    def all(self) -> list[Session]:
        """Every open session."""
        return list(self._open.values())

    def leave(self, session: Session) -> bool:
        """Closes a session; False when a newer one of the vehicle is open."""
        metrics.SESSIONS_ENDED.labels(session.ending.code.name if session.ending else "OK").inc()
        if self._open.get(session.identity.vehicle) is not session:
            return False
        del self._open[session.identity.vehicle]
        return True
