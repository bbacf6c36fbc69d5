"""The agent's end of a log: captured from real programs, sent to a door on a real connection."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from typing_extensions import override

from parkade_agent.door import Door
from parkade_agent.logs import MOST_ANSWERS, LogAnswers
from parkade_agent.runtime.output import ContainerLog, Output
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_api.proto.fleet.v1 import fleet_pb2_grpc
from support.programs import start

SECOND = 1_000_000_000


@dataclass
class Reader(fleet_pb2_grpc.FleetServicer):
    """Takes answers as a gateway does; with *leaves_after* data chunks it leaves."""

    leaves_after: int | None = None
    chunks: asyncio.Queue[pb.LogChunk] = field(default_factory=asyncio.Queue)
    went: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def Logs(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.LogChunk], context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.LogsReply:
        left = self.leaves_after
        try:
            async for chunk in request_iterator:
                self.chunks.put_nowait(chunk)
                if left is not None and chunk.data and (left := left - 1) == 0:
                    break
        finally:
            self.went.set()
        return pb.LogsReply()

    async def hear(self, expected: bytes) -> None:
        """Returns when *expected* has come, in whatever pieces; fails when anything else comes."""
        data = b""
        async with asyncio.timeout(10):
            while data != expected:
                data += (await self.chunks.get()).data
                assert expected.startswith(data)

    async def whole(self) -> tuple[str, bytes, str]:
        """Request, data and error of one answer, which must be complete."""
        request, data = "", b""
        async with asyncio.timeout(10):
            while True:
                chunk = await self.chunks.get()
                request = request or chunk.request
                data += chunk.data
                if chunk.last or chunk.error:
                    return request, data, chunk.error


@contextlib.asynccontextmanager
async def answering(reader: Reader) -> AsyncIterator[LogAnswers]:
    """An agent's answers, connected to *reader*."""
    server = grpc.aio.server()
    fleet_pb2_grpc.add_FleetServicer_to_server(reader, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        answers = LogAnswers(Door(channel))
        try:
            yield answers
        finally:
            await answers.stop()
            await server.stop(grace=None)


@contextlib.contextmanager
def printed(folder: Path, count: int, most_bytes: int = 1 << 20) -> Iterator[ContainerLog]:
    """A container that has printed *count* lines, one a second from second 1 on, and runs."""
    log = ContainerLog(folder, "runner", most_bytes, itertools.count(SECOND, SECOND).__next__)
    with contextlib.closing(log.begin()) as output:
        for number in range(1, count + 1):
            output.write(f"line {number}\n".encode())
        yield log


def ask(**options: Any) -> pb.ReadLogs:
    """A request for the runner's log."""
    return pb.ReadLogs(request="r-1", pod_uid="pod-1", container="runner", **options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, b"line 1\nline 2\nline 3\n"),
        ({"tail_lines": 1}, b"line 3\n"),
        ({"tail_lines": 0}, b""),
        ({"since_unix_milliseconds": 2000}, b"line 2\nline 3\n"),
        ({"limit_bytes": 9}, b"line 1\nli"),
        ({"tail_lines": 1, "timestamps": True}, b"1970-01-01T00:00:03.000000000Z line 3\n"),
    ],
)
async def test_a_reader_gets_what_it_asked_for(
    tmp_path: Path, options: dict[str, Any], expected: bytes
) -> None:
    """Tail, since, limit and timestamps are applied in the vehicle; the answer names its request."""
    with printed(tmp_path, 3) as log:
        async with answering(reader := Reader()) as answers:
            answers.start(ask(**options), {"runner": log})
            assert await reader.whole() == ("r-1", expected, "")


@pytest.mark.parametrize(
    ("request_", "logs", "sentence"),
    [
        (ask(), None, "no such slot"),
        (pb.ReadLogs(container="web"), {"runner"}, "no container web; it has runner"),
        (ask(), {"runner"}, "waiting to start"),
        (ask(previous=True), {"runner"}, "was not restarted"),
    ],
)
async def test_a_log_that_is_not_there_is_refused_in_words(
    tmp_path: Path, request_: pb.ReadLogs, logs: set[str] | None, sentence: str
) -> None:
    """The first chunk is the last and says why."""
    async with answering(reader := Reader()) as answers:
        answers.start(
            request_, None if logs is None else {name: ContainerLog(tmp_path, name) for name in logs}
        )
        _, data, error = await reader.whole()
        assert data == b""
        assert sentence in error


