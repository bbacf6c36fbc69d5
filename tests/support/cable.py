"""A cable between a vehicle and a port: TCP that can fall silent while both sockets stay open, or hang up."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future

_PART = 64 * 1024


class Cable:
    """Carries bytes both ways until it is dead; a dead one neither carries nor closes."""

    def __init__(self) -> None:
        self._works = asyncio.Event()
        self._works.set()
        self._ends: list[asyncio.StreamWriter] = []

    def die(self) -> None:
        """Nothing is carried from now on, and nobody is told."""
        self._works.clear()

    def mend(self) -> None:
        """Carries again, also what was sent meanwhile."""
        self._works.set()

    def hang_up(self) -> None:
        """Closes every connection at both ends; what was not carried is lost."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    @contextlib.asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[int]:
        """Leads to *port* of the loopback; its own port is yielded."""
        joined: list[asyncio.Task[None] | None] = []

        async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            joined.append(asyncio.current_task())
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            self._ends.extend((writer, far_writer))
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

        server = await asyncio.start_server(join, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self.mend()
            for end in self._ends:
                end.close()
            server.close()
            await asyncio.gather(*filter(None, joined), server.wait_closed(), return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_PART):
            await self._works.wait()
            writer.write(data)
            await writer.drain()
        await self._works.wait()
        writer.close()


@contextlib.contextmanager
def flapping(port: int, seconds: float) -> Iterator[int]:
    """A cable to *port* in a thread of its own, up for *seconds* and dead for as long, by turns; its port is yielded.

    Every other time that it dies it hangs up as well.
    """
    ready: Future[tuple[int, Callable[[], object]]] = Future()

    async def run() -> None:
        cable, ends, loop = Cable(), asyncio.Event(), asyncio.get_running_loop()
        async with cable.to(port) as near:
            ready.set_result((near, lambda: loop.call_soon_threadsafe(ends.set)))
            turning = asyncio.create_task(_turn(cable, seconds))
            await ends.wait()
            turning.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="cable")
    thread.start()
    near, end = ready.result()
    try:
        yield near
    finally:
        end()
        thread.join()


async def _turn(cable: Cable, seconds: float) -> None:
    for hangs_up in itertools.cycle((True, False)):
        await asyncio.sleep(seconds)
        cable.die()
        await asyncio.sleep(seconds)
        if hangs_up:
            cable.hang_up()
        cable.mend()
