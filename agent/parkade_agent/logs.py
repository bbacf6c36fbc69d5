"""Logs of slots for whoever may read them: asked for on the session, answered by a stream of their own."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, closing
from typing import Final

import grpc
import structlog

from parkade_agent.door import Door
from parkade_agent.runtime.output import ContainerLog, Output
from parkade_agent.runtime.tape import Tape, read
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.logs import LogOptions

MOST_ANSWERS: Final = 8
CHUNK_BYTES: Final = 64 * 1024
_log = structlog.get_logger()

Logs = Mapping[str, ContainerLog]  # by container


class LogAnswers:
    """Answers ReadLogs by `Fleet.Logs`, a few at a time. Used in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, request: fleet_pb2.ReadLogs, logs: Logs | None) -> None:
        """Answers with the logs of a slot; None when the vehicle has no such slot any more."""
        is_busy = len(self._tasks) >= MOST_ANSWERS
        task = asyncio.create_task(self._answer(request, logs, is_busy=is_busy))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends every answer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, request: fleet_pb2.ReadLogs, logs: Logs | None, *, is_busy: bool) -> None:
        output = _output(request, logs)
        if is_busy:
            output = f"the vehicle sends {MOST_ANSWERS} logs already"
        chunks = _refusal(request, output) if isinstance(output, str) else _chunks(request, output)
        try:
            async with aclosing(chunks):
                await self._door.send_log(chunks)
        except grpc.aio.AioRpcError as error:
            # The reader asks again if it still wants to know.
            _log.info("log not sent", code=error.code().name, details=error.details())


def _output(request: fleet_pb2.ReadLogs, logs: Logs | None) -> Output | str:
    """The output that is asked for, or why there is none."""
    if logs is None:
        return "the vehicle has no such slot any more"
    if (log := logs.get(request.container)) is None:
        return f"a slot has no container {request.container}; it has {' and '.join(sorted(logs))}"
    if (output := log.run(previous=request.previous)) is not None:
        return output
    if request.previous:
        return (
            f"container {request.container} was not restarted in this slot: there is no log before this one"
        )
    return f"container {request.container} is waiting to start"


async def _refusal(request: fleet_pb2.ReadLogs, why: str) -> AsyncGenerator[fleet_pb2.LogChunk, None]:
    yield fleet_pb2.LogChunk(request=request.request, error=why)


async def _chunks(request: fleet_pb2.ReadLogs, output: Output) -> AsyncGenerator[fleet_pb2.LogChunk, None]:
    try:
        tape = Tape(output)
    except OSError as error:
        yield fleet_pb2.LogChunk(request=request.request, error=f"the log cannot be read: {error.strerror}")
        return
    left = request.limit_bytes if request.HasField("limit_bytes") else sys.maxsize
    with closing(tape):
        yield fleet_pb2.LogChunk(request=request.request)
        async with aclosing(read(tape, _options(request))) as lines:
            async for data in lines:
                for start in range(0, min(left, len(data)), CHUNK_BYTES):
                    yield fleet_pb2.LogChunk(data=data[start : min(left, start + CHUNK_BYTES)])
                if (left := left - len(data)) <= 0:
                    break
    yield fleet_pb2.LogChunk(last=True)


def _options(request: fleet_pb2.ReadLogs) -> LogOptions:
    return LogOptions(
        follow=request.follow,
        timestamps=request.timestamps,
        tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
        since_unix_milliseconds=request.since_unix_milliseconds or None,
    )
