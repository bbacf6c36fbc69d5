"""The gateway's end of a log: asked on a session, answered by that vehicle only, never more than a few chunks here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.kubelet.pod import ContainerView, PodView
from parkade_core.logs import LogOptions
from parkade_core.vehicle.pod import slot_rules
from parkade_operator.door.sessions import Session, Sessions
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.logs import NotAsked, VehicleLogs
from parkade_operator.kube.events import EventRecorder
from parkade_operator.kubelet.api import NoLogs
from parkade_operator.kubelet.pods import PodController
from support.apiserver import serving
from support.objects import slot_pod

POD = slot_pod()
AHEAD = 5  # chunks that may be on their way


class Desk:
    """The logs of one gateway with one slot on vehicle v1, and what its session was told."""

    def __init__(self, pods: PodController, answer_seconds: float = 10.0) -> None:
        self.pods = pods
        self.sessions = Sessions()
        self.logs = VehicleLogs(self.sessions, pods, lambda _: 60.0, iter("abc").__next__, answer_seconds)

    async def asked(self, session: Session) -> pb.ReadLogs:
        """What the vehicle hears."""
        async with asyncio.timeout(5):
            message = await session._outbox.get()
        assert message is not None
        return message.read_logs


class Vehicle:
    """A vehicle's stream; `sent` counts what the gateway has taken of it."""

    def __init__(self, *chunks: pb.LogChunk, stays: bool = False) -> None:
        self._chunks = chunks
        self._stays = stays
        self.sent = 0

    async def stream(self) -> AsyncIterator[pb.LogChunk]:
        """The chunks, and then the end, or nothing for ever."""
        for chunk in self._chunks:
            yield chunk
            self.sent += 1
        if self._stays:
            await asyncio.Event().wait()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A gateway that knows one pod."""
    async with serving(tmp_path) as (_, client):
        events = EventRecorder(client, "test")
        pods = PodController(client, lambda _: True, slot_rules("127.0.0.1"), events, lambda: None)
        pods._take(POD, True)
        yield Desk(pods)


def chunks(count: int, **first: object) -> list[pb.LogChunk]:
    """An answer to request a of *count* chunks, then its end."""
    body = [pb.LogChunk(data=b"%d\n" % number) for number in range(count)]
    return [pb.LogChunk(request="a", **first), *body, pb.LogChunk(last=True)]  # type: ignore[arg-type]


async def read(desk: Desk, options: LogOptions = LogOptions()) -> bytes:  # noqa: B008 - it is frozen
    """The whole log of the runner."""
    return b"".join([chunk async for chunk in desk.logs.logs(POD, "runner", options)])


async def test_the_vehicle_is_asked_and_its_answer_is_handed_on(desk: Desk) -> None:
    """Every option arrives in the vehicle, every byte at the reader, in order."""
    session = desk.sessions.enter(Identity("v1"))
    options = LogOptions(
        tail_lines=0, since_unix_milliseconds=5, limit_bytes=9, timestamps=True, previous=True
    )
    reading = asyncio.create_task(read(desk, options))
    request = await desk.asked(session)
    expected = pb.ReadLogs(
        request="a", pod_uid="pod-1", container="runner", tail_lines=0, since_unix_milliseconds=5
    )
    expected.MergeFrom(pb.ReadLogs(limit_bytes=9, timestamps=True, previous=True))
    assert request == expected
    assert request.HasField("tail_lines")
    await desk.logs.answer("v1", Vehicle(*chunks(100)).stream())
    assert await reading == b"".join(b"%d\n" % number for number in range(100))


async def test_a_vehicle_without_a_session_is_offline_in_words(desk: Desk) -> None:
    """The reader learns since when, and how the slot stood last."""
    desk.pods.tell("pod-1", PodView({"runner": ContainerView("Running")}))
    with pytest.raises(
        NoLogs, match=r"vehicle v1 is offline since 20.*Z; its last slot status was: runner Running"
    ):
        await read(desk)


async def test_a_vehicle_that_says_nothing_is_waited_for_a_moment(desk: Desk) -> None:
    """The wait is bounded, and an answer that comes later is nobody's."""
    desk = Desk(desk.pods, answer_seconds=0.2)
    desk.sessions.enter(Identity("v1"))
    with pytest.raises(NoLogs, match=r"did not answer within 0\.2 seconds; it has said nothing of this slot"):
        await read(desk)
    with pytest.raises(NotAsked):
        await desk.logs.answer("v1", Vehicle(*chunks(1)).stream())


