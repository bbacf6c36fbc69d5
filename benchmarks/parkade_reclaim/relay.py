"""The network between a vehicle and its gateway: carries bytes, or nothing, as a tunnel does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

_READ_BYTES = 64 * 1024


class Relay:
    """Forwards connections to a port of the loopback; while it is `cut`, no byte comes through and nothing closes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._carrying = set[asyncio.Task[None]]()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Listens on a free port, which is yielded."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._carrying:
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """The gateway is unreachable inside the block."""
        self._is_whole.clear()
        try:
            yield
        finally:
            self._is_whole.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(sink):
            while data := await source.read(_READ_BYTES):
                await self._is_whole.wait()
                sink.write(data)
                await sink.drain()
