"""The session with the gateway: says hello, keeps telling, hears orders, and comes back for ever when it is cut."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import grpc
import structlog

from parkade_agent.backoff import delays
from parkade_agent.door import Door, SessionCall
from parkade_agent.signals.heard import boottime
from parkade_api.proto.fleet.v1 import fleet_pb2

_GOODBYE = fleet_pb2.VehicleMessage()
_STEADY_SECONDS = 10.0
DOUBT_SECONDS = 60.0
"""What a session took in so many seconds before its end may have been heard by nobody: far longer than it takes to know
that the other side is gone."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Voice:
    """What the session asks of the agent, each time anew."""

    hello: Callable[[], fleet_pb2.Hello]
    telemetry: Callable[[], fleet_pb2.Telemetry]
    hear: Callable[[fleet_pb2.GatewayMessage], None]


class Session:
    """One vehicle's connection. `run` never returns; everything else is called in its event loop.

    `is_open` says whether a gateway has welcomed the session.
    """

    def __init__(self, door: Door, voice: Voice, beat_seconds: float) -> None:
        self._door = door
        self._voice = voice
        self._beat_seconds = beat_seconds
        self._outbox: asyncio.Queue[fleet_pb2.VehicleMessage | None] | None = None
        self._kept: deque[fleet_pb2.VehicleMessage] = deque()
        self._said: deque[tuple[float, fleet_pb2.VehicleMessage]] = deque()
        self.is_open = False
        self._heard_at = boottime()

    @property
    def silent_seconds(self) -> float:
        """For how long the gateway was not heard, the computer's sleep included; 0 while a session is open."""
        return 0.0 if self.is_open else boottime() - self._heard_at

    def say(self, message: fleet_pb2.VehicleMessage) -> None:
        """Sends a message now, or never: Hello repeats what matters after a cut."""
        if self._outbox is not None:
            self._outbox.put_nowait(message)

    def keep_saying(self, message: fleet_pb2.VehicleMessage) -> None:
        """Sends a message now, or in the next session that opens.

        One that a session took in the last DOUBT_SECONDS of its life is said again in the next: it may have been dead
        already, as nobody knew yet. So whoever hears it must bear to hear it twice.
        """
        if not self.is_open:
            self._kept.append(message)
            return
        self.say(message)
        self._said.append((asyncio.get_running_loop().time(), message))
        self._forget_heard()

    def unsaid(self) -> tuple[fleet_pb2.VehicleMessage, ...]:
        """What is said when the next session opens."""
        return tuple(self._kept)

    def reopen(self) -> None:
        """Says good-bye, and comes back as whoever the vehicle is then."""
        if self._outbox is not None:
            self._outbox.put_nowait(_GOODBYE)

    def tell(self) -> None:
        """Sends telemetry at once, because a verdict changed."""
        if self._outbox is not None:
            self._outbox.put_nowait(None)

    async def run(self) -> None:
        """Opens session after session."""
        loop = asyncio.get_running_loop()
        waits = delays(0.2, 5.0)
        while True:
            began = loop.time()
            # Two vehicles with one key would else drive each other out as fast as they can dial.
            if await self._one() and loop.time() - began >= _STEADY_SECONDS:
                waits = delays(0.2, 5.0)
            delay = next(waits)
            _log.info("reconnecting", seconds=delay)
            await asyncio.sleep(delay)

    async def _one(self) -> bool:
        """One session from hello to its end; true when it was welcomed."""
        outbox: asyncio.Queue[fleet_pb2.VehicleMessage | None] = asyncio.Queue()
        call = self._door.session(self._messages(outbox))
        welcomed = False
        try:
            async for message in call:
                if message.HasField("welcome"):
                    welcomed = True
                    self._open(message.welcome)
                self._voice.hear(message)
            _log.info("the gateway ended the session")
        except grpc.aio.AioRpcError as error:
            _log.info("session cut", code=error.code().name, details=error.details())
        except asyncio.CancelledError:
            # A channel that is closed cancels its calls; only who cancels this task ends it.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
        finally:
            self._close(call)
        return welcomed

    def _open(self, welcome: fleet_pb2.Welcome) -> None:
        if welcome.beat_seconds:
            self._beat_seconds = float(welcome.beat_seconds)
        self.is_open = True
        while self._kept:
            self.say(self._kept.popleft())
        _log.info("session open", gateway_version=welcome.gateway_version)

    def _close(self, call: SessionCall) -> None:
        self._outbox = None
        if self.is_open:
            self.is_open, self._heard_at = False, boottime()
            self._forget_heard()
            self._kept.extend(message for _, message in self._said)
            self._said.clear()
        call.cancel()

    def _forget_heard(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._said and now - self._said[0][0] >= DOUBT_SECONDS:
            self._said.popleft()

    async def _messages(
        self, outbox: asyncio.Queue[fleet_pb2.VehicleMessage | None]
    ) -> AsyncIterator[fleet_pb2.VehicleMessage]:
        loop = asyncio.get_running_loop()
        hello = self._voice.hello()
        self._outbox = outbox
        yield fleet_pb2.VehicleMessage(hello=hello)
        # A call that the other side has ended lets this wait on; what the next session must tell is not for it.
        while self._outbox is outbox:
            yield fleet_pb2.VehicleMessage(telemetry=self._voice.telemetry())
            told_at = loop.time()
            while message := await self._next(outbox, told_at + self._beat_seconds - loop.time()):
                if message is _GOODBYE:
                    return
                yield message

    async def _next(
        self, outbox: asyncio.Queue[fleet_pb2.VehicleMessage | None], seconds: float
    ) -> fleet_pb2.VehicleMessage | None:
        """The next message, or None when telemetry is due."""
        try:
            return await asyncio.wait_for(outbox.get(), max(0.0, seconds))
        except TimeoutError:
            return None
