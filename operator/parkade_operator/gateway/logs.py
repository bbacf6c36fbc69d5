"""Logs of slots: asked of the vehicle on its session, answered by a stream of its own, handed on to the reader.

Nothing is kept here: a reader that is slow makes the vehicle wait, and a reader that leaves ends the vehicle's stream.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_core.kubelet.pod import PodView
from parkade_core.logs import LogOptions
from parkade_core.vehicle import logs as words
from parkade_core.vehicle.node import vehicle_of
from parkade_operator.door.limits import FIRST_MESSAGE_SECONDS
from parkade_operator.door.sessions import Sessions
from parkade_operator.kube.client import Object
from parkade_operator.kubelet.api import Log, NoLogs
from parkade_operator.kubelet.pods import PodController

ANSWER_SECONDS = 4.0
"""Longest wait for the first word of a vehicle; with the ways there and back it stays below 5 seconds."""
_CHUNKS_AHEAD = 4
_MOST_CHUNK_BYTES = 256 * 1024


class NotAsked(Exception):
    """The vehicle answers what nobody asked of it, or not any more."""


class VehicleLogs:
    """The logs of all vehicles' pods; *silent_for* tells how many seconds ago a vehicle was last heard, if ever."""

    def __init__(
        self,
        sessions: Sessions,
        pods: PodController,
        silent_for: Callable[[str], float | None],
        new_id: Callable[[], str],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._pods = pods
        self._silent_for = silent_for
        self._new_id = new_id
        self._answer_seconds = answer_seconds
        self._answers: dict[str, _Answer] = {}  # by request

    def find(self, namespace: str, name: str) -> Object | None:
        """The slot's pod of that name, on whatever vehicle."""
        return self._pods.find(namespace, name)

    async def logs(self, pod: Object, container: str, options: LogOptions) -> Log:
        """The log as the vehicle sends it. Raises NoLogs."""
        vehicle = vehicle_of(pod["spec"]["nodeName"]) or ""
        request = _request(self._new_id(), pod, container, options)
        answer = self._answers[request.request] = _Answer(vehicle)
        try:
            if not self._sessions.send(vehicle, pb.GatewayMessage(read_logs=request)):
                raise NoLogs(words.offline(vehicle, self._heard_at(vehicle), self._view(pod)))
            yield await self._first(answer, pod)
            while (data := await answer.next()) is not None:
                yield data
        finally:
            self._answers.pop(request.request, None)
            answer.is_unwanted.set()

    async def answer(self, vehicle: str, chunks: AsyncIterator[pb.LogChunk]) -> None:
        """Takes a vehicle's stream; returns when it has ended or its reader has left. Raises NotAsked, TimeoutError."""
        first = await asyncio.wait_for(anext(aiter(chunks), None), FIRST_MESSAGE_SECONDS)
        answer = self._answers.get(first.request) if first is not None else None
        if first is None or answer is None or answer.vehicle != vehicle or answer.is_taken:
            raise NotAsked("nobody waits for this log")
        await answer.take(first, chunks)

    def end(self, vehicle: str) -> None:
        """Takes nothing more of what *vehicle* answers; its readers are told that the log was cut."""
        for answer in self._answers.values():
            if answer.vehicle == vehicle:
                answer.is_unwanted.set()

    async def _first(self, answer: "_Answer", pod: Object) -> bytes:
        try:
            return await asyncio.wait_for(answer.next(), self._answer_seconds) or b""
        except TimeoutError:
            raise NoLogs(words.unanswered(answer.vehicle, self._answer_seconds, self._view(pod))) from None

    def _heard_at(self, vehicle: str) -> str:
        silence = self._silent_for(vehicle)
        if silence is None:
            return ""
        return (datetime.now(UTC) - timedelta(seconds=silence)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _view(self, pod: Object) -> PodView:
        return self._pods.view(pod["metadata"]["uid"])


class _Answer:
    """One vehicle's stream on its way to one reader, a few chunks long."""

    def __init__(self, vehicle: str) -> None:
        self.vehicle = vehicle
        self.is_taken = False
        self.is_unwanted = asyncio.Event()
        self._room = asyncio.Semaphore(_CHUNKS_AHEAD)
        self._chunks: asyncio.Queue[pb.LogChunk | None] = asyncio.Queue()
        self._is_over = False

    async def take(self, first: pb.LogChunk, rest: AsyncIterator[pb.LogChunk]) -> None:
        """Hands on chunks as fast as they are read."""
        self.is_taken = True
        feeding = asyncio.create_task(self._feed(first, rest))
        leaving = asyncio.create_task(self.is_unwanted.wait())
        try:
            await asyncio.wait({feeding, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (feeding, leaving):
                task.cancel()
            await asyncio.gather(feeding, leaving, return_exceptions=True)
            self._chunks.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next data, or None at the log's end. Raises NoLogs."""
        if self._is_over:
            return None
        chunk = await self._chunks.get()
        self._room.release()
        if chunk is None:
            raise NoLogs(words.cut(self.vehicle))
        if chunk.error:
            raise NoLogs(chunk.error)
        self._is_over = chunk.last
        return chunk.data

    async def _feed(self, first: pb.LogChunk, rest: AsyncIterator[pb.LogChunk]) -> None:
        chunk: pb.LogChunk | None = first
        while chunk is not None and len(chunk.data) <= _MOST_CHUNK_BYTES:
            await self._room.acquire()
            self._chunks.put_nowait(chunk)
            if chunk.last or chunk.error:
                return
            chunk = await anext(rest, None)


def _request(name: str, pod: Object, container: str, options: LogOptions) -> pb.ReadLogs:
    return pb.ReadLogs(
        request=name,
        pod_uid=pod["metadata"]["uid"],
        container=container,
        follow=options.follow,
        previous=options.previous,
        timestamps=options.timestamps,
        tail_lines=options.tail_lines,
        since_unix_milliseconds=options.since_unix_milliseconds,
        limit_bytes=options.limit_bytes,
    )
