"""Sessions: one stream a vehicle, the newest wins, and who does not read loses it."""

import asyncio
import time
from collections.abc import AsyncIterator

import grpc

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_operator.door.sessions import NOT_READ, REPLACED, Ending, Session, Sessions
from parkade_operator.door.tls import Identity

V1 = Identity("v1")
BACKLOG = 1024


class Stream:
    """What a vehicle sends: messages as the test puts them, until it hangs up."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[pb.VehicleMessage | None] = asyncio.Queue()
        self.heard: asyncio.Queue[tuple[Session, str]] = asyncio.Queue()

    def say(self, word: str) -> None:
        """Sends a message."""
        self._messages.put_nowait(pb.VehicleMessage(hello=pb.Hello(agent_version=word)))

    def hang_up(self) -> None:
        """Ends the vehicle's side."""
        self._messages.put_nowait(None)

    async def incoming(self) -> AsyncIterator[pb.VehicleMessage]:
        """The vehicle's side of the stream."""
        while (message := await self._messages.get()) is not None:
            yield message

    def receive(self, session: Session, message: pb.VehicleMessage) -> None:
        """Keeps what a session handed on."""
        self.heard.put_nowait((session, message.hello.agent_version))


def message(uid: str) -> pb.GatewayMessage:
    """A message to a vehicle."""
    return pb.GatewayMessage(end_assignment=pb.EndAssignment(pod_uid=uid))


async def sent(session: Session, stream: Stream) -> list[str]:
    """Everything that the session sends until it ends."""
    words: list[str] = []

    async def write(item: pb.GatewayMessage) -> None:
        words.append(item.end_assignment.pod_uid)

    async with asyncio.timeout(10):
        await session.converse(stream.incoming(), stream.receive, write)
    return words


async def test_a_session_says_what_was_sent_before_it_ends() -> None:
    """Messages arrive in order, all that were queued before the end, and none after it."""
    session = Sessions().enter(V1)
    for uid in "abc":
        session.send(message(uid))
    session.end()
    session.send(message("late"))
    assert await sent(session, Stream()) == ["a", "b", "c"]


async def test_a_session_hears_the_vehicle_until_it_hangs_up() -> None:
    """Every message is handed on, and the end of the vehicle's stream ends the session."""
    session, stream = Sessions().enter(V1), Stream()
    stream.say("one")
    stream.say("two")
    stream.hang_up()
    assert await sent(session, stream) == []
    assert [stream.heard.get_nowait() for _ in range(2)] == [(session, "one"), (session, "two")]


async def test_the_newest_session_wins() -> None:
    """A vehicle that dials again has lost the older session: it ends, and messages go to the newer one."""
    sessions, stream = Sessions(), Stream()
    older = sessions.enter(V1)
    listening = asyncio.create_task(sent(older, stream))
    await asyncio.sleep(0)
    newer = sessions.enter(V1)
    assert await listening == []
    assert older.ending is REPLACED
    assert sessions.send("v1", message("a"))
    newer.end()
    assert (sessions.get("v1"), await sent(newer, Stream())) == (newer, ["a"])


async def test_an_older_session_does_not_close_a_newer_one() -> None:
    """Only the open session's end means that the vehicle has none."""
    sessions = Sessions()
    older, newer = sessions.enter(V1), sessions.enter(V1)
    assert not sessions.leave(older)
    assert sessions.get("v1") is newer
    assert sessions.leave(newer)
    assert sessions.get("v1") is None
    assert not sessions.leave(newer)
    assert not sessions.send("v1", message("a"))


async def test_vehicles_do_not_share_sessions() -> None:
    """A message reaches the vehicle that it is for."""
    sessions = Sessions()
    first, second = sessions.enter(V1), sessions.enter(Identity("v2"))
    sessions.send("v2", message("a"))
    first.end()
    second.end()
    assert (await sent(first, Stream()), await sent(second, Stream())) == ([], ["a"])


async def test_a_vehicle_that_does_not_keep_up_loses_its_session() -> None:
    """Its backlog is dropped and nothing more is kept for it or heard of it, so it counts as silent."""
    session, stream = Sessions().enter(V1), Stream()
    for _ in range(3 * BACKLOG):
        session.send(message("unread"))
    stream.say("still alive")
    assert await sent(session, stream) == []
    assert session.ending is NOT_READ
    assert stream.heard.empty()


async def test_a_message_that_nobody_reads_ends_the_session() -> None:
    """A write that does not come to an end is given up, so that no vehicle holds a session by doing nothing."""
    session, stream = Sessions().enter(V1), Stream()
    session.send(message("unread"))
    began = time.monotonic()

    async def write(_: pb.GatewayMessage) -> None:
        await asyncio.Event().wait()

    await session.converse(stream.incoming(), stream.receive, write, unread_seconds=0.2)
    assert session.ending is NOT_READ
    assert time.monotonic() - began < 5


async def test_the_first_reason_of_an_end_stands() -> None:
    """Whoever ends a session first says why."""
    sessions = Sessions()
    session = sessions.enter(V1)
    revoked = Ending(grpc.StatusCode.UNAUTHENTICATED, "revoked")
    assert sessions.all() == [session]
    session.end(revoked)
    session.end(REPLACED)
    assert session.ending is revoked
