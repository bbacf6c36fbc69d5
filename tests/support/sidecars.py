"""A real sidecar process for tests, on a socket of its own."""

import asyncio
import contextlib
import hashlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parkade_api.proto.vehicle.v1 import vehicle_pb2
from parkade_core.batch.lines import shard_line
from parkade_models.bundle import Bundle

INPUT_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Sidecar:
    """A serving sidecar."""

    process: asyncio.subprocess.Process
    socket: Path
    folder: Path
    channel: grpc.aio.Channel

    def write_shard(self, name: str, bodies: Sequence[Any]) -> vehicle_pb2.RunRequest:
        """Lays a shard in the slot's folder and gives the request that runs it."""
        content = b"".join(shard_line(n, f"id-{n}", body) for n, body in enumerate(bodies, start=1))
        (self.folder / name).write_bytes(content)
        return vehicle_pb2.RunRequest(
            input_name=name,
            input_sha256=hashlib.sha256(content).hexdigest(),
            result_name=f"{name}.result",
            input_digest=INPUT_DIGEST,
        )


@contextlib.asynccontextmanager
async def serving_sidecar(bundle: Bundle, *, lanes: int = 1) -> AsyncIterator[Sidecar]:
    """Starts a sidecar, waits until it is SERVING, and ends it afterwards."""
    with tempfile.TemporaryDirectory(prefix="pk-") as scratch:
        async with serving_in(Path(scratch), bundle, lanes=lanes) as sidecar:
            yield sidecar


@contextlib.asynccontextmanager
async def serving_in(folder: Path, bundle: Bundle, *, lanes: int = 1) -> AsyncIterator[Sidecar]:
    """The same in a folder that may be another sidecar's, which has ended."""
    socket = folder / "s"
    process = await start_sidecar(bundle.folder, folder, socket, lanes)
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        try:
            await _wait_serving(channel, process)
            yield Sidecar(process, socket, folder, channel)
        finally:
            await stop(process)


async def start_sidecar(bundle: Path, folder: Path, socket: Path, lanes: int) -> asyncio.subprocess.Process:
    """The sidecar's process, its log on a pipe."""
    flags = ("--bundle", bundle, "--slot-dir", folder, "--socket", socket, "--lanes", lanes)
    return await start_module("parkade_agent.sidecar", *flags)


async def start_module(module: str, *flags: object) -> asyncio.subprocess.Process:
    """`python -m module` with its output on pipes."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", module, *map(str, flags))
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


async def stop(process: asyncio.subprocess.Process) -> str:
    """Asks the process to stop, kills it after ten seconds, and returns what it had written to stderr."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        _, errors = await process.communicate()
    return errors.decode()


async def _wait_serving(channel: grpc.aio.Channel, process: asyncio.subprocess.Process) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(60):
        while process.returncode is None:
            with contextlib.suppress(grpc.aio.AioRpcError):
                reply = await health.Check(health_pb2.HealthCheckRequest())
                assert reply.status == health_pb2.HealthCheckResponse.SERVING
                return
            await asyncio.sleep(0.05)
    log = await stop(process)
    raise AssertionError(f"the sidecar ended before it served: {log}")
