"""A cable between a vehicle and a port: TCP that can fall silent while both sockets stay open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

_PART = 64 * 1024


class Cable:
    """Carries bytes both ways until it is dead; a dead one neither carries nor closes."""

    def __init__(self) -> None:
        self._works = asyncio.Event()
        self._works.set()

    def die(self) -> None:
        """Nothing is carried from now on, and nobody is told."""
        self._works.clear()

    @contextlib.asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[int]:
        """Leads to *port* of the loopback; its own port is yielded."""
        ends: list[asyncio.StreamWriter] = []

        async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            ends.extend((writer, far_writer))
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

        server = await asyncio.start_server(join, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self._works.set()
            for end in ends:
                end.close()
            server.close()
            await server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_PART):
            await self._works.wait()
            writer.write(data)
            await writer.drain()
        await self._works.wait()
        writer.close()