@pytest.mark.parametrize(("vehicle", "request_"), [("v2", "a"), ("v1", "b"), ("v1", "")])
async def test_nobody_answers_for_another_vehicle(desk: Desk, vehicle: str, request_: str) -> None:
    """A log comes only from the vehicle that was asked, for the request that it was asked by, and once."""
    session = desk.sessions.enter(Identity("v1"))
    reading = asyncio.create_task(read(desk))
    await desk.asked(session)
    with pytest.raises(NotAsked):
        await desk.logs.answer(vehicle, Vehicle(pb.LogChunk(request=request_, last=True)).stream())
    answering = asyncio.create_task(desk.logs.answer("v1", Vehicle(*chunks(1), stays=True).stream()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(NotAsked):
        await desk.logs.answer("v1", Vehicle(*chunks(9)).stream())
    assert await reading == b"0\n"
    await answering


async def test_a_slow_reader_makes_the_vehicle_wait(desk: Desk) -> None:
    """Only a few chunks are ever here; a reader that leaves ends the vehicle's stream."""
    session = desk.sessions.enter(Identity("v1"))
    log = desk.logs.logs(POD, "runner", LogOptions(follow=True))
    first = asyncio.create_task(anext(log))
    await desk.asked(session)
    vehicle = Vehicle(*chunks(1000), stays=True)
    answering = asyncio.create_task(desk.logs.answer("v1", vehicle.stream()))
    assert await first == b""
    for taken in range(20):
        assert await anext(log) == b"%d\n" % taken
        assert vehicle.sent <= taken + 2 + AHEAD
    await log.aclose()
    async with asyncio.timeout(5):
        await answering
    assert vehicle.sent < 30


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([pb.LogChunk(request="a", error="container runner is waiting to start")], "waiting to start"),
        (chunks(2)[:-1], "connection to vehicle v1 was cut"),
        ([pb.LogChunk(request="a"), pb.LogChunk(data=b"x" * 300_000)], "was cut"),
    ],
)
async def test_an_answer_that_is_none_is_told(desk: Desk, answer: list[pb.LogChunk], words: str) -> None:
    """A refusal is the vehicle's own sentence; a stream without its end, or with oversized pieces, was cut."""
    session = desk.sessions.enter(Identity("v1"))
    reading = asyncio.create_task(read(desk))
    await desk.asked(session)
    await desk.logs.answer("v1", Vehicle(*answer).stream())
    with pytest.raises(NoLogs, match=words):
        await reading


async def test_a_vehicle_that_was_revoked_answers_no_more(desk: Desk) -> None:
    """Its stream is over, though it would go on, and the reader is told; other vehicles' logs are not touched."""
    session = desk.sessions.enter(Identity("v1"))
    log = desk.logs.logs(POD, "runner", LogOptions(follow=True))
    begin = asyncio.create_task(anext(log))
    await desk.asked(session)
    answering = asyncio.create_task(desk.logs.answer("v1", Vehicle(*chunks(1)[:-1], stays=True).stream()))
    assert await begin == b""
    desk.logs.end("v2")
    assert await anext(log) == b"0\n"
    desk.logs.end("v1")
    await answering
    with pytest.raises(NoLogs):
        await anext(log)


async def test_a_session_that_breaks_ends_the_log(desk: Desk) -> None:
    """The vehicle's call is cancelled in the middle: the reader is told, and waits for nothing."""
    session = desk.sessions.enter(Identity("v1"))
    log = desk.logs.logs(POD, "runner", LogOptions(follow=True))
    begin = asyncio.create_task(anext(log))
    await desk.asked(session)
    answering = asyncio.create_task(desk.logs.answer("v1", Vehicle(*chunks(1)[:-1], stays=True).stream()))
    assert (await begin, await anext(log)) == (b"", b"0\n")
    answering.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await answering
    with pytest.raises(NoLogs, match="was cut"):
        async with asyncio.timeout(5):
            await anext(log)


async def test_a_pod_is_found_by_its_name(desk: Desk) -> None:
    """Of two pods of one name, the one that stays is meant; other names and namespaces have none."""
    meta = POD["metadata"]
    desk.pods._take(slot_pod(uid="pod-0", deletionTimestamp="2026-01-01T00:00:00Z"), True)
    assert desk.logs.find("team", meta["name"]) == POD
    assert desk.logs.find("other", meta["name"]) is None
    assert desk.logs.find("team", "other") is None
