"""Logs of slots for whoever may read them: asked for on the session, answered by a stream of their own."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, closing
from typing import BinaryIO, Final

import grpc
import structlog

from parkade_agent.door import Door
from parkade_agent.runtime.output import ContainerLog, Output, stamp
from parkade_api.proto.fleet.v1 import fleet_pb2
from parkade_core.logs import select, shown

MOST_ANSWERS: Final = 8
CHUNK_BYTES: Final = 64 * 1024
_NANOSECONDS_A_MILLISECOND: Final = 1_000_000
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
        tape = _Tape(output)
    except OSError as error:
        yield fleet_pb2.LogChunk(request=request.request, error=f"the log cannot be read: {error.strerror}")
        return
    left = request.limit_bytes if request.HasField("limit_bytes") else sys.maxsize
    with closing(tape):
        yield fleet_pb2.LogChunk(request=request.request)
        async with aclosing(_read(output, tape, request)) as read:
            async for data in read:
                for start in range(0, min(left, len(data)), CHUNK_BYTES):
                    yield fleet_pb2.LogChunk(data=data[start : min(left, start + CHUNK_BYTES)])
                if (left := left - len(data)) <= 0:
                    break
    yield fleet_pb2.LogChunk(last=True)


async def _read(output: Output, tape: "_Tape", request: fleet_pb2.ReadLogs) -> AsyncGenerator[bytes, None]:
    """The lines there are, then, for a follower, those that come until the run ends."""
    since = stamp(request.since_unix_milliseconds * _NANOSECONDS_A_MILLISECOND)
    tail = request.tail_lines if request.HasField("tail_lines") else None
    changed = output.next()
    lines = select(tape.everything(), since, tail)
    yield b"".join(shown(line, timestamps=request.timestamps) for line in lines)
    is_over = not request.follow
    while not is_over:
        if not output.is_over:
            await changed.wait()
        # The end is looked at before the lines, so that the last ones are never missed.
        changed, is_over = output.next(), output.is_over
        lines = select(tape.more(), since, None)
        yield b"".join(shown(line, timestamps=request.timestamps) for line in lines)


class _Tape:
    """A reader's place in an output. The files change while it reads: what it has open stays."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._file: BinaryIO = output.path.open("rb")
        self._generation = output.generation

    def everything(self) -> Iterator[bytes]:
        """All lines that are kept now, once."""
        self._reopen()
        yield from self._older()
        yield from self._file

    def more(self) -> Iterator[bytes]:
        """The lines that came since the last look."""
        yield from self._file
        if (missed := self._output.generation - self._generation) > 0:
            self._reopen()
            if missed > 1:
                yield from self._older()
            yield from self._file

    def _reopen(self) -> None:
        self._file.close()
        self._file, self._generation = self._output.path.open("rb"), self._output.generation

    def _older(self) -> Iterator[bytes]:
        if self._output.older.exists():
            with self._output.older.open("rb") as older:
                yield from older

    def close(self) -> None:
        """Closes what is open."""
        self._file.close()