async def test_a_follower_hears_every_line_until_the_run_ends(tmp_path: Path) -> None:
    """What is printed while a follower reads arrives in order, over changes of files, and the end is told."""
    with printed(tmp_path, 2, most_bytes=200) as log:
        output = log.run(previous=False)
        assert output is not None
        async with answering(reader := Reader()) as answers:
            answers.start(ask(follow=True, tail_lines=1), {"runner": log})
            await reader.hear(b"line 2\n")
            # The two files hold ten lines: whoever falls further behind misses some.
            for number in range(3, 40, 4):
                lines = [b"line %d\n" % each for each in range(number, number + 4)]
                for line in lines:
                    output.write(line)
                await reader.hear(b"".join(lines))
            output.write(b"the end\n")
            output.close()
            assert await reader.whole() == ("", b"the end\n", "")


async def test_a_log_never_outgrows_its_two_files(tmp_path: Path) -> None:
    """However much is printed, a run keeps its newest lines, and whole ones only; a third run removes the first."""
    output = Output(tmp_path / "big.log", 1000, lambda: SECOND)
    for number in range(500):
        output.write(b"%d\n" % number)
    output.close()
    kept = output.older.read_bytes() + output.path.read_bytes()
    assert len(kept) <= 2000
    assert kept.endswith(b" 499\n")
    assert [int(line[31:]) for line in kept.splitlines()] == list(range(500 - kept.count(b"\n"), 500))
    log = ContainerLog(tmp_path, "runner")
    for _ in range(3):
        log.begin().close()
    assert {path.name for path in tmp_path.iterdir()} >= {"runner.1.log", "runner.2.log"}  # noqa: ASYNC240
    assert not (tmp_path / "runner.0.log").exists()


async def test_a_disk_without_room_costs_lines_alone(tmp_path: Path) -> None:
    """While no new file can be begun, lines are lost, also unfinished ones; with room again the log goes on."""
    output = Output(tmp_path / "full.log", 100, lambda: SECOND)
    output.write(b"kept\n")
    # A folder in the older file's place keeps the files from changing, even for root.
    (output.older / "in the way").mkdir(parents=True)
    for data in (b"x" * 90 + b"\n", b"half a", b" line\n"):
        output.write(data)
    (output.older / "in the way").rmdir()
    output.older.rmdir()
    output.write(b"again\n")
    assert output.older.read_bytes()[31:] == b"kept\n"
    output.path.rename(tmp_path / "gone")
    output._file.close()
    output.write(b"half")
    output.write(b" a line\n")
    output.close()
    assert output.path.read_bytes()[31:] == b"half a line\n"


async def test_a_reader_that_leaves_frees_its_place(tmp_path: Path) -> None:
    """No answer outlives its reader, and more than a few at a time are refused in words."""
    with printed(tmp_path, 3) as log:
        async with answering(reader := Reader(leaves_after=1)) as answers:
            for _ in range(MOST_ANSWERS):
                answers.start(ask(follow=True), {"runner": log})
            answers.start(ask(follow=True), {"runner": log})
            async with asyncio.timeout(10):
                while not (chunk := await reader.chunks.get()).error:
                    pass
                assert f"{MOST_ANSWERS} logs already" in chunk.error
                while answers._tasks:  # noqa: ASYNC110 - the tasks tell nobody that they are gone
                    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "end", ["print('the end', end='')", "import signal; signal.raise_signal(signal.SIGKILL)"]
)
async def test_what_a_program_printed_before_its_end_is_kept(tmp_path: Path, end: str) -> None:
    """Both outputs, in order, stamped on arrival, also without a last line feed and after SIGKILL."""
    code = f"import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); {end}"
    output = Output(tmp_path / "runner.0.log")
    with output.inlet() as inlet:
        program = start(code, tmp_path, inlet)
    assert await program.wait() in {0, 128 + signal.SIGKILL}
    output.close()
    lines = output.path.read_bytes().splitlines()
    assert [line[31:] for line in lines] == [b"out", b"err", b"the end"][: len(lines)]
    assert len(lines) >= 2
    assert lines == sorted(lines, key=lambda line: line[:30])


async def test_a_program_that_escapes_does_not_hold_the_log_open(tmp_path: Path) -> None:
    """Whoever keeps the pipe open after the program's end is not waited for."""
    output = Output(tmp_path / "runner.0.log")
    with output.inlet() as inlet:
        escaped = os.dup(inlet)
    os.write(escaped, b"late\n")
    output.close()
    with contextlib.suppress(BrokenPipeError):
        os.write(escaped, b"later\n")
    os.close(escaped)
    assert output.is_over
    assert output.path.read_bytes()[31:] == b"late\n"
