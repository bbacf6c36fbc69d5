"""The agent's session outlives whatever happens to its channel."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from itertools import count

from parkade_agent.door import Door, Keys, open_channel
from parkade_agent.identity.keys import new_key, request_for
from parkade_agent.session import Session, Voice
from parkade_agent.wire import handback, held_leases
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority, requested_key
from parkade_operator.door.tls import Identity
from support.doors import Context, EchoDoor, open_port

AUTHORITY = Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"])


class CountingDoor(EchoDoor):
    """Welcomes every session and knows how each came to its end."""

    def __init__(self) -> None:
        self.opened: asyncio.Queue[int] = asyncio.Queue()
        self.goodbyes = 0

    async def Session(  # type: ignore[override] # noqa: N802
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        """Serves one session until the vehicle ends it."""
        del context
        self.opened.put_nowait(1)
        yield pb.GatewayMessage(welcome=pb.Welcome(beat_seconds=1))
        async for _ in request_iterator:
            continue
        self.goodbyes += 1


def identity(port: int) -> Keys:
    """A key and certificate for the door at *port*."""
    key = new_key()
    certificate = AUTHORITY.sign(requested_key(request_for(key)), Identity("ada"))
    return Keys(f"127.0.0.1:{port}", AUTHORITY.certificate, key, certificate)


async def test_another_certificate_is_another_session() -> None:
    """With new keys it says good-bye and dials again; a channel that is closed under it makes it dial, not die."""
    counting = CountingDoor()
    credentials = AUTHORITY.port_credentials(vehicles_only=True)
    async with open_port(counting, credentials) as port, asyncio.timeout(30):
        door = Door(open_channel(identity(port)))
        session = Session(door, Voice(pb.Hello, pb.Telemetry, lambda _: None), 1.0)
        running = asyncio.create_task(session.run())
        await counting.opened.get()
        await door.change(identity(port))
        session.reopen()
        await counting.opened.get()
        assert counting.goodbyes == 1
        for _ in range(2):
            await door.change(identity(port))
        await counting.opened.get()
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        await door.close()


class EndingDoor(EchoDoor):
    """Ends the first session as soon as it has heard of the vehicle, and keeps what it is told in the next."""

    def __init__(self) -> None:
        self.sessions = 0
        self.told: asyncio.Queue[float] = asyncio.Queue()

    async def Session(  # type: ignore[override] # noqa: N802
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        """Serves one session."""
        del context
        self.sessions += 1
        is_first = self.sessions == 1
        yield pb.GatewayMessage(welcome=pb.Welcome())
        async for message in request_iterator:
            if message.HasField("telemetry"):
                if is_first:
                    return
                self.told.put_nowait(message.telemetry.energy_wh_today)


async def test_a_session_that_was_ended_takes_nothing_from_the_next() -> None:
    """What is told once, as a reclaim is, is told in the session that is open."""
    ending, numbers = EndingDoor(), count()
    voice = Voice(pb.Hello, lambda: pb.Telemetry(energy_wh_today=next(numbers)), lambda _: None)
    credentials = AUTHORITY.port_credentials(vehicles_only=True)
    async with open_port(ending, credentials) as port, asyncio.timeout(30):
        door = Door(open_channel(identity(port)))
        running = asyncio.create_task(Session(door, voice, 3.0).run())
        assert [await ending.told.get() for _ in range(2)] == [1, 2]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await door.close()


class ListeningDoor(EchoDoor):
    """Welcomes every session and tells what it has heard in it, from Hello on."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[pb.VehicleMessage] = asyncio.Queue()

    async def Session(  # type: ignore[override] # noqa: N802
        self, request_iterator: AsyncIterator[pb.VehicleMessage], context: Context
    ) -> AsyncIterator[pb.GatewayMessage]:
        """Serves one session until the vehicle ends it."""
        del context
        yield pb.GatewayMessage(welcome=pb.Welcome(beat_seconds=1))
        async for message in request_iterator:
            if not message.HasField("telemetry"):
                self.heard.put_nowait(message)


async def test_what_a_session_took_just_before_its_end_is_said_again() -> None:
    """Once, with its lease named in that Hello: so it is heard if it was not before."""
    listening, back = ListeningDoor(), handback("batch", "lease", [7], "SidecarLost")
    credentials = AUTHORITY.port_credentials(vehicles_only=True)
    async with open_port(listening, credentials) as port, asyncio.timeout(30):
        door, welcomed = Door(open_channel(identity(port))), asyncio.Event()
        session = Session(door, Voice(lambda: hello(session), pb.Telemetry, lambda _: welcomed.set()), 1.0)
        running = asyncio.create_task(session.run())
        await welcomed.wait()
        session.keep_saying(back)
        session.reopen()
        said = [await listening.heard.get() for _ in range(4)]
        session.reopen()
        said.append(await listening.heard.get())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await door.close()
    assert [[held.lease for held in each.hello.leases] for each in said[::2]] == [[], ["lease"], []]
    assert said[1::2] == [back, back]


def hello(session: Session) -> pb.Hello:
    """Names the leases of what the next session says."""
    return pb.Hello(leases=held_leases((), session.unsaid()))
