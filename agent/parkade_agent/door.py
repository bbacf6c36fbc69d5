"""The vehicle's only network connection: one outbound mTLS channel to the gateway's door."""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
import structlog

from parkade_agent import metrics
from parkade_agent.backoff import delays
from parkade_agent.errors import DoorRefused
from parkade_api.proto.fleet.v1 import fleet_pb2, fleet_pb2_grpc

CHUNK_BYTES = 256 * 1024
IDLE_SECONDS = 60.0
"""Longest wait for the next bytes of a fetch; a slow link may take its time, a silent one is tried again."""
STORE_SECONDS = 120.0
LEAST_BYTES_PER_SECOND = 8 * 1024
"""A store may take STORE_SECONDS, and as long as its bytes need at this pace."""
_T = TypeVar("_T")
_log = structlog.get_logger()

_OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Without this an unanswered keepalive ends the connection after a minute only, whatever its own timeout says.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # How long one try may take, with TCP and TLS, not how long to wait between two.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
_FINAL = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.DATA_LOSS,
    }
)
# A gateway that has just started does not know yet what its predecessor granted: these are final after some patience.
_PERHAPS = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
_KEPT_CHANNELS = 2
FETCH_PATIENCE_SECONDS = 20.0
STORE_PATIENCE_SECONDS = 120.0

LogCall = grpc.aio.StreamUnaryCall[fleet_pb2.LogChunk, fleet_pb2.LogsReply]
SessionCall = grpc.aio.StreamStreamCall[fleet_pb2.VehicleMessage, fleet_pb2.GatewayMessage]


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the door is (host:port), whom to trust there, and who the vehicle is; all PEM."""

    address: str
    ca: bytes
    key: bytes
    certificate: bytes


def open_channel(keys: Keys) -> grpc.aio.Channel:
    """The mTLS channel; it reconnects by itself."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=keys.ca, private_key=keys.key, certificate_chain=keys.certificate
    )
    return grpc.aio.secure_channel(keys.address, credentials, options=_OPTIONS)


