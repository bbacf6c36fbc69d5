"""A gateway's parts joined as its process joins them, over a real store and an API server that the test orders."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

from parkade_agent.attempts import AttemptBook
from parkade_agent.door import Door, Keys, open_channel
from parkade_agent.identity.keys import new_key, request_for
from parkade_agent.journal.attempts import Attempt
from parkade_agent.journal.journal import Journal
from parkade_agent.session import Session, Voice
from parkade_agent.wire import held_leases
from parkade_api.proto.fleet.v1 import fleet_pb2 as pb
from parkade_hack.processes import free_port
from parkade_operator.door.authority import Authority
from parkade_operator.door.certificates import new_authority, requested_key
from parkade_operator.door.tls import Identity
from parkade_operator.gateway.changes import Changes
from parkade_operator.gateway.settings import Settings
from parkade_operator.gateway.wiring import Gateway, wire
from support.apiserver import serving
from support.bench import Bench, running
from support.stores import Ground

AUTHORITY = Authority(new_authority(dt.datetime.now(dt.UTC)), ["127.0.0.1"])
VEHICLE = Identity("v1")


@contextlib.asynccontextmanager
async def wired(folder: Path) -> AsyncIterator[tuple[Gateway, Bench, int]]:
    """The gateway, the bench whose batches it leads, and the port of its door, which is not open yet."""
    ports = {name: free_port() for name in ("door_port", "enrolment_port", "internal_port")}
    settings = Settings(platform_store="file:///of-the-bench", listen_address="127.0.0.1", **ports)
    async with serving(folder) as (_, client), running(Ground(folder)) as bench:
        yield wire(settings, client, AUTHORITY, bench.batches, Changes()), bench, ports["door_port"]


class Dialler:
    """The session and the book of attempts of VEHICLE, which says hello as an agent does and keeps what it hears."""

    def __init__(self, folder: Path, port: int) -> None:
        key = new_key()
        certificate = AUTHORITY.sign(requested_key(request_for(key)), VEHICLE)
        self._channel = open_channel(Keys(f"127.0.0.1:{port}", AUTHORITY.certificate, key, certificate))
        door = Door(self._channel)
        self.journal = Journal(folder / "journal.sqlite")
        self.heard: list[pb.GatewayMessage] = []
        self.in_hand: list[Attempt] = []
        self.session = Session(door, Voice(self._hello, pb.Telemetry, self.heard.append), 10.0)
        (folder / "results").mkdir()
        self.book = AttemptBook(folder / "results", self.journal, door, self.session)
        self._running: asyncio.Task[None] | None = None

    def dial(self) -> None:
        """Opens a session from now on."""
        self._running = asyncio.create_task(self.session.run())

    async def stop(self) -> None:
        """Ends all of it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.book.stop()
        self.journal.close()
        await self._channel.close()

    def _hello(self) -> pb.Hello:
        leases = held_leases((*self.in_hand, *self.book.unsent()), self.session.unsaid())
        return pb.Hello(agent_version="test", nonce=bytes(16), leases=leases)