class Door:
    """The calls of parkade.fleet.v1. Fetch and store try again until the gateway answers.

    While the link is one that may not carry work (`carry_work`), what they move stands still and begins anew later.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channels = [channel]
        self._stub: fleet_pb2_grpc.FleetAsyncStub = fleet_pb2_grpc.FleetStub(channel)
        self._carries = asyncio.Event()
        self._carries.set()

    @property
    def carries_work(self) -> bool:
        """Whether bundles, shards and results may use the link; what the vehicle says of itself always may."""
        return self._carries.is_set()

    def carry_work(self, *, may: bool) -> None:
        """From now on bundles, shards and results *may* use the link, or may not."""
        if may:
            self._carries.set()
        else:
            self._carries.clear()

    async def change(self, keys: Keys) -> None:
        """Makes new calls with other keys; the calls that run have the old channel until the next change."""
        channel = open_channel(keys)
        self._stub = fleet_pb2_grpc.FleetStub(channel)
        self._channels.append(channel)
        while len(self._channels) > _KEPT_CHANNELS:
            await self._channels.pop(0).close()

    async def close(self) -> None:
        """Ends every call."""
        for channel in self._channels:
            await channel.close()

    async def renew(self, csr: bytes, seconds: float) -> fleet_pb2.EnrolReply:
        """A new certificate for the key of *csr*. Raises grpc.aio.AioRpcError."""
        return await self._stub.Renew(fleet_pb2.RenewRequest(csr=csr), timeout=seconds)

    def session(self, messages: AsyncIterator[fleet_pb2.VehicleMessage]) -> SessionCall:
        """Opens the session that says *messages*."""
        return self._stub.Session(messages)

    async def fetch(self, request: fleet_pb2.FetchRequest, most_bytes: int) -> bytes:
        """The bytes asked for. Raises DoorRefused, also when there are more than *most_bytes*."""
        return await _until_heard(FETCH_PATIENCE_SECONDS, lambda: self._fetch(request, most_bytes))

    async def download(self, request: fleet_pb2.FetchRequest, most_bytes: int, path: Path) -> str:
        """Writes the bytes asked for to *path*, without holding them; returns their sha256.

        Raises DoorRefused, also when there are more than *most_bytes*, and OSError.
        """
        return await _until_heard(FETCH_PATIENCE_SECONDS, lambda: self._download(request, most_bytes, path))

    async def store(self, header: fleet_pb2.PieceHeader, data: bytes) -> fleet_pb2.StoreReply:
        """Stores one piece and returns its verdicts. Raises DoorRefused."""
        return await _until_heard(STORE_PATIENCE_SECONDS, lambda: self._store(header, data))

    async def send_log(self, chunks: AsyncIterator[fleet_pb2.LogChunk]) -> None:
        """Answers a ReadLogs until *chunks* end or the reader leaves. Raises grpc.aio.AioRpcError."""
        call = self._stub.Logs()
        tasks = asyncio.create_task(_send_log(call, chunks)), asyncio.create_task(_ended(call))
        sending, ending = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await ending
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.cancel()

    async def _fetch(self, request: fleet_pb2.FetchRequest, most_bytes: int) -> bytes:
        data = bytearray()
        async with contextlib.aclosing(self._chunks(request, most_bytes)) as chunks:
            async for chunk in chunks:
                data += chunk
        return bytes(data)

    async def _download(self, request: fleet_pb2.FetchRequest, most_bytes: int, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("wb") as file:
            async with contextlib.aclosing(self._chunks(request, most_bytes)) as chunks:
                async for chunk in chunks:
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
        return digest.hexdigest()

    async def _chunks(self, request: fleet_pb2.FetchRequest, most_bytes: int) -> AsyncGenerator[bytes, None]:
        total = 0
        await self._carries.wait()
        call = self._stub.Fetch(request)
        try:
            while isinstance(chunk := await asyncio.wait_for(call.read(), IDLE_SECONDS), fleet_pb2.Chunk):
                total += len(chunk.data)
                if total > most_bytes:
                    raise DoorRefused("TOO_LONG", f"more than the {most_bytes} bytes announced")
                yield chunk.data
                self._check_link()
        finally:
            call.cancel()

    async def _store(self, header: fleet_pb2.PieceHeader, data: bytes) -> fleet_pb2.StoreReply:
        await self._carries.wait()
        seconds = STORE_SECONDS + len(data) / LEAST_BYTES_PER_SECOND
        return await self._stub.Store(self._piece(header, data), timeout=seconds)

    async def _piece(
        self, header: fleet_pb2.PieceHeader, data: bytes
    ) -> AsyncIterator[fleet_pb2.StoreRequest]:
        yield fleet_pb2.StoreRequest(header=header)
        for start in range(0, len(data), CHUNK_BYTES):
            self._check_link()
            yield fleet_pb2.StoreRequest(data=data[start : start + CHUNK_BYTES])

    def _check_link(self) -> None:
        """Raises TimeoutError, as of a link that is gone, when it may not carry work any more."""
        if not self.carries_work:
            raise TimeoutError("the link may not carry work")


async def _send_log(call: LogCall, chunks: AsyncIterator[fleet_pb2.LogChunk]) -> None:
    # A call that has ended tells its own reason.
    with contextlib.suppress(asyncio.InvalidStateError):
        async for chunk in chunks:
            await call.write(chunk)
        await call.done_writing()


async def _ended(call: LogCall) -> None:
    await call


async def _until_heard(patience: float, call: Callable[[], Awaitable[_T]]) -> _T:
    """Repeats *call* until it is answered; a no that may pass is taken for final after *patience* seconds of it."""
    waits = delays(0.2, 5.0)
    denied_at: float | None = None
    while True:
        try:
            return await call()
        except TimeoutError:
            denied_at, code = None, "IDLE"
        except grpc.aio.AioRpcError as error:
            now = time.monotonic()
            denied_at = (denied_at or now) if error.code() in _PERHAPS else None
            if error.code() in _FINAL or (denied_at is not None and now - denied_at >= patience):
                raise DoorRefused(error.code().name, error.details() or "") from None
            code = error.code().name
        except asyncio.CancelledError:
            # A channel that is closed cancels its calls; only who cancels this task ends it.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            denied_at, code = None, "CANCELLED"
        delay = next(waits)
        metrics.DOOR_RETRIES.inc()
        _log.info("the door did not answer, trying again", code=code, seconds=delay)
        await asyncio.sleep(delay)
